import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import type { TaskExport } from '../../src/client/contract.ts';
import { createKey } from '../../src/engine/credentials/api-keys.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import type { Permission } from '../../src/model/permissions.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { emptyDatabase, type Sql } from '../support/database.ts';
import { asking } from '../support/rest/contract.ts';
import {
  CANARIES,
  fill,
  SENSITIVE_HANDLERS,
  SENSITIVE_TEMPLATES,
  type Things,
} from '../support/rest/sensitive-installation.ts';
import { SECURED } from './auth/secured.ts';

let tasker: Tasker;
let things: Things;
let sql: Sql;
let close: () => Promise<void>;
let keys = 0;
beforeAll(async () => {
  const { url, sql: client, drop } = await emptyDatabase();
  sql = client;
  tasker = await createTasker({
    databaseUrl: url,
    poolSize: 6,
    templates: SENSITIVE_TEMPLATES,
    handlers: SENSITIVE_HANDLERS,
    logger: silentLogger,
  });
  close = async () => {
    await tasker.stop({ drainTimeoutMs: 100 });
    await drop();
  };
  things = await fill(tasker);
});
afterAll(() => close?.());

/** Exports a task over HTTP with a key that has only these permissions. */
async function exported(uuid: string, permissions: Permission[], namespaces?: string[]) {
  const name = `key-${++keys}`;
  const request = { name, permissions, ...(namespaces && { namespaces }) };
  const { key } = await createKey(tasker.engine.database, request, { actor: 'tests' });
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  const app = restApp({
    tasker,
    logger: silentLogger,
    facts,
    config: { configuration: () => ({}) },
    security: SECURED,
  });
  const headers = { 'x-api-key': key };
  const { status, body } = await asking(app)<TaskExport>('GET', `/v1/tasks/${uuid}/export`, undefined, headers);
  return { status, document: body };
}

describe('the export of a task', () => {
  it('is one document with its steps, history, waits, signals, events and audit', async () => {
    const found = await tasker.exportTask(things.task);
    expect(found.task).toMatchObject({ taskUuid: things.task, name: 'secret', reruns: 1 });
    expect(found.summary).toMatch(/ship failed permanently/);
    expect(found.steps.map(({ name, dependsOn, currentState }) => [name, dependsOn, currentState])).toEqual([
      ['charge', [], 'complete'],
      ['ship', ['charge'], 'error'],
      ['pay', [], 'waiting'],
      ['agree', [], 'waiting'],
    ]);
    expect(found.steps[1]!.why).toMatch(/failed/);
    expect(found.history.filter(({ step }) => step === 'ship')).toHaveLength(2);
    expect(found.waits.map(({ step }) => step)).toEqual(expect.arrayContaining(['pay', 'agree']));
    expect(found.signals.map(({ payload }) => payload)).toContainEqual(
      expect.objectContaining({ iban: CANARIES.signal }),
    );
    expect(found.events.map(({ name }) => name)).toContain('card.charged');
    expect(found.audit.map(({ action }) => action)).toContain('rerun');
    expect(found.omitted).toEqual([]);
  });

  it('says over HTTP what the credential may not read, and does not contain it', async () => {
    const { status, document } = await exported(things.task, ['tasks:read']);
    expect(status).toBe(200);
    const parts = document.omitted.map(({ part }) => part);
    expect(parts).toEqual(['results', 'events', 'audit', 'payloads', 'sensitive']);
    expect(document.omitted[1]).toEqual({ part: 'events', why: 'the credential lacks the permission events:read' });
    expect([document.events, document.audit]).toEqual([[], []]);
    expect(document.steps.every(({ results }) => results === null)).toBe(true);
    expect(document.signals.every(({ payload }) => payload === null)).toBe(true);
    const text = JSON.stringify(document);
    for (const canary of Object.values(CANARIES)) expect(text).not.toContain(canary);
    expect(text).toContain('plain-brand');
  });

  it('is complete for a credential that may read everything', async () => {
    const all: Permission[] = ['tasks:read', 'steps:read', 'events:read', 'audit:read', 'tasks:context_read'];
    const { document } = await exported(things.task, all);
    expect(document.omitted).toEqual([]);
    expect(document.steps[0]!.results).toMatchObject({ result: { token: CANARIES.result } });
    expect(document.task.context).toMatchObject({ card: { number: CANARIES.context } });
    expect(document.events.length).toBeGreaterThan(0);
    expect(document.audit.length).toBeGreaterThan(0);
  });

  it('is refused for a task of another namespace, and for one that does not exist', async () => {
    expect((await exported(things.task, ['tasks:read'], ['elsewhere'])).status).toBe(404);
    const unknown = '019b0000-0000-7000-8000-000000000000';
    expect((await exported(unknown, ['tasks:read'])).status).toBe(404);
    await expect(tasker.exportTask(unknown)).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(tasker.exportTask('no uuid')).rejects.toMatchObject({ code: 'invalid_uuid' });
  });

  it('says when it contains only a part of the audit', async () => {
    // As if operators had acted 1,000 times.
    await sql(
      `INSERT INTO tasker.operator_action (task_uuid, action, actor, door) SELECT $1, 'note', 'ann', 'library' FROM generate_series(1, 1000)`,
      [things.task],
    );
    const { audit, omitted } = await tasker.exportTask(things.task);
    expect(audit).toHaveLength(1000);
    expect(omitted).toEqual([{ part: 'audit', why: 'only the newest 1,000 are contained' }]);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ANYONE, type Caller } from '../../src/rest/caller.ts';
import { writeEvents } from '../support/events/event-log.ts';
import { type ActsBench, actsBench } from '../support/rest/acts-bench.ts';
import type { Json } from '../support/rest/served-api.ts';

let bench: ActsBench;
let api: ActsBench['api'];
beforeAll(async () => {
  bench = await actsBench();
  api = bench.api;
});
afterAll(() => api.stop());

const create: ActsBench['create'] = (...given) => bench.create(...given);
const failed: ActsBench['failed'] = (...given) => bench.failed(...given);
const waiting: ActsBench['waiting'] = (...given) => bench.waiting(...given);
const refused: ActsBench['refused'] = (...given) => bench.refused(...given);
const NEVER = '019b0000-0000-7000-8000-000000000000';

describe('schedules, dead letters, templates, workers and events', () => {
  it('a schedule is created, changed, paused, triggered once per key, backfilled after a dry run, and deleted', async () => {
    const path = '/v1/schedules/nightly';
    const created = await api.ask('POST', '/v1/schedules', {
      name: 'nightly',
      template: 'test/demo@1.0.0',
      cron: '0 2 * * *',
      catch_up: 'none',
      context: { lucky: true },
    });
    expect([created.status, created.body]).toMatchObject([201, { name: 'nightly', catch_up: 'none', state: 'active' }]);
    expect(
      (await refused('POST', '/v1/schedules', { name: 'nightly', template: 'test/demo@1.0.0', every: '1h' })).slice(
        0,
        2,
      ),
    ).toEqual([409, 'CONFLICT']);
    expect(
      (await refused('POST', '/v1/schedules', { name: 'bad', template: 'test/demo@1.0.0', cron: 'often' }))[0],
    ).toBe(400);
    expect((await api.ask('PATCH', path, { every: '1h', description: 'often' })).body).toMatchObject({
      cron: null,
      every_ms: 3_600_000,
    });
    expect((await refused('PATCH', path, {}))[0]).toBe(400);
    expect((await api.ask('POST', `${path}/pause`, { reason: 'rest' })).body).toMatchObject({
      changed: true,
      state: 'paused',
      pause_reason: 'rest',
    });
    expect((await api.ask('POST', `${path}/resume`)).body).toMatchObject({ changed: true, state: 'active' });
    const once = await api.ask('POST', `${path}/trigger`, {}, { 'idempotency-key': 't1' });
    expect([once.status, (await api.ask('POST', `${path}/trigger`, { idempotency_key: 't1' })).body]).toEqual([
      201,
      once.body,
    ]);
    await api.ask('PATCH', path, { cron: '0 * * * *' });
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T03:00:00Z' };
    const planned = await api.ask<Json[]>('POST', `${path}/backfill`, { ...range, dry_run: true });
    expect(new Set(planned.body.map((due) => due.outcome))).toEqual(new Set(['planned']));
    expect((await api.ask<Json[]>('POST', `${path}/backfill`, range)).body[0]).toMatchObject({ outcome: 'created' });
    expect((await api.ask<Json[]>('POST', `${path}/backfill`, range)).body[0]).toMatchObject({ outcome: 'exists' });
    expect((await api.ask('GET', `${path}?limit=3`)).body).toMatchObject({ name: 'nightly', last: [{}, {}, {}] });
    expect((await api.ask<{ schedules: Json[] }>('GET', '/v1/schedules')).body.schedules).toHaveLength(1);
    expect((await api.ask('DELETE', path)).body).toEqual({ deleted: 'nightly' });
    expect((await refused('DELETE', path))[0]).toBe(404);
  });

  it('a dead letter is added once, assigned, noted, redriven and resolved', async () => {
    const uuid = await failed();
    const added = await api.ask<{ dlq_entry_uuid: string }>('POST', '/v1/dlq', {
      task_uuid: uuid,
      reason: 'charged twice?',
      priority: 5,
    });
    expect([added.status, added.body]).toMatchObject([201, { task_uuid: uuid, priority: 5, dlq_reason: 'manual_dlq' }]);
    expect((await refused('POST', '/v1/dlq', { task_uuid: uuid })).slice(0, 2)).toEqual([409, 'CONFLICT']);
    const entry = `/v1/dlq/entry/${added.body.dlq_entry_uuid}`;
    expect((await api.ask('POST', `${entry}/assign`, { to: 'payments' })).body).toEqual({ changed: 1 });
    expect((await refused('POST', `${entry}/assign`, {}))[0]).toBe(400);
    expect((await api.ask('PATCH', entry, { priority: 7, assignee: 'billing', reason: 'urgent' })).status).toBe(200);
    expect((await api.ask('GET', entry)).body).toMatchObject({ priority: 7, assignee: 'billing' });
    expect((await api.ask('PATCH', entry, { assignee: null })).status).toBe(200);
    expect((await api.ask('GET', entry)).body).toMatchObject({ priority: 7, assignee: null });
    expect((await refused('PATCH', entry, { priority: 'high' }))[0]).toBe(400);
    expect((await api.ask('POST', `${entry}/note`, { note: 'called them', by: 'ann' })).body).toEqual({ changed: 1 });
    expect((await api.ask('POST', `${entry}/redrive`)).body).toMatchObject({ how: 'retried', steps: ['second'] });
    expect((await refused('POST', `${entry}/assign`, { to: null })).slice(0, 2)).toEqual([409, 'CONFLICT']);
    await api.tasker.waitForTask(uuid);
    const next = await api.ask<{ dlq_entry_uuid: string }>('POST', '/v1/dlq', { task_uuid: uuid });
    expect(
      (await api.ask('POST', `/v1/dlq/entry/${next.body.dlq_entry_uuid}/resolve`, { notes: 'refunded' })).body,
    ).toEqual({ changed: 1 });
    expect((await refused('POST', `/v1/dlq/entry/${NEVER}/redrive`))[0]).toBe(404);
  });

  it('a list of dead letters omits an entry whose task is deleted while the list is read', async () => {
    const [kept, deleted] = [await failed(), await failed()];
    const { deadLetters } = api.tasker;
    for (const task of [kept, deleted]) await deadLetters.add(task);
    const list = deadLetters.list.bind(deadLetters);
    vi.spyOn(deadLetters, 'list').mockImplementationOnce(async (...given) => {
      const page = await list(...given);
      await api.tasker.cancelTask(deleted);
      expect((await api.ask('POST', `/v1/tasks/${deleted}/delete`)).body).toMatchObject({ deleted: true });
      return page;
    });
    const { status, body } = await api.ask<{ task_uuid: string }[]>('GET', '/v1/dlq');
    const tasks = body.map(({ task_uuid: task }) => task);
    expect([status, tasks.includes(kept), tasks.includes(deleted)]).toEqual([200, true, false]);
  });

  it('a template is checked and registered from YAML or JSON, and compared with the previous version', async () => {
    const yaml = (version: string, extra = '') =>
      `name: fresh\nnamespace: test\nversion: ${version}\nsteps:\n  - name: first\n    handler: first\n${extra}`;
    const type = { 'content-type': 'application/yaml' };
    const checked = await api.ask('POST', '/v1/templates/validate', yaml('1.0.0'), type);
    expect(checked.body).toMatchObject({ valid: true, template: { change: 'new', previous_digest: null } });
    const registered = await api.ask<Json>('POST', '/v1/templates', yaml('1.0.0'), type);
    expect([registered.status, registered.body.change]).toEqual([201, 'new']);
    expect((await api.ask('POST', '/v1/templates', { source: yaml('1.0.0') })).body).toMatchObject({
      change: 'unchanged',
    });
    const object = {
      name: 'fresh',
      namespace: 'test',
      version: '1.0.0',
      steps: [
        { name: 'first', handler: 'first' },
        { name: 'b', handler: 'second', dependencies: ['first'] },
      ],
    };
    expect((await api.ask('POST', '/v1/templates', object)).body).toMatchObject({
      change: 'changed',
      previous_digest: registered.body.digest,
    });
    const broken = await api.ask<{ error: { details: { problems: Json[] } } }>(
      'POST',
      '/v1/templates',
      yaml('1.0.0', '  - name: b\n    handler: x\n    dependencies: [frist]\n'),
      type,
    );
    expect([broken.status, broken.body.error.details.problems[0]]).toMatchObject([
      400,
      { line: 9, message: expect.stringContaining('first') },
    ]);
    expect((await api.ask('POST', '/v1/templates/validate', 'name: [', type)).body).toMatchObject({
      valid: false,
      template: null,
    });
  });

  it('a worker is drained and resumed, and events of an unknown group are not found', async () => {
    const [worker] = await api.tasker.listWorkers();
    const drained = await api.ask<Json>('POST', `/v1/workers/${worker!.id}/drain`, { by: 'ann', reason: 'kernel' });
    expect(drained.body).toMatchObject({
      changed: true,
      drain: { by: 'ann' },
      left_namespaces: expect.arrayContaining(['test']),
    });
    expect((await api.ask('POST', `/v1/workers/${worker!.name}/drain`)).body).toMatchObject({ changed: false });
    expect((await api.ask('POST', `/v1/workers/${worker!.name}/resume`)).body).toMatchObject({ changed: true });
    expect((await refused('POST', '/v1/workers/nobody/drain'))[0]).toBe(404);
    for (const path of ['events/replay', 'events/dead/redeliver', 'events/dead/discard']) {
      expect((await refused('POST', `/v1/${path}`, { group: 'nothing' })).slice(0, 2)).toEqual([404, 'NOT_FOUND']);
    }
    expect((await refused('DELETE', '/v1/events/groups/nothing'))[0]).toBe(404);
  });
});

describe('a list with a limit leads to its end by its cursors', () => {
  /** Reads a list page by page, and returns the names of its items. */
  async function paged(path: string, key: string, nameOf: (item: Json) => unknown, ask = api.ask): Promise<unknown[]> {
    const found: unknown[] = [];
    let cursor: unknown;
    do {
      const at = cursor === undefined ? '' : `&cursor=${String(cursor)}`;
      const { status, body } = await ask<Json>('GET', `${path}?limit=2${at}`);
      expect(status).toBe(200);
      const items = body[key] as Json[];
      expect(items.length).toBeLessThanOrEqual(2);
      found.push(...items.map(nameOf));
      cursor = body['next_cursor'];
    } while (cursor !== null);
    return found;
  }

  it('of pauses, also for a caller who sees only some of them', async () => {
    const tasks = await Promise.all([waiting(), waiting(), waiting()]);
    const targets = [{ template: 'test/demo' }, { namespace: 'test' }, ...tasks.map((task) => ({ task }))];
    for (const target of targets) await api.tasker.pause(target);
    const all = ['test/demo', 'test', ...tasks];
    expect(await paged('/v1/pauses', 'pauses', ({ target }) => target)).toEqual(all);
    const foreign = api.as({ ...ANYONE, namespaces: ['elsewhere'] });
    expect(await paged('/v1/pauses', 'pauses', ({ target }) => target, foreign)).toEqual([]);
    const { body } = await api.ask<Json>('GET', '/v1/pauses?limit=2');
    await api.tasker.resume({ namespace: 'test' });
    const rest = await api.ask<Json>('GET', `/v1/pauses?limit=9&cursor=${String(body['next_cursor'])}`);
    expect((rest.body['pauses'] as Json[]).map(({ target }) => target)).toEqual(tasks);
    for (const target of targets) await api.tasker.resume(target);
    expect((await refused('GET', '/v1/pauses?cursor=WzFd')).slice(0, 2)).toEqual([400, 'BAD_REQUEST']);
    expect((await refused('GET', '/v1/pauses?cursor=WyJ4IiwieSIsInoiXQ')).slice(0, 2)).toEqual([400, 'BAD_REQUEST']);
  });

  it('of dead deliveries', async () => {
    const { events } = api.tasker.engine;
    const groups = ['one', 'two', 'three'];
    const joined = await Promise.all(groups.map((name) => events.joinGroup({ name, patterns: ['a.*'] })));
    const taskUuid = await create();
    await writeEvents(api.sql, ...['a.one', 'a.two', 'a.three'].map((name) => ({ taskUuid, name })));
    await events.sequence();
    for (const group of joined) {
      const taken = (await events.take(group, NEVER, { leaseMs: 60_000 }))!;
      await events.finish(taken, { dead: taken.events.map((event) => ({ ...event, error: 'closed' })) });
    }
    const names = await paged('/v1/events/dead', 'dead', ({ group, event }) => [group, (event as Json)['id']]);
    expect(names).toHaveLength(9);
    expect(new Set(names.map(String)).size).toBe(9);
    expect((await refused('GET', '/v1/events/dead?cursor=WyJ4IiwieSIsInoiXQ'))[0]).toBe(400);
  });
});

describe('a caller with a credential', () => {
  const caller = (more: Partial<Caller> = {}): Caller => ({
    ...ANYONE,
    subject: 'key:ci',
    namespaces: ['test'],
    allows: () => true,
    ...more,
  });

  it('acts and votes as its subject, and the name in the body is a remark', async () => {
    const ask = api.as(caller());
    const uuid = await failed();
    await ask('POST', `/v1/tasks/${uuid}/retry`, { by: 'ann', reason: 'new luck' });
    const { entries } = await api.tasker.audit({ task: uuid });
    expect(entries.find((one) => one.taskUuid === uuid)).toMatchObject({
      actor: 'key:ci',
      reason: 'new luck (by ann)',
    });
    const place = `/v1/approvals/${await waiting()}/sign/vote`;
    expect((await ask('POST', place, { decision: 'approve', by: 'ann', roles: ['managers'] })).status).toBe(403);
    expect((await api.as(caller({ subject: 'ann' }))('POST', place, { decision: 'approve' })).body).toMatchObject({
      votes: [{ by: 'ann' }],
    });
  });

  it('finds nothing in other namespaces, and changes nothing there', async () => {
    const ask = api.as(caller());
    const uuid = await create('elsewhere', {}, 'other');
    await api.tasker.waitForTask(uuid);
    await api.tasker.schedules.create({ name: 'theirs', template: 'other/elsewhere@1.0.0', every: '1h' });
    const entry = await api.tasker.deadLetters.add(uuid);
    const statuses: Record<string, number> = {};
    for (const [path, body] of [
      [`tasks/${uuid}/retry`],
      [`tasks/${uuid}/resolve`],
      [`tasks/${uuid}/rerun`, { from: 'first' }],
      [`tasks/${uuid}/copy`],
      [`tasks/${uuid}/pause`],
      [`tasks/${uuid}/delete`],
      [`tasks/${uuid}/signals`, { name: 'paid' }],
      [`tasks/${uuid}/workflow_steps/first/retry`],
      [`approvals/${uuid}/first/vote`, { decision: 'approve' }],
      ['schedules/theirs/pause'],
      ['schedules/theirs/trigger'],
      ['dlq', { task_uuid: uuid }],
      [`dlq/entry/${entry.dlqEntryUuid}/redrive`],
      ['namespaces/other/pause'],
      ['templates/other/elsewhere/pause'],
      ['schedules', { name: 'x', template: 'other/elsewhere@1.0.0', every: '1h' }],
      ['templates', { name: 'mine', namespace: 'other', version: '1.0.0', steps: [{ name: 'a', handler: 'a' }] }],
      ['bulk-acts', { action: 'task_cancel', filter: { open: true } }],
      ['bulk-acts', { action: 'task_cancel', filter: { namespace: 'other' } }],
      ['bulk-acts', { action: 'task_delete', ids: [uuid] }],
      ['events/replay', { group: 'g' }],
    ] as [string, object?][]) {
      statuses[path] = (await ask('POST', `/v1/${path}`, body ?? {})).status;
    }
    expect(new Set(Object.values(statuses))).toEqual(new Set([403, 404]));
    expect(statuses[`tasks/${uuid}/retry`]).toBe(404);
    expect(await api.tasker.pauses()).toEqual([]);
    expect((await api.tasker.getTask(uuid)).status).toBe('complete');
    expect((await ask<{ schedules: Json[] }>('GET', '/v1/schedules')).body.schedules).toEqual([]);
  });
});

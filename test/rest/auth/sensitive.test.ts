import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { createKey } from '../../../src/engine/credentials/api-keys.ts';
import { type LogBindings, type Logger, silentLogger } from '../../../src/logging/logger.ts';
import { PERMISSIONS } from '../../../src/model/permissions.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { emptyDatabase } from '../../support/database.ts';
import { documentOf } from '../../support/rest/contract.ts';
import {
  CANARIES,
  CONTEXT,
  fill,
  SENSITIVE_HANDLERS,
  SENSITIVE_TEMPLATES,
  type Things,
} from '../../support/rest/sensitive-installation.ts';
import { type App, ask, SECURED } from './secured.ts';

const WITHOUT = PERMISSIONS.filter((permission) => permission !== 'tasks:context_read');
/** Routes whose responses need something outside of this installation. */
const NOT_HERE = new Set(['/v1/auth/oidc/login', '/v1/auth/oidc/callback']);
/** The beginning of a stream is read for this time. */
const STREAM_MS = 700;

let tasker: Tasker;
let app: App;
let things: Things;
let steps: { task: string; name: string; id: string }[];
let worker: string;
let close: () => Promise<void>;
const keys = { reader: '', admin: '' };
const logged: string[] = [];

beforeAll(async () => {
  const { url, drop } = await emptyDatabase();
  tasker = await createTasker({
    databaseUrl: url,
    poolSize: 6,
    templates: SENSITIVE_TEMPLATES,
    handlers: SENSITIVE_HANDLERS,
    stepLogs: 'all',
    logger: loggerTo(logged),
  });
  close = async () => {
    await tasker.stop({ drainTimeoutMs: 100 });
    await drop();
  };
  things = await fill(tasker);
  const all = await Promise.all(
    [things.task, things.decided, things.rows, things.plain].map((uuid) => tasker.getSteps(uuid)),
  );
  steps = all.flat().map(({ taskUuid: task, name, stepUuid: id }) => ({ task, name, id }));
  worker = (await tasker.listWorkers())[0]!.name;
  const { database } = tasker.engine;
  keys.reader = (await createKey(database, { name: 'reader', permissions: WITHOUT }, { actor: 'tests' })).key;
  keys.admin = (await createKey(database, { name: 'admin', roles: ['admin'] }, { actor: 'tests' })).key;
  const facts = { version: '1.2.3', environment: 'test', state: () => 'running' };
  app = restApp({ tasker, logger: silentLogger, facts, config: { configuration: () => ({}) }, security: SECURED });
});
afterAll(() => close?.());

function loggerTo(lines: string[], bindings: LogBindings = {}): Logger {
  const line = (...args: unknown[]) => lines.push(JSON.stringify([bindings, ...args]));
  const levels = { trace: line, debug: line, info: line, warn: line, error: line };
  return { ...levels, child: (more) => loggerTo(lines, { ...bindings, ...more }), isLevelEnabled: () => true };
}

/** Queries that routes need, or with which routes show more. */
const QUERIES: Record<string, string[]> = {
  '/v1/approvals': ['', '?task=TASK'],
  '/v1/dlq/entries': ['', '?status=all'],
  '/v1/tasks': ['', '?context={"card":{"brand":"plain-brand"}}'],
  '/v1/tasks/{uuid}/graph': ['', '?format=mermaid'],
  '/v1/templates/{namespace}/{name}/{version}/diff': ['?with=1.0.0'],
};

/** Returns the addresses of a route for all rows of the installation that its path can name. */
function addressesOf(path: string): string[] {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const whole = (values: Record<string, string>) =>
    parameters.reduce((filled, name) => {
      const value = values[name];
      if (value === undefined) throw new Error(`the test needs a value for {${name}} in ${path}`);
      return filled.replace(`{${name}}`, encodeURIComponent(value));
    }, path);
  const other = {
    event_id: things.event,
    signal_id: things.signal,
    dlq_entry_uuid: things.dead_letter,
    id: things.bulk,
    namespace: 'test',
    version: '1.0.0',
    name: path.startsWith('/v1/templates') ? 'secret' : path.startsWith('/v1/workers') ? worker : 'nightly',
  };
  const isOfTask = parameters.some((name) => /uuid$|^step$/.test(name) && name !== 'dlq_entry_uuid');
  if (!isOfTask) return [whole(other)];
  const places = path.startsWith('/v1/approvals') ? steps.filter(({ name }) => name === 'agree') : steps;
  const filled = places.map(({ task, name, id }) => whole({ uuid: task, task_uuid: task, step: name, step_uuid: id }));
  // Only one of the tasks is in the dead letters.
  const known = path.startsWith('/v1/dlq') ? filled.filter((one) => one.includes(things.task)) : filled;
  return [...new Set(known)];
}

async function readFirst(answer: Response): Promise<string> {
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return answer.text();
  const reader = answer.body!.getReader();
  const decoder = new TextDecoder();
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), STREAM_MS));
  let text = '';
  for (;;) {
    const part = await Promise.race([reader.read(), late]);
    if (part?.value === undefined) break;
    text += decoder.decode(part.value);
  }
  await reader.cancel();
  return text;
}

/** Returns the responses of all reading routes, by their addresses. */
async function readAll(key: string, paths: readonly string[]): Promise<Map<string, { status: number; text: string }>> {
  const answers = new Map<string, { status: number; text: string }>();
  for (const path of paths) {
    for (const address of addressesOf(path).flatMap((one) => (QUERIES[path] ?? ['']).map((query) => one + query))) {
      const target = `http://localhost${address.replace('TASK', things.task)}`;
      const answer = await app.request(encodeURI(target), { headers: { 'x-api-key': key } });
      answers.set(address, { status: answer.status, text: await readFirst(answer) });
    }
  }
  return answers;
}

describe('the values that templates declare as sensitive', () => {
  it('are in no response of a reading route without the permission', async () => {
    const { paths } = await documentOf(app);
    const reading = Object.keys(paths).filter((path) => 'get' in paths[path]! && !NOT_HERE.has(path));
    expect(reading.length).toBeGreaterThan(60);
    const answers = await readAll(keys.reader, reading);
    for (const [address, { status, text }] of answers) {
      const found = Object.values(CANARIES).filter((canary) => text.includes(canary));
      expect.soft([address, found]).toEqual([address, []]);
      // A failed response would show nothing.
      const expected = /^\/v1\/tasks\/[^/]+\/context$/.test(address) ? 403 : 200;
      expect.soft([address, status, status === expected ? '' : text]).toEqual([address, expected, '']);
    }
    const all = [...answers.values()].map(({ text }) => text).join('\n');
    for (const plain of ['plain-brand', 'plain-id', 'plain-amount', 'plain-token', 'plain-output', '[redacted]']) {
      expect.soft(all.includes(plain), plain).toBe(true);
    }
  });

  it('are each shown by some route with the permission', async () => {
    const { paths } = await documentOf(app);
    const reading = Object.keys(paths).filter((path) => 'get' in paths[path]! && !NOT_HERE.has(path));
    const answers = await readAll(keys.admin, reading);
    const all = [...answers.values()].map(({ text }) => text).join('\n');
    const missing = Object.values(CANARIES).filter((canary) => !all.includes(canary));
    expect(missing).toEqual([]);
    expect(answers.get(`/v1/tasks/${things.task}`)!.text).toContain(CANARIES.context);
    expect(answers.get(`/v1/tasks/${things.task}/context`)!.text).toContain(CANARIES.context);
  });

  it('are returned by the library, because they are the data of its program', async () => {
    expect((await tasker.getTask(things.task)).context).toEqual(CONTEXT);
    expect((await tasker.getStep(things.task, 'charge')).results!.result).toMatchObject({ token: CANARIES.result });
  });

  it('are in the responses to actions only with the permission', async () => {
    const create = { name: 'secret', namespace: 'test', version: '1.0.0', context: CONTEXT };
    const request = { ...create, initiator: 'a', source_system: 'b', reason: 'c' };
    const complete = { action_type: 'complete_manually', reason: 'r', completed_by: 'c' };
    const result = { token: CANARIES.result, plain: 'plain' };
    const step = steps.find(({ task, name }) => task === things.task && name === 'charge')!.id;
    const vote = { decision: 'reject', form: { iban: CANARIES.form }, comment: CANARIES.comment };
    const acts: [string, unknown][] = [
      ['POST /v1/tasks', request],
      [`PATCH /v1/tasks/${things.task}/workflow_steps/${step}`, { ...complete, completion_data: { result } }],
      [`POST /v1/tasks/${things.task}/workflow_steps/ship/retry`, {}],
      [`POST /v1/tasks/${things.task}/copy`, {}],
      [`POST /v1/tasks/${things.task}/rerun`, { from: 'ship', dry_run: true }],
      [`POST /v1/approvals/${things.task}/agree/vote`, vote],
      ['PATCH /v1/schedules/nightly', { description: 'changed' }],
      ['POST /v1/bulk-acts', { action: 'task_retry', ids: [things.task], dry_run: true }],
      [`DELETE /v1/tasks/${things.task}`, undefined],
    ];
    const task = await ask(app, 'POST /v1/tasks', { 'x-api-key': keys.admin }, request);
    const completed = await ask(app, acts[1]![0], { 'x-api-key': keys.admin }, acts[1]![1]);
    for (const [act, body] of acts) {
      const { status, body: answer } = await ask(app, act, { 'x-api-key': keys.reader }, body);
      expect.soft([act, status < 300 ? 'ok' : answer]).toEqual([act, 'ok']);
      const text = JSON.stringify(answer);
      expect.soft([act, Object.values(CANARIES).filter((one) => text.includes(one))]).toEqual([act, []]);
    }
    expect(JSON.stringify(task.body)).toContain(CANARIES.context);
    expect(JSON.stringify(completed.body)).toContain(CANARIES.result);
  });

  it('cannot be searched for by any route without the permission', async () => {
    const context = { card: { number: CANARIES.context } };
    const query = `context=${encodeURIComponent(JSON.stringify(context))}`;
    const message = expect.stringMatching(/declares card\.number as sensitive.*the permission tasks:context_read$/);
    const { paths } = await documentOf(app);
    const searching = Object.entries(paths).filter(([, { get }]) =>
      get?.parameters?.some(({ name }) => name === 'context'),
    );
    expect(searching.map(([path]) => path).sort()).toEqual([
      '/v1/steps',
      '/v1/summary',
      '/v1/task-histogram',
      '/v1/tasks',
    ]);
    for (const [path] of searching) {
      for (const more of ['', '&namespace=test&name=secret']) {
        const refused = await ask(app, `GET ${path}?${query}${more}`, { 'x-api-key': keys.reader });
        expect([path, refused.status, refused.body]).toMatchObject([path, 403, { error: { message } }]);
      }
      const allowed = await ask(app, `GET ${path}?${query}`, { 'x-api-key': keys.admin });
      const elsewhere = await ask(app, `GET ${path}?${query}&name=plain`, { 'x-api-key': keys.reader });
      const harmless = await ask(app, `GET ${path}?context={"other":1}`, { 'x-api-key': keys.reader });
      expect([path, allowed.status, elsewhere.status, harmless.status]).toEqual([path, 200, 200, 200]);
    }
  });

  it('cannot be guessed through a filter of any bulk action without the permission', async () => {
    const context = { card: { number: CANARIES.context } };
    const message = expect.stringMatching(/declares card\.number as sensitive.*the permission tasks:context_read$/);
    const { components } = await documentOf(app);
    const request = components!.schemas!.BulkActRequest as { properties: { action: { enum: string[] } } };
    const actions = request.properties.action.enum;
    expect(actions).toContain('task_redrive');
    for (const action of actions) {
      for (const [filter, dry_run] of [
        [{ namespace: 'test', context }, true],
        [{ namespace: 'test', context }, false],
        [{ context, name: 'secret' }, true],
      ]) {
        const refused = await ask(app, 'POST /v1/bulk-acts', { 'x-api-key': keys.reader }, { action, filter, dry_run });
        expect([action, refused.status, refused.body]).toMatchObject([action, 403, { error: { message } }]);
      }
      for (const [key, filter] of [
        [keys.admin, { context }],
        [keys.reader, { context, name: 'plain' }],
        [keys.reader, { context: { other: 1 } }],
      ] as const) {
        const body = { action, filter, dry_run: true };
        const allowed = await ask(app, 'POST /v1/bulk-acts', { 'x-api-key': key }, body);
        expect([action, filter, allowed.status]).toEqual([action, filter, 200]);
      }
    }
  });

  it('are in no log line of the process and in no log line of an attempt', async () => {
    const text = logged.join('\n');
    expect(text).toContain('charging [redacted]');
    expect(text).toContain('plain-brand');
    expect(Object.values(CANARIES).filter((canary) => text.includes(canary))).toEqual([]);
    const kept = await Promise.all(['charge', 'ship'].map((name) => tasker.getStepLogs(things.task, name)));
    const lines = JSON.stringify(kept);
    expect(lines).toContain('charging [redacted]');
    expect(lines).toContain('no ship for [redacted]');
    expect(Object.values(CANARIES).filter((canary) => lines.includes(canary))).toEqual([]);
  });

  it('stay hidden in the events of a deleted task', async () => {
    const [event] = await tasker.events.list({ taskUuid: things.decided });
    await tasker.cancelTask(things.decided);
    await tasker.deleteTask(things.decided);
    const path = `GET /v1/events/${event!.eventId}`;
    const shown = await ask(app, path, { 'x-api-key': keys.reader });
    expect([shown.status, JSON.stringify(shown.body).includes('canary')]).toEqual([200, false]);
    const whole = await ask(app, path, { 'x-api-key': keys.admin });
    expect(JSON.stringify(whole.body)).toContain('canary');
  });
});

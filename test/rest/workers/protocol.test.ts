import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { createKey } from '../../../src/engine/credentials/api-keys.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { restApp } from '../../../src/rest/rest-app.ts';
import { emptyDatabase, type Sql } from '../../support/database.ts';
import { asking } from '../../support/rest/contract.ts';
import { askApp, type GivenStep, TestWorker } from '../../support/rest/http-worker.ts';
import { UNSECURED } from '../../support/rest/world.ts';
import { RETRY_AT_ONCE, states, template, until } from '../../support/setup.ts';
import { SECURED } from '../auth/secured.ts';

const RETRY = { retry: RETRY_AT_ONCE };
const TEMPLATES = [
  template({ first: RETRY, second: ['first'] }, { name: 'pair' }),
  template({ lone: RETRY }, { name: 'lone' }),
  template(
    {
      ruled: {
        retry: {
          ...RETRY_AT_ONCE,
          rules: [
            { error: 'declined', retryable: false },
            { error: 'busy', max_attempts: 9 },
          ],
        },
      },
    },
    { name: 'ruled' },
  ),
  template({ once: { retry: { retryable: false } } }, { name: 'once' }),
  template({ rolled_out: RETRY }, { name: 'rolled_out' }),
  template({ limited: { ...RETRY, timeout_seconds: 600 } }, { name: 'limited' }),
  template(
    {
      bill: { type: 'task', handler: undefined, template: 'given', context: { order: 'context.order' } },
      billed: ['bill'],
    },
    { name: 'parent' },
  ),
  template({ given: [] }, { name: 'given', output: { twice: 'steps.given.made * 2' } }),
  template({ nap: { type: 'timer', handler: undefined, timer: { for: '1s' } }, woken: ['nap'] }, { name: 'nap' }),
  template(
    {
      each: {
        type: 'for_each',
        handler: undefined,
        elements: 'context.lines',
        steps: [
          { name: 'given', handler: 'given', inputs: { line: 'element', at: 'index' } },
          { name: 'billed', handler: 'billed', dependencies: ['given'], inputs: { made: 'steps.given.made' } },
        ],
        output: 'steps.billed.made',
      },
    },
    { name: 'lines' },
  ),
  template(
    { ask: [], route: { type: 'decision', dependencies: ['ask'] }, left: ['route'], right: ['route'] },
    { name: 'fork' },
  ),
  template(
    {
      first: RETRY,
      given: { dependencies: ['first'], inputs: { twice: 'steps.first.made * 2', of: 'context.order' } },
    },
    { name: 'mapped' },
  ),
  template(
    {
      priced: RETRY,
      large: { dependencies: ['priced'], when: 'steps.priced.cents > 100' },
      end: {
        type: 'fail',
        handler: undefined,
        dependencies: ['large'],
        message: 'too large: {{ steps.priced.cents }}',
      },
    },
    { name: 'routed' },
  ),
  template(
    { fast: RETRY, slow: RETRY, idle: RETRY, first: { dependencies: ['fast', 'slow', 'idle'], join: 'any' } },
    { name: 'race' },
  ),
  template({ checked: { result_schema: { type: 'object', required: ['ok'] } } }, { name: 'checked' }),
  template(
    { told: { publishes_events: [{ name: 'told.it', description: 'd', schema: { type: 'object' } }] } },
    { name: 'told' },
  ),
];
const FACTS = { version: '1', environment: 'test', state: () => 'running' };
/** The lease is long, because workers send heartbeats only in the tests of heartbeats. */
const LEASE_MS = 600_000;

let tasker: Tasker;
let other: Tasker;
let sql: Sql;
let drop: () => Promise<void>;
let url: string;
const options = { logger: silentLogger, worker: false as const, poolSize: 6, leaseMs: LEASE_MS, pollMs: 200 };

beforeAll(async () => {
  const fresh = await emptyDatabase();
  ({ sql, drop, url } = fresh);
  tasker = await createTasker({ ...options, databaseUrl: fresh.url, templates: TEMPLATES });
  other = await createTasker({ ...options, databaseUrl: fresh.url });
});

afterAll(async () => {
  await Promise.all([tasker?.stop(), other?.stop()]);
  await drop?.();
});

const appOn = (on: Tasker) => restApp({ tasker: on, logger: silentLogger, facts: FACTS, security: UNSECURED });
const create = (name: string, context: Record<string, unknown> = {}) =>
  tasker.createTask<string, string, string>({ namespace: 'test', name, version: '1.0.0', context });

/** Registers a worker for some handlers, with its own server in this process. */
async function worker(...handlers: string[]): Promise<TestWorker> {
  const made = new TestWorker(askApp(asking(appOn(tasker))));
  expect((await made.register(handlers)).status).toBe(201);
  return made;
}

it('a step with inputs of its own is given with their values, and is not given if one of them fails', async () => {
  const on = await worker('first', 'given');
  const good = await create('mapped', { order: 7 });
  await on.complete(await on.step(), { made: 4 });
  const given = await on.step();
  expect(given).toMatchObject({ name: 'given', inputs: { twice: 8, of: 7 }, task: { context: { order: 7 } } });
  await on.complete(given);
  expect((await tasker.waitForTask(good.taskUuid)).status).toBe('complete');

  const bad = await create('mapped', { order: 8 });
  const first = await on.step();
  expect(first).not.toHaveProperty('inputs');
  await on.complete(first, {});
  expect((await on.claim()).body.steps).toEqual([]);
  expect((await tasker.waitForTask(bad.taskUuid)).status).toBe('blocked_by_failures');
  expect((await tasker.getStep(bad.taskUuid, 'given')).results?.error).toMatchObject({
    error_type: 'expression_failed',
    message: 'step given: inputs.twice: steps.first.made does not exist; test it first with has(steps.first.made)',
  });
});

it('the server evaluates conditions, skips steps, and ends tasks by steps of the type fail', async () => {
  const on = await worker('priced', 'large');
  const small = await create('routed');
  await on.complete(await on.step(), { cents: 100 });
  expect((await on.claim()).body.steps).toEqual([]);
  expect((await tasker.waitForTask(small.taskUuid)).status).toBe('complete');
  const states = (await tasker.getSteps(small.taskUuid)).map(({ currentState }) => currentState);
  expect(states).toEqual(['complete', 'skipped', 'skipped']);

  const large = await create('routed');
  await on.complete(await on.step(), { cents: 101 });
  await on.complete(await on.step());
  expect((await on.claim()).body.steps).toEqual([]);
  expect((await tasker.waitForTask(large.taskUuid)).status).toBe('error');
  expect((await tasker.why(large.taskUuid)).summary).toContain('too large: 101');
});

it('a join is given once its first parent completes, and the steps that it stops are named in a heartbeat', async () => {
  const on = await worker('fast', 'slow', 'first');
  const { taskUuid } = await create('race');
  const given = await on.steps();
  while (given.length < 2) given.push(...(await on.steps()));
  const [fast, slow] = ['fast', 'slow'].map((name) => given.find((step) => step.name === name)!);
  await on.complete(fast!, { made: 1 });
  expect((await on.beat([slow!])).body).toEqual({
    drain: false,
    stop: [{ step_uuid: slow!.step_uuid, fence: slow!.fence, reason: 'cancelled' }],
  });
  expect(await on.complete(slow!)).toMatchObject({ status: 409, body: { error: { code: 'STEP_TAKEN_AWAY' } } });
  const first = await on.step();
  expect(first).toMatchObject({ name: 'first', dependency_results: { fast: { result: { made: 1 } } } });
  await on.complete(first);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(await states(tasker, taskUuid)).toEqual({
    fast: 'complete',
    slow: 'cancelled',
    idle: 'skipped',
    first: 'complete',
  });
});

it('a worker runs the steps of a task over HTTP, and each step sees the results before it', async () => {
  const on = await worker('first', 'second');
  const { taskUuid } = await create('pair', { order: 7 });
  const first = await on.step();
  expect(first).toMatchObject({ name: 'first', task: { context: { order: 7 } }, retry_count: 0, checkpoint: null });
  expect(await on.complete(first, { made: 1 })).toEqual({
    status: 200,
    body: { step_uuid: first.step_uuid, outcome: 'completed', error_type: null },
  });
  const second = await on.step();
  expect(second.dependency_results).toEqual({ first: { success: true, result: { made: 1 }, error: null } });
  await on.complete(second);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  const [attempt] = await tasker.getHistory(taskUuid);
  expect(attempt).toMatchObject({ what: 'completed', who: 'py' });
});

it('a worker over HTTP gets the steps that a worker of the package has missed, once it registers their handler', async () => {
  const lacking = await createTasker({
    ...options,
    databaseUrl: url,
    worker: true,
    handlers: [defineHandler('unrelated', {}, () => ({}))],
    namespaces: ['test'],
    handlerMissingGraceMs: 100,
  });
  const { taskUuid } = await create('rolled_out');
  const rows = () => sql<{ callable: string }>(`select callable from tasker.missing_handler where state = 'withheld'`);
  await until(rows, (found) => found.some(({ callable }) => callable === 'rolled_out'));
  await lacking.stop();
  expect(await tasker.getStep(taskUuid, 'rolled_out')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
  const on = await worker('rolled_out');
  const step = await on.step();
  expect(step).toMatchObject({ name: 'rolled_out', retry_count: 0 });
  await on.complete(step);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
});

it('a repeated claim returns the same steps and fences, even concurrently', async () => {
  const on = await worker('lone');
  await Promise.all([create('lone'), create('lone'), create('lone')]);
  const request_id = ++on.requests;
  const again = () => on.claim({ request_id, slots: 2, wait_ms: 2000 });
  const answers = await Promise.all([again(), again(), again()]);
  const [one, two, three] = answers.map(({ body }) =>
    (body.steps as GivenStep[]).map((step) => [step.step_uuid, step.fence]).sort(),
  );
  expect(one).toHaveLength(2);
  expect([two, three]).toEqual([one, one]);
  const rest = await on.steps();
  expect(rest).toHaveLength(1);
  const steps = [...(answers[0]!.body.steps as GivenStep[]), ...rest];
  const reports = steps.map(({ step_uuid, fence }) => ({ action: 'complete', step_uuid, fence, result: { a: 1 } }));
  const { body } = await on.ask('steps/batch', { steps: reports });
  expect((body.steps as object[]).map((step) => (step as { outcome: string }).outcome)).toEqual(
    Array(3).fill('completed'),
  );
  expect((await on.ask('steps/batch', { steps: reports })).body).toEqual(body);
});

it('the first outcome under a fence is final, and later reports return that outcome', async () => {
  const on = await worker('lone');
  const { taskUuid } = await create('lone');
  const step = await on.step();
  const answer = await on.complete(step, { made: 1 });
  expect(await Promise.all([on.complete(step, { made: 2 }), on.fail(step), on.release(step)])).toEqual([
    answer,
    answer,
    answer,
  ]);
  expect(await on.checkpoint(step, 1)).toMatchObject({ status: 409, body: { error: { code: 'STEP_TAKEN_AWAY' } } });
  const task = await tasker.getSteps(taskUuid);
  expect(task[0]!.results).toMatchObject({ result: { made: 1 } });
});

it('a step runs again after a retryable failure but not after a permanent failure, and an invalid result fails it', async () => {
  const on = await worker('lone', 'checked');
  const { taskUuid } = await create('lone');
  const first = await on.step();
  const failed = await on.fail(first, { error_type: 'payment_error', retryable: true });
  expect(failed.body).toMatchObject({ outcome: 'failed', error_type: 'payment_error' });
  expect(await on.fail(first, { error_type: 'payment_error', retryable: true })).toEqual(failed);
  const second = await on.step();
  expect([second.step_uuid, second.retry_count]).toEqual([first.step_uuid, 1]);
  await on.fail(second, { retryable: false, message: 'never' });
  expect(await states(tasker, taskUuid)).toEqual({ lone: 'error' });
  await create('checked');
  expect((await on.complete(await on.step(), { no: 1 })).body).toMatchObject({
    outcome: 'failed',
    error_type: 'validation_error',
  });
});

it('the rules of a retry policy hold for the failures that a worker reports', async () => {
  const on = await worker('ruled');
  const { taskUuid } = await create('ruled');
  for (let n = 0; n < 4; n++) {
    const step = await on.step();
    expect(step.retry_count).toBe(n);
    await on.fail(step, { error_type: 'busy', retryable: true });
  }
  await on.fail(await on.step(), { error_type: 'declined', retryable: true });
  expect(await states(tasker, taskUuid)).toEqual({ ruled: 'error' });
});

it('a checkpoint outlives the attempt, and a repeated checkpoint is saved once', async () => {
  const on = await worker('lone');
  await create('lone');
  const step = await on.step();
  expect((await on.checkpoint(step, 5)).body).toMatchObject({ outcome: 'saved' });
  await on.checkpoint(step, 9);
  await on.checkpoint(step, 9);
  expect((await on.release(step)).body).toMatchObject({ outcome: 'released' });
  const again = await on.step();
  expect([again.retry_count, again.checkpoint]).toMatchObject([0, { cursor: 9, items_processed: 1 }]);
  expect(again.checkpoint!.history).toHaveLength(2);
  await on.complete(again);
});

it('a heartbeat names the steps of cancelled tasks, which are then rejected', async () => {
  const on = await worker('lone');
  const [gone, kept] = [await create('lone'), await create('lone')];
  const steps = await on.steps();
  await tasker.cancelTask(gone.taskUuid);
  const lost = steps.find((step) => step.task_uuid === gone.taskUuid)!;
  expect((await on.beat(steps)).body).toEqual({
    drain: false,
    stop: [{ step_uuid: lost.step_uuid, fence: lost.fence, reason: 'cancelled' }],
  });
  expect(await on.complete(lost)).toMatchObject({ status: 409, body: { error: { code: 'STEP_TAKEN_AWAY' } } });
  await on.complete(steps.find((step) => step.task_uuid === kept.taskUuid)!);
});

it('a worker over HTTP reports the slots that hung handlers hold, and they count as taken', async () => {
  const { taskUuid } = await create('lone');
  const on = await worker('lone');
  const step = await on.step();
  const numbers = async () => {
    const [queue] = await tasker.queues({ namespace: 'test' });
    const { running, hung } = (await tasker.listWorkers()).find(({ id }) => id === on.id)!;
    return { running, hung, slots: queue!.hungSlots };
  };
  await on.beat([step]);
  expect(await numbers()).toEqual({ running: 1, hung: null, slots: 0 });
  await tasker.cancelTask(taskUuid);
  expect((await on.beat([step])).body).toMatchObject({ stop: [{ reason: 'cancelled' }] });
  // The handler does not stop. The worker no longer lists its step.
  expect((await on.beat([], { hung: 1 })).status).toBe(200);
  expect(await numbers()).toEqual({ running: 1, hung: 1, slots: 1 });
  expect((await tasker.status()).workers).toMatchObject({ hungSlots: 1 });
  await on.beat([], { hung: 0 });
  expect(await numbers()).toEqual({ running: 0, hung: 0, slots: 0 });
  for (const hung of [-1, 1.5, '1', 10_001]) {
    expect((await on.beat([], { hung })).status, String(hung)).toBe(400);
  }
  await on.beat([], { phase: 'stopped' });
});

it('the server ends an attempt whose timeout expires, and a checkpoint restarts the timeout', async () => {
  const on = await worker('limited');
  const { taskUuid } = await create('limited');
  const step = await on.step();
  expect(step.timeout_ms).toBe(600_000);
  const due = async () =>
    (await sql<{ due_at: Date }>('select due_at from tasker.http_step where task_uuid = $1', [taskUuid]))[0];
  const before = await due();
  await on.checkpoint(step, 1);
  await expect.poll(async () => (await due())?.due_at.getTime()).toBeGreaterThan(before!.due_at.getTime());
  await sql('update tasker.http_step set due_at = now() where task_uuid = $1', [taskUuid]);
  await expect
    .poll(() => on.beat([step]).then(({ body }) => body.stop), { timeout: 20_000 })
    .toMatchObject([{ reason: 'timed_out' }]);
  expect((await on.complete(step)).body).toMatchObject({ outcome: 'failed', error_type: 'timeout' });
  const again = await on.step();
  expect(again.step_uuid).toBe(step.step_uuid);
  await on.complete(again);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
});

it('steps that a worker does not list in two heartbeats are lost: retried, or in error', async () => {
  const on = await worker('lone', 'once');
  const [again, error] = [await create('lone'), await create('once')];
  const steps = await on.steps({ slots: 2 });
  expect(steps).toHaveLength(2);
  await on.beat([]);
  await sql(
    "update tasker.http_step set missing_since = missing_since - interval '1 hour' where missing_since is not null",
  );
  expect(await states(tasker, again.taskUuid)).toEqual({ lone: 'in_progress' });
  await on.beat([]);
  expect(await states(tasker, error.taskUuid)).toEqual({ once: 'error' });
  const [entry] = await tasker.getHistory(error.taskUuid);
  expect(entry).toMatchObject({ what: 'worker_lost' });
  const second = await on.step();
  expect([second.task_uuid, second.retry_count]).toEqual([again.taskUuid, 1]);
  expect((await on.complete(steps.find(({ name }) => name === 'lone')!)).status).toBe(409);
  expect((await on.beat([...steps, second])).body.stop).toMatchObject([{ reason: 'lost' }, { reason: 'lost' }]);
  await on.complete(second);
});

it('another server can take over in the middle of a step', async () => {
  const on = await worker('first', 'second');
  const { taskUuid } = await create('pair');
  const request_id = ++on.requests;
  const claimed = await on.claim({ request_id, wait_ms: 5000 });
  const [step] = claimed.body.steps as GivenStep[];
  const before = on.ask;
  on.ask = askApp(asking(appOn(other)));
  expect(((await on.claim({ request_id })).body.steps as GivenStep[])[0]!.fence).toBe(step!.fence);
  expect((await on.beat([step!])).body).toEqual({ drain: false, stop: [] });
  await on.checkpoint(step!, 1);
  expect((await on.complete(step!, { made: 1 })).body).toMatchObject({ outcome: 'completed' });
  on.ask = before;
  expect((await on.complete(step!, { made: 1 })).body).toMatchObject({ outcome: 'completed' });
  const second = await on.step();
  expect(second.dependency_results).toMatchObject({ first: { result: { made: 1 } } });
  await on.complete(second);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
});

it('a worker whose lease expired is rejected, and its steps run elsewhere', async () => {
  const [on, next] = [await worker('lone'), await worker('lone')];
  await create('lone');
  const step = await on.step();
  // Declares the worker dead as a sweep does.
  await sql("update tasker.worker set state = 'dead' where id = $1", [on.id]);
  await next.beat([]);
  const again = await next.step();
  expect(again).toMatchObject({ step_uuid: step.step_uuid, retry_count: 1 });
  for (const answer of [await on.beat([step]), await on.claim()]) {
    expect(answer).toMatchObject({ status: 409, body: { error: { code: 'WORKER_LOST' } } });
  }
  expect((await on.complete(step)).status).toBe(409);
  const old = on.id;
  await on.register(['lone']);
  expect(on.id).not.toBe(old);
  await next.complete(again);
});

it('a repeated registration returns the same worker, and a worker that signs off leaves nothing behind', async () => {
  const on = await worker('lone');
  const { id } = on;
  await on.register(['lone']);
  expect(on.id).toBe(id);
  await create('lone');
  const step = await on.step();
  expect((await on.beat([], { phase: 'stopped' })).status).toBe(200);
  const next = await worker('lone');
  const again = await next.step();
  expect(again.step_uuid).toBe(step.step_uuid);
  await next.complete(again);
  await next.beat([], { phase: 'stopped' });
  await expect
    .poll(
      async () => (await sql<{ state: string }>('select state from tasker.worker where id = $1', [next.id]))[0]!.state,
    )
    .toMatch(/stopped|buried/);
});

it('timers, decisions and events need no other worker', async () => {
  const on = await worker('woken', 'ask', 'route', 'left', 'right', 'told');
  const nap = await create('nap');
  const woken = await on.step({ wait_ms: 5000 });
  expect(woken.name).toBe('woken');
  await on.complete(woken);
  expect((await tasker.waitForTask(nap.taskUuid)).status).toBe('complete');
  const fork = await create('fork');
  await on.complete(await on.step());
  await on.complete(await on.step(), { decision_point_outcome: { type: 'create_steps', step_names: ['right'] } });
  const right = await on.step();
  expect(right.name).toBe('right');
  await on.complete(right);
  expect((await tasker.waitForTask(fork.taskUuid)).status).toBe('complete');
  const { taskUuid } = await create('told');
  await on.complete(await on.step(), { told: true });
  const [event] = await sql('select 1 from tasker.domain_event where task_uuid = $1', [taskUuid]);
  expect(event).toBeDefined();
});

it('child tasks need no other worker', async () => {
  const on = await worker('given', 'billed');
  const { taskUuid } = await create('parent', { order: 'O-7' });
  const inner = await on.step({ wait_ms: 5000 });
  expect(inner.name).toBe('given');
  expect((await tasker.getTask(inner.task_uuid)).context).toEqual({ order: 'O-7' });
  await on.complete(inner, { made: 4 });
  const billed = await on.step({ wait_ms: 5000 });
  expect(billed).toMatchObject({ name: 'billed', task_uuid: taskUuid });
  await on.complete(billed);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect((await tasker.getStep(taskUuid, 'bill')).results?.result).toEqual({ twice: 8 });
});

it('a worker over HTTP gets the steps of elements with their inputs, and no step of a list', async () => {
  const on = await worker('given', 'billed');
  const { taskUuid } = await create('lines', { lines: ['a', 'b'] });
  const names: string[] = [];
  for (let i = 0; i < 4; i++) {
    const step = await on.step({ wait_ms: 5000 });
    names.push(step.name);
    const { inputs } = step as unknown as { inputs: { line: string; at: number; made: string } };
    await on.complete(step, { made: step.name.startsWith('given') ? `${inputs.line}${inputs.at}` : inputs.made });
  }
  expect(names.sort()).toEqual(['billed[0]', 'billed[1]', 'given[0]', 'given[1]']);
  // The request with which the server gets the step of the list again.
  expect((await on.claim()).body).toEqual({ steps: [], drain: false });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect((await tasker.getStep(taskUuid, 'each')).results?.result).toMatchObject({ outputs: ['a0', 'b1'] });
});

it('a worker gets only steps whose handlers it has, and waits if there are none', async () => {
  const on = await worker('second');
  const { taskUuid } = await create('pair');
  expect((await on.claim()).body).toEqual({ steps: [], drain: false });
  expect(await states(tasker, taskUuid)).toMatchObject({ first: 'enqueued' });
  const waiting = on.step();
  const first = await worker('first');
  await first.complete(await first.step());
  expect((await waiting).name).toBe('second');
  await on.complete(await waiting);
});

it('a credential sees only workers of its namespaces, and needs the permission', async () => {
  const app = restApp({ tasker, logger: silentLogger, facts: FACTS, security: SECURED });
  const key = async (name: string, more: object) =>
    (await createKey(tasker.engine.database, { name, ...more }, { actor: 'tests' })).key;
  const as = async (name: string, more: object) =>
    new TestWorker(askApp(asking(app), { 'x-api-key': await key(name, more) }));
  const own = await as('own', { permissions: ['steps:work'], namespaces: ['test'] });
  const foreign = await as('foreign', { permissions: ['steps:work'], namespaces: ['other'] });
  const operator = await as('operator', { roles: ['operator'] });
  expect((await operator.register(['lone'])).status).toBe(403);
  expect((await foreign.register(['lone'])).status).toBe(404);
  await own.register(['lone']);
  await foreign.register(['lone'], { namespaces: ['other'] });
  await create('lone');
  expect((await foreign.claim()).body).toEqual({ steps: [], drain: false });
  expect((await foreign.claim({ namespaces: ['test'] })).status).toBe(400);
  const step = await own.step();
  for (const act of ['complete', 'fail', 'release'] as const) expect((await foreign[act](step)).status).toBe(409);
  expect((await foreign.claim({ worker_id: own.id })).status).toBe(404);
  expect((await foreign.ask(`workers/${own.id}/heartbeat`, { steps: [] })).status).toBe(404);
  // With its own fences, a worker cannot access steps of another worker.
  const [, ...rest] = step.fence.split('.');
  const forged = { ...step, fence: [foreign.id * 2 ** 24 + 1, ...rest].join('.') };
  expect((await foreign.complete(forged)).status).toBe(409);
  expect((await own.complete(step)).body).toMatchObject({ outcome: 'completed' });
});

it('invalid requests are rejected with the place of the mistake', async () => {
  const on = await worker('lone');
  const said = async (answer: Promise<{ status: number; body: object }>) => {
    const { status, body } = await answer;
    return [status, (body as { error: { message: string } }).error.message];
  };
  expect(await said(on.register(['~/x/']))).toEqual([400, expect.stringContaining('must not begin with ~')]);
  expect(await said(on.register(['lone'], { protocol: 2 }))).toEqual([400, expect.stringContaining('uses version 1')]);
  expect(await said(on.ask('steps/claim', { worker_id: 999_999, request_id: 1, slots: 1 }))).toEqual([
    404,
    expect.stringContaining('HTTP worker 999999 not found; register it first'),
  ]);
  await on.register(['lone']);
  expect(await said(on.claim({ request_id: 2 ** 24 }))).toEqual([400, expect.stringContaining('request_id')]);
  expect(await said(on.claim({ handlers: ['x'] }))).toEqual([400, expect.stringContaining('did not register x')]);
  const step = { step_uuid: '019b0000-0000-7000-8000-000000000000', fence: 'x' } as GivenStep;
  expect(await said(on.complete(step))).toEqual([400, expect.stringContaining('fence')]);
});

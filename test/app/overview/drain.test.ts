import { expect, it } from 'vitest';
import { WorkerHealth } from '../../../src/app/server/worker-health.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { OF_THIS_DATABASE, openSession } from '../../support/database.ts';
import { deferred, endStates, states, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = (name: string) => defineHandler(name, {}, () => ({ ok: true }));

/** A task whose first step runs until `goOn` is resolved, on a worker named `drained`. */
async function scene(more: object = {}) {
  const goOn = deferred();
  const begun = deferred();
  const first = defineHandler('first', {}, async () => {
    begun.resolve();
    await goOn.promise;
    return {};
  });
  const { tasker, demo, another } = await shared.setup({ first: [], second: ['first'] }, { worker: false });
  const name = `w ${demo.namespace}`;
  const worker = await another({ worker: true, handlers: [first, ok('second')], name, ...more });
  const task = await tasker.createTask(demo);
  await begun.promise;
  return { tasker, demo, another, worker, task, name, goOn };
}

it('a draining worker finishes its running steps, but claims neither their children nor other steps', async () => {
  const { tasker, demo, worker, task, name, goOn, another } = await scene();
  const waits: number[] = [];
  const draining = tasker.drainWorker(name, {
    wait: true,
    timeoutMs: 30_000,
    actor: 'ada',
    reason: 'new kernel 🐧',
    onProgress: ({ running }) => waits.push(running),
  });
  await until(
    () => worker.stats!.phase,
    (phase) => phase === 'draining',
  );
  const later = await tasker.createTask(demo);
  expect(await tasker.listWorkers({ namespace: demo.namespace })).toMatchObject([
    { state: 'draining', drain: { by: 'ada', reason: 'new kernel 🐧' } },
  ]);
  goOn.resolve();
  expect(await draining).toMatchObject({
    worker: { state: 'drained', running: 0 },
    changed: true,
    left: [demo.namespace],
  });
  expect(worker.stats!.phase).toBe('drained');
  expect(await new WorkerHealth(worker).readiness()).toMatchObject({
    database: { status: 'healthy' },
    command_processor: {
      status: 'degraded',
      message: 'the worker is drained: it takes no steps until an operator resumes it',
    },
  });
  expect(await states(tasker, task.taskUuid)).toEqual({ first: 'complete', second: 'enqueued' });
  expect(await states(tasker, later.taskUuid)).toMatchObject({ first: 'enqueued' });
  expect((await tasker.why(later.taskUuid)).steps[0]!.why).toBe(
    `is ready; ${name} has handler first, but takes no steps while draining: resume it, or start another worker`,
  );
  // Another worker claims both.
  await another({ worker: true, handlers: [ok('first'), ok('second')], name: 'second worker' });
  expect(await endStates(tasker, [task, later])).toEqual(['complete']);
  expect((await tasker.getSteps(task.taskUuid)).map((step) => step.worker)).toEqual([name, 'second worker']);
  expect(
    await shared.sql(
      `select action, target, from_state, to_state, actor, reason, door from tasker.operator_action where target = $1`,
      [`worker ${name}`],
    ),
  ).toEqual([
    {
      action: 'drain',
      target: `worker ${name}`,
      from_state: 'running',
      to_state: 'draining',
      actor: 'ada',
      reason: 'new kernel 🐧',
      door: 'library',
    },
  ]);
});

it('a drained worker claims the ready steps as soon as it is resumed', async () => {
  const { tasker, demo, name, goOn, task } = await scene();
  goOn.resolve();
  await endStates(tasker, [task]);
  await tasker.drainWorker(name, { wait: true, timeoutMs: 30_000 });
  const waiting = await tasker.createTask(demo);
  expect(await tasker.resumeWorker(name, { actor: 'ada' })).toMatchObject({ changed: true });
  expect(await endStates(tasker, [waiting])).toEqual(['complete']);
  expect(await tasker.resumeWorker(name)).toMatchObject({ changed: false, worker: { state: 'running', drain: null } });
  const acts = await shared.sql(`select action from tasker.operator_action where target = $1 order by id`, [
    `worker ${name}`,
  ]);
  expect(acts.map(({ action }) => action)).toEqual(['drain', 'resume']);
});

it('a second drain request changes nothing and is not recorded in the audit', async () => {
  const { tasker, name, goOn } = await scene();
  expect(await tasker.drainWorker(name, { actor: 'ada' })).toMatchObject({ changed: true });
  expect(await tasker.drainWorker(name, { actor: 'bob' })).toMatchObject({
    changed: false,
    worker: { drain: { by: 'ada', reason: null } },
  });
  const [{ acts }] = (await shared.sql(`select count(*)::int acts from tasker.operator_action where target = $1`, [
    `worker ${name}`,
  ])) as [{ acts: number }];
  expect(acts).toBe(1);
  goOn.resolve();
});

it('a worker whose notifications are lost receives a drain request with its next heartbeat', async () => {
  const { tasker, worker, goOn } = await scene({ leaseMs: 3_000 });
  const { workerId } = worker.stats!;
  await shared.sql(`update tasker.worker set drain_at = now(), drain_by = 'psql' where id = $1`, [workerId]);
  await until(
    () => worker.stats!.phase,
    (phase) => phase === 'draining',
  );
  goOn.resolve();
  await until(
    async () => (await tasker.getWorker(workerId)).state,
    (state) => state === 'drained',
  );
});

it('a worker that lost its lease keeps draining when it registers again', async () => {
  const { tasker, demo, worker, goOn, name, task } = await scene({ leaseMs: 3_000 });
  const before = worker.stats!.workerId;
  // The worker is asked to drain, and declared dead before its next heartbeat.
  await shared.sql(`update tasker.worker set drain_at = now(), drain_by = 'psql', state = 'dead' where id = $1`, [
    before,
  ]);
  goOn.resolve();
  await until(
    () => worker.stats!.phase,
    (phase) => phase === 'drained',
  );
  expect(worker.stats!.workerId).not.toBe(before);
  const waiting = await tasker.createTask(demo);
  expect(await tasker.getWorker(name)).toMatchObject({ state: 'drained', drain: { by: 'psql' } });
  expect(await states(tasker, waiting.taskUuid)).toMatchObject({ first: 'enqueued' });
  await tasker.resumeWorker(name);
  expect(await endStates(tasker, [waiting, task])).toEqual(['complete']);
});

it('a worker keeps draining if the wait for its drain times out or is aborted', async () => {
  const { tasker, worker, name, goOn } = await scene();
  await expect(tasker.drainWorker(name, { wait: true, timeoutMs: 50 })).rejects.toMatchObject({
    code: 'timeout',
    message: `worker ${name} still holds steps after 50 ms; it keeps draining`,
  });
  const signal = AbortSignal.timeout(50);
  await expect(tasker.drainWorker(name, { wait: true, signal })).rejects.toThrow();
  expect((await tasker.getWorker(name)).state).toBe('draining');
  goOn.resolve();
  await until(
    () => worker.stats!.phase,
    (phase) => phase === 'drained',
  );
});

it('a step that waits for a missing handler is released when its worker drains', async () => {
  const { tasker, demo, another } = await shared.setup({ a: { handler: 'nowhere' } }, { worker: false });
  const worker = await another({ worker: true, handlers: [ok('b')], handlerMissingGraceMs: 60_000, name: 'lacking' });
  const { taskUuid } = await tasker.createTask(demo);
  await until(
    () => states(tasker, taskUuid),
    ({ a }) => a === 'in_progress',
  );
  await tasker.drainWorker(worker.stats!.workerId, { wait: true, timeoutMs: 30_000 });
  expect(await tasker.getSteps(taskUuid)).toMatchObject([{ currentState: 'enqueued', attempts: 0 }]);
});

it('a step without a handler is released if its claim completes during a drain', async () => {
  const { tasker, demo, another } = await shared.setup({ a: { handler: 'nowhere' } }, { worker: false });
  const { taskUuid } = await tasker.createTask(demo);
  // The claim waits for this lock.
  const session = await openSession(shared.url);
  await session.query('begin');
  await session.query('lock table tasker.step in exclusive mode');
  const worker = await another({ worker: true, handlers: [ok('b')], handlerMissingGraceMs: 60_000, name: 'claiming' });
  const waiting = `select count(*)::int n from pg_locks where not granted and relation = 'tasker.step'::regclass and ${OF_THIS_DATABASE}`;
  await until(
    async () => (await session.query<{ n: number }>(waiting)).rows[0]!.n,
    (n) => n > 0,
  );
  const drained = tasker.drainWorker(worker.stats!.workerId, { wait: true, timeoutMs: 30_000 });
  await until(
    () => worker.stats!.phase,
    (phase) => phase === 'draining',
  );
  await session.query('commit');
  await drained;
  expect(await tasker.getSteps(taskUuid)).toMatchObject([{ currentState: 'enqueued', attempts: 0 }]);
});

it('a stopping worker is shown as draining, and rejects a drain request once it has stopped', async () => {
  const { tasker, worker, goOn, name } = await scene();
  const stopping = worker.stop({ drainTimeoutMs: 20_000 });
  await until(
    () => worker.stats!.phase,
    (phase) => phase === 'draining',
  );
  goOn.resolve();
  await stopping;
  await expect(tasker.drainWorker(name)).rejects.toMatchObject({
    code: 'illegal_transition',
    message: `worker ${name} has stopped; it takes no steps`,
  });
});

it('a drain request to a lost worker or an unknown worker is rejected', async () => {
  const { tasker } = await shared.setup({ a: [] }, { worker: false });
  await shared.sql(
    `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
     values ('gone', 'h', 1, '{}', '{}', 3, now() - interval '1 minute')`,
  );
  await expect(tasker.drainWorker('gone')).rejects.toMatchObject({
    code: 'illegal_transition',
    message: 'worker gone was lost: its lease has expired; it takes no steps',
  });
  await expect(tasker.drainWorker('gnoe')).rejects.toMatchObject({ code: 'worker_not_found' });
  await expect(tasker.drainWorker('gone', { timeoutMs: Number.NaN })).rejects.toMatchObject({ code: 'bad_request' });
  await expect(tasker.drainWorker('gone', { actor: 5 as never })).rejects.toMatchObject({ code: 'bad_request' });
});

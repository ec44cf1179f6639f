import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { deferred, endStates, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = (name: string) => defineHandler(name, {}, () => ({ ok: true }));

it('the queue of a namespace without workers shows the age and priority of its ready steps, and counts them as unserved', async () => {
  const { tasker, demo } = await shared.setup({ a: [], b: [], c: ['a'] }, { worker: false });
  const { namespace } = demo;
  await tasker.createTask({ ...demo, priority: -3 });
  await tasker.createTask({ ...demo, priority: 7 });
  await shared.sql(
    `update tasker.task set created_at = now() - interval '1 hour' where rank = 3 and template_id in (
       select m.id from tasker.template m join tasker.namespace n on n.id = m.namespace_id where n.name = $1)`,
    [namespace],
  );
  // The flow of a database is known for its first eleven minutes, and a long run of the suite takes longer.
  await shared.sql('update tasker.analytics_state set since = now(), counted_at = now()');
  const [queue] = await tasker.queues({ namespace });
  expect(queue).toEqual({
    namespace,
    ready: 4,
    readyIsExact: true,
    paused: 0,
    highestPriority: 7,
    oldestReadyAt: expect.stringMatching(/^\d{4}-.*Z$/),
    oldestReadyMs: expect.any(Number),
    running: 0,
    retries: 0,
    nextRetryAt: null,
    nextRetryMs: null,
    workers: [],
    draining: [],
    lost: [],
    slots: 0,
    slotsTaken: 0,
    hungSlots: 0,
    approvals: 0,
    failingSchedules: 0,
    stale: 0,
    deadDeliveries: 0,
    lateTimers: 0,
    lateSchedules: 0,
    atLeast: [],
    inPerMinute: expect.any(Number),
    outPerMinute: 0,
    isGrowing: expect.any(Boolean),
    flowSince: expect.any(String),
    readyByMinute: expect.any(Array),
    unserved: [
      { handler: 'a', reason: 'no_worker', steps: 2, templates: ['demo@1.0.0'], since: expect.any(String) },
      { handler: 'b', reason: 'no_worker', steps: 2, templates: ['demo@1.0.0'], since: expect.any(String) },
    ],
    unservedSteps: 4,
  });
  expect(queue!.oldestReadyMs).toBeGreaterThan(3_599_000);
  expect(queue!.oldestReadyMs).toBeLessThan(3_700_000);
});

it('the queue of a namespace shows running steps, waiting retries and workers', async () => {
  const goOn = deferred();
  const busy = defineHandler('busy', {}, async () => {
    await goOn.promise;
    return {};
  });
  const later = defineHandler('later', {}, () => {
    throw new RetryableError('busy', { retryAfter: 3_600 });
  });
  const { tasker, demo } = await shared.setup(
    { busy: [], later: [] },
    { handlers: [busy, later], name: 'w1', concurrency: 5 },
  );
  const task = await tasker.createTask(demo);
  const { namespace } = demo;
  const [queue] = await until(
    () => tasker.queues({ namespace }),
    ([seen]) => seen?.running === 1 && seen.retries === 1,
  );
  expect(queue).toMatchObject({ ready: 0, workers: ['w1'], slots: 5, unserved: [], oldestReadyAt: null });
  expect(queue!.nextRetryMs).toBeGreaterThan(3_500_000);
  expect(queue!.nextRetryMs).toBeLessThanOrEqual(3_600_000);
  goOn.resolve();
  await tasker.cancelTask(task.taskUuid);
});

it('ready steps are counted as unserved by handler if no live worker has the handler, or only a draining one', async () => {
  const { tasker, demo, another } = await shared.setup(
    { a: [], b: [], c: [], d: { handler: { callable: 'd', resolver: 'plugins' } } },
    { worker: false },
  );
  const { namespace } = demo;
  const worker = await another({ worker: true, handlers: [ok('c')], name: 'only c', concurrency: 1 });
  await tasker.drainWorker('only c', { wait: true });
  // A worker of another process announces handlers, but claims nothing.
  await shared.sql(
    `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
     values ('only a', 'h', 1, array[$1], array['~/^a$/'], 3, now() + interval '1 minute')`,
    [namespace],
  );
  await tasker.createTasks([demo, demo]);
  const [queue] = await tasker.queues({ namespace });
  const templates = ['demo@1.0.0'];
  const since = expect.any(String) as string;
  expect(queue!.unserved).toEqual(
    expect.arrayContaining([
      { handler: 'b', reason: 'no_handler', steps: 2, templates, since },
      { handler: 'c', reason: 'draining', steps: 2, templates, since },
      { handler: 'd', reason: 'no_handler', steps: 2, templates, since },
    ]),
  );
  expect(queue).toMatchObject({ ready: 8, unservedSteps: 6, workers: ['only a'], draining: ['only c'], slots: 3 });
  // A worker with the resolver that a step names serves only this step.
  await shared.sql(`update tasker.worker set callables = array['~@plugins'] where name = 'only a'`);
  const [again] = await tasker.queues({ namespace });
  expect(again!.unserved.map(({ handler }) => handler).sort()).toEqual(['a', 'b', 'c']);
  await worker.stop();
});

it('the age of a step is measured from the end of its last parent or attempt, the due time of its retry, or its reset', async () => {
  const fails = deferred();
  const flaky = defineHandler('flaky', { inputs: { again: 'again' } }, ({ again }) => {
    fails.resolve();
    throw new RetryableError('busy', { retryAfter: again ? 3_600 : 0 });
  });
  const { tasker, demo, another } = await shared.setup(
    { first: [], second: ['first'], flaky: { retry: { max_attempts: 1 } } },
    { worker: false },
  );
  const { namespace } = demo;
  const worker = await another({ worker: true, handlers: [ok('first'), flaky], handlerMissingGraceMs: 60_000 });
  const task = await tasker.createTask(demo);
  await until(
    () => tasker.getSteps(task.taskUuid),
    (steps) => steps[0]!.currentState === 'complete' && steps[2]!.currentState === 'error',
  );
  await worker.stop({ drainTimeoutMs: 100 });
  const age = async () => (await tasker.queues({ namespace }))[0]!.oldestReadyMs;
  const back = (hours: number) => `now() - interval '${hours} hours'`;
  await shared.sql(`update tasker.task set created_at = ${back(9)} where task_uuid = $1`, [task.taskUuid]);
  await shared.sql(
    `update tasker.step set started_at = ${back(8)}, done_at = ${back(7)} where task_uuid = $1 and idx in (0, 2)`,
    [task.taskUuid],
  );
  await shared.sql(`update tasker.step set done_at = null where task_uuid = $1 and idx = 1`, [task.taskUuid]);
  expect(Math.round((await age())! / 3_600_000)).toBe(7);
  await shared.sql(`update tasker.step set done_at = ${back(5)} where task_uuid = $1 and idx = 1`, [task.taskUuid]);
  expect(Math.round((await age())! / 3_600_000)).toBe(5);
  await shared.sql(`update tasker.step set next_at = ${back(4)} where task_uuid = $1 and idx = 1`, [task.taskUuid]);
  expect(Math.round((await age())! / 3_600_000)).toBe(4);
  await tasker.resolveStep(task.taskUuid, 'second');
  await tasker.retryStep(task.taskUuid, 'flaky');
  expect(await age()).toBeLessThan(60_000);
});

it('cancelled steps of a namespace without a worker are neither counted nor estimated as ready', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  const { namespace } = demo;
  const [old] = await tasker.createTasks([demo, demo]);
  await shared.sql(`update tasker.task set created_at = now() - interval '1 day' where task_uuid = $1`, [
    old!.taskUuid,
  ]);
  await tasker.cancelTask(old!.taskUuid);
  const [queue] = await tasker.queues({ namespace });
  expect(queue).toMatchObject({ ready: 1, unservedSteps: 1 });
  expect(queue!.oldestReadyMs).toBeLessThan(60_000);
  // With many steps, their number is estimated from a sample.
  for (let i = 0; i < 12; i++) await tasker.createTasks(Array.from({ length: 1_000 }, () => demo));
  const [many] = await tasker.queues({ namespace });
  expect(many!.unservedSteps).toBeGreaterThan(11_900);
  expect(many!.unservedSteps).toBeLessThanOrEqual(12_002);
  await shared.sql(
    `update tasker.step s set state = 'cancelled' from tasker.task t join tasker.template m on m.id = t.template_id
       join tasker.namespace n on n.id = m.namespace_id and n.name = $1 where t.task_uuid = s.task_uuid`,
    [namespace],
  );
  expect(await tasker.queues({ namespace })).toMatchObject([{ ready: 0, unserved: [], oldestReadyAt: null }]);
});

it('`queues` lists every namespace, including empty ones, and rejects an unknown namespace with similar names', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [] }, { handlers: [ok('a')] });
  await another({ templates: [], handlers: [ok('a')], namespaces: ['served_without_template'] });
  expect(await endStates(tasker, [await tasker.createTask(demo)])).toEqual(['complete']);
  const queues = await tasker.queues();
  expect(queues.map(({ namespace }) => namespace)).toContain(demo.namespace);
  expect(queues.map(({ namespace }) => namespace)).toEqual(queues.map(({ namespace }) => namespace).sort());
  expect(queues.find(({ namespace }) => namespace === demo.namespace)).toMatchObject({
    ready: 0,
    highestPriority: null,
  });
  await expect(tasker.queues({ namespace: `${demo.namespace}x` })).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining(`did you mean ${demo.namespace}`),
  });
});

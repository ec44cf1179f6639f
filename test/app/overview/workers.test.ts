import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { packageVersion } from '../../../src/config/package-version.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = (name: string) => defineHandler(name, {}, () => ({ ok: true }));

it('a worker is listed with its process, its namespaces, its handlers, and the steps of templates whose handler is missing', async () => {
  const { tasker, demo } = await shared.setup(
    { a: [], b: ['a'], c: { handler: 'mail' } },
    { handlers: [ok('a'), ok('z')], name: 'lister', concurrency: 7 },
  );
  const { namespace } = demo;
  const missing = { namespace, template: 'demo', version: '1.0.0' };
  expect(await tasker.listWorkers({ namespace })).toEqual([
    {
      id: tasker.stats!.workerId,
      name: 'lister',
      host: hostname(),
      pid: process.pid,
      version: packageVersion(),
      state: 'running',
      drain: null,
      namespaces: [namespace],
      handlers: ['a', 'z'],
      resolvers: [],
      missingHandlers: [
        { ...missing, step: 'b', handler: 'b' },
        { ...missing, step: 'c', handler: 'mail' },
      ],
      concurrency: 7,
      running: expect.any(Number),
      oldestStepAt: null,
      oldestStepMs: null,
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      seenAt: expect.stringMatching(/^\d{4}-.*Z$/),
      silentMs: expect.any(Number),
      endedAt: null,
      completed: null,
      failed: null,
      completedPerSecond: null,
      failedPerSecond: null,
      loopLagMs: null,
      hung: null,
    },
  ]);
});

it('a handler that only another worker of the namespace has is not missing', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [], b: ['a'] }, { handlers: [ok('a')], name: 'half' });
  await another({ handlers: [ok('b')], name: 'other half' });
  const workers = await tasker.listWorkers({ namespace: demo.namespace });
  expect(workers.map(({ name, missingHandlers }) => [name, missingHandlers])).toEqual([
    ['half', []],
    ['other half', []],
  ]);
});

it('the heartbeats of a worker report taken slots, recorded attempts with their rates, and the lag of its event loop', async () => {
  const goOn = deferred();
  const { tasker, demo, another } = await shared.setup(
    { a: [] },
    {
      handlers: [
        defineHandler('a', { inputs: { mood: 'mood' } }, async ({ mood }) => {
          if (mood === 'bad') throw new PermanentError('no');
          if (mood === 'slow') await goOn.promise;
          if (mood === 'block') for (const end = performance.now() + 300; performance.now() < end; );
          return {};
        }),
      ],
      leaseMs: 9_000,
      concurrency: 5,
    },
  );
  const watcher = await another({ worker: false });
  const create = (mood: string) => tasker.createTask({ ...demo, context: { mood } });
  await Promise.all(['good', 'good', 'bad', 'slow', 'block'].map(create));
  const seen = await until(
    async () => (await watcher.listWorkers({ namespace: demo.namespace }))[0]!,
    ({ completed, failed, running, oldestStepMs }) =>
      completed === 3 && failed === 1 && running === 1 && oldestStepMs !== null,
  );
  expect(seen.completedPerSecond).toBeGreaterThan(0);
  expect(seen.failedPerSecond).toBeGreaterThan(0);
  expect(seen.completedPerSecond).toBeGreaterThan(seen.failedPerSecond!);
  expect(seen.silentMs).toBeLessThan(9_000);
  const { steps } = await watcher.getWorker(seen.id);
  expect(steps).toEqual([
    {
      taskUuid: expect.any(String),
      step: 'a',
      namespace: demo.namespace,
      template: 'demo',
      version: '1.0.0',
      handler: 'a',
      attempt: 1,
      startedAt: seen.oldestStepAt,
      ageMs: expect.any(Number),
    },
  ]);
  expect(steps[0]!.ageMs).toBeGreaterThanOrEqual(seen.oldestStepMs!);
  goOn.resolve();
  await until(
    async () => (await watcher.listWorkers({ namespace: demo.namespace }))[0]!,
    ({ running, oldestStepAt }) => running === 0 && oldestStepAt === null,
  );
});

it('a blocked event loop is shown while it is blocked', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [] }, { worker: false });
  const worker = await another({ worker: true, handlers: [ok('a')], leaseMs: 2_400, blockedLoopBoundMs: 60_000 });
  // Blocks this process for longer than its heartbeat thread waits, so that the thread sends the report.
  await until(
    () => worker.stats!.workerId,
    (id) => id > 0,
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  const blocked = async () => {
    for (const end = performance.now() + 3_500; performance.now() < end; );
    return (await tasker.listWorkers({ namespace: demo.namespace }))[0]!;
  };
  // On a busy machine, the thread may not run during the first block.
  const seen = await until(blocked, ({ loopLagMs }) => loopLagMs !== null && loopLagMs > 300);
  expect(seen.state).toBe('running');
});

it('stopped and lost workers are listed for a while, and a lost worker is listed with the steps that it holds', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [] }, { worker: false });
  const { namespace } = demo;
  const ends = await another({ worker: true, handlers: [ok('zzz')], name: 'ends' });
  await ends.stop();
  await tasker.createTask(demo);
  // Registered and driven by hand, because a running worker would search for lost workers and find itself.
  const identity = { name: 'hangs', host: 'h', pid: 1, namespaces: [namespace], callables: ['a'], concurrency: 5 };
  const { engine } = tasker;
  const workerId = await engine.registerWorker({ ...identity, leaseMs: 60_000 });
  const namespaceIds = await engine.namespaceIds([namespace]);
  const claim = { limit: 1, token: workerId * 2 ** 24 + 1, workerId, namespaceIds, excluded: [] };
  expect((await engine.claim(claim)).steps).toHaveLength(1);
  await shared.sql(`update tasker.worker set lease_until = now() - interval '2 minutes' where name = 'hangs'`);
  const seen = await until(
    () => tasker.listWorkers({ namespace }),
    ([, hangs]) => hangs?.running === 1,
  );
  expect(
    seen.map(({ name, state, running, completedPerSecond }) => [name, state, running, completedPerSecond]),
  ).toEqual([
    ['ends', 'stopped', 0, null],
    ['hangs', 'lost', 1, null],
  ]);
  expect(seen.every(({ endedAt }) => endedAt !== null)).toBe(true);
  expect((await tasker.listWorkers({ namespace, state: 'stopped' })).map(({ name }) => name)).toEqual(['ends']);
  expect((await tasker.listWorkers({ namespace, endedWithinMs: 0 })).map(({ name }) => name)).toEqual(['hangs']);
  expect(await tasker.getWorker('ends')).toMatchObject({ state: 'stopped', steps: [] });
});

it('a worker that registered again is listed once', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [] }, { worker: false });
  const worker = await another({ worker: true, handlers: [ok('a')], name: 'twice', leaseMs: 3_000 });
  const before = worker.stats!.workerId;
  await shared.sql(`update tasker.worker set state = 'dead' where id = $1`, [before]);
  await until(
    () => worker.stats!.workerId,
    (id) => id !== before,
  );
  const workers = await tasker.listWorkers({ namespace: demo.namespace });
  expect(workers.map(({ id, name, state }) => [id, name, state])).toEqual([
    [worker.stats!.workerId, 'twice', 'running'],
  ]);
  expect(await tasker.getWorker(before)).toMatchObject({ id: worker.stats!.workerId });
});

it('a worker that has sent no heartbeat is listed with the values in its row', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  await shared.sql(
    `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
     values ('old', 'h', 1, array[$1], array['~/^mail/', '~@plugins', 'a'], 3, now() + interval '1 minute')`,
    [demo.namespace],
  );
  expect(await tasker.listWorkers({ namespace: demo.namespace })).toMatchObject([
    {
      name: 'old',
      version: null,
      state: 'running',
      seenAt: null,
      running: 0,
      handlers: ['a'],
      resolvers: ['/^mail/', '@plugins'],
    },
  ]);
});

it('an unknown name, a name of two live workers, and invalid options are rejected', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [] }, { handlers: [ok('a')], name: 'double' });
  await another({ name: 'double' });
  const { namespace } = demo;
  await expect(tasker.getWorker('doubel')).rejects.toMatchObject({
    code: 'worker_not_found',
    message: 'worker doubel not found; did you mean double?',
  });
  await expect(tasker.getWorker('double')).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringMatching(/^2 live workers are named double; pass the id of one: \d+ \(/),
  });
  await expect(tasker.getWorker('')).rejects.toMatchObject({ code: 'bad_request' });
  await expect(tasker.getWorker(null as never)).rejects.toMatchObject({ code: 'bad_request' });
  await expect(tasker.listWorkers({ namespace, state: 'dead' as never })).rejects.toMatchObject({
    code: 'bad_request',
  });
  await expect(tasker.listWorkers({ endedWithinMs: Number.NaN })).rejects.toMatchObject({ code: 'bad_request' });
});

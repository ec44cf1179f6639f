import { expect, it, onTestFinished } from 'vitest';
import {
  defineHandler,
  EventBridge,
  EventNames,
  EventPoller,
  getFfiLayer,
  getMetrics,
  StepExecutionSubscriber,
} from '../../../src/index.ts';
import { setupBridge } from '../../support/bridge.ts';
import { deferred, invariants, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const STEPS = process.env.PROVE ? 20_000 : 2_000;

it(`each of ${STEPS} steps runs exactly once, and at most ten run at a time`, async () => {
  const runs = new Map<string, number>();
  let now = 0;
  let most = 0;
  const handler = (name: string) =>
    defineHandler(name, {}, async ({ context }) => {
      most = Math.max(most, ++now);
      runs.set(context.stepUuid, (runs.get(context.stepUuid) ?? 0) + 1);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return { name };
    });
  const names = ['a', 'b', 'c', 'd'];
  const { tasker, demo, bridge } = await setupBridge(
    shared,
    { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] },
    { handlers: Object.fromEntries(names.map((name) => [name, handler(name)])), maxConcurrent: 10 },
  );
  const received = new Map<string, number>();
  bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, ({ stepUuid }) => {
    received.set(stepUuid, (received.get(stepUuid) ?? 0) + 1);
  });
  const tasks: string[] = [];
  while (tasks.length < STEPS / 4) {
    const requests = Array.from({ length: Math.min(500, STEPS / 4 - tasks.length) }, () => demo);
    tasks.push(...(await tasker.createTasks(requests)).map(({ taskUuid }) => taskUuid));
  }
  for (const taskUuid of tasks)
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 240_000 })).status).toBe('complete');
  expect(runs.size).toBe(STEPS);
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
  expect([...received.values()].every((count) => count === 1)).toBe(true);
  expect(most).toBeLessThanOrEqual(10);
  await invariants(shared.sql);
}, 300_000);

it('a handler whose task is cancelled is aborted, and keeps its slot until it settles', async () => {
  const begun = deferred();
  const aborted = deferred();
  const resume = deferred();
  const { create, tasker } = await setupBridge(
    shared,
    { a: [] },
    {
      handlers: {
        a: defineHandler('a', {}, async ({ context }) => {
          context.signal.addEventListener('abort', () => aborted.resolve());
          begun.resolve();
          await resume.promise;
          return {};
        }),
      },
    },
  );
  const { taskUuid } = await create();
  await begun.promise;
  await tasker.cancelTask(taskUuid);
  await aborted.promise;
  expect(getMetrics().running).toBe(1);
  resume.resolve();
  await until(getMetrics, ({ running }) => running === 0);
  expect((await tasker.getSteps(taskUuid))[0]?.currentState).toBe('cancelled');
});

it('a step without a handler waits and runs when the handler is registered', async () => {
  const { create, tasker, registry } = await setupBridge(shared, { late: [] });
  const { taskUuid } = await create();
  await until(
    async () => (await tasker.why(taskUuid)).steps[0]?.state,
    (state) => state === 'in_progress' || state === 'enqueued',
  );
  registry.register(
    'late',
    defineHandler('late', {}, () => ({ found: true })),
  );
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
});

it('two subscribers share the steps, each of which runs once', async () => {
  const { StepExecutionSubscriber } = await import('../../../src/index.ts');
  const by = new Map<string, number>();
  const { bridge, registry, tasker, demo } = await setupBridge(
    shared,
    { a: [] },
    {
      maxConcurrent: 2,
      workerId: 'one',
      handlers: {
        a: defineHandler('a', {}, async ({ context }) => {
          by.set(context.stepUuid, (by.get(context.stepUuid) ?? 0) + 1);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }),
      },
    },
  );
  const other = new StepExecutionSubscriber({
    eventBridge: bridge,
    handlerRegistry: registry,
    workerId: 'two',
    maxConcurrent: 2,
  });
  other.start();
  onTestFinished(() => other.stop({ drainTimeoutMs: 100 }));
  const created = await tasker.createTasks(Array.from({ length: 40 }, () => demo));
  const ran = new Set<string | null | undefined>();
  for (const { taskUuid } of created) {
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
    ran.add((await tasker.getSteps(taskUuid))[0]?.results?.metadata.worker_id);
  }
  expect([...by.values()].every((count) => count === 1)).toBe(true);
  expect(ran).toEqual(new Set(['one', 'two']));
});

it('two pollers on two bridges share the steps, each of which is published once and runs once', async () => {
  const runs: string[] = [];
  const a = defineHandler('a', {}, ({ context }) => void runs.push(context.stepUuid));
  const { create, tasker, bridge, registry } = await setupBridge(shared, { a: [] }, { handlers: { a } });
  const second = new EventBridge();
  second.start();
  const subscriber = new StepExecutionSubscriber({ eventBridge: second, handlerRegistry: registry });
  subscriber.start();
  const poller = new EventPoller({ eventBridge: second });
  poller.start();
  onTestFinished(async () => {
    await poller.stop();
    await subscriber.stop({ drainTimeoutMs: 200 });
    second.stop();
  });
  const published: string[] = [];
  for (const each of [bridge, second]) {
    each.subscribe(EventNames.STEP_EXECUTION_RECEIVED, ({ stepUuid }) => published.push(stepUuid));
  }
  const tasks = await Promise.all(Array.from({ length: 50 }, () => create()));
  for (const { taskUuid } of tasks) {
    expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
  }
  expect(new Set(runs).size).toBe(50);
  expect(runs).toHaveLength(50);
  expect([...published].sort()).toEqual([...runs].sort());
});

it('the result of a handler is rejected after its step has been claimed again', async () => {
  const begun = deferred();
  const resume = deferred();
  const { create, bridge } = await setupBridge(
    shared,
    { a: [] },
    {
      handlers: {
        a: defineHandler('a', {}, async ({ context }) => {
          if (context.retryCount > 0) return { second: true };
          begun.resolve();
          await resume.promise;
          return {};
        }),
      },
    },
  );
  const sent: unknown[] = [];
  bridge.subscribe(EventNames.STEP_COMPLETION_SENT, ({ result }) => sent.push(result));
  const { taskUuid } = await create();
  await begun.promise;
  await shared.sql(`update tasker.step set claim = claim + 1 where task_uuid = $1`, [taskUuid]);
  resume.resolve();
  await until(getMetrics, ({ refused }) => refused === 1);
  expect(sent).toEqual([]);
  expect((await getFfiLayer()).getModule().getFfiDispatchMetrics().pendingCount).toBe(0);
});

it('a poller starts after unref()', async () => {
  const { poller } = await setupBridge(shared, { a: [] }, { start: [] });
  expect(poller.unref().start()).toBe(undefined);
  expect(poller.isRunning()).toBe(true);
  EventBridge.instance().start();
});

import { expect, it, onTestFinished } from 'vitest';
import {
  checkpointYield,
  defineHandler,
  EventNames,
  type FfiStepEvent,
  getFfiLayer,
  HandlerRegistry,
  StepExecutionSubscriber,
} from '../../../src/index.ts';
import { setupBridge } from '../../support/bridge.ts';
import { partsFor, workers } from '../../support/hand-worker.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const AT_ONCE = { retry: { backoff: 'none', max_attempts: 2 } };

const done = (event: FfiStepEvent, result: object = {}) => ({
  stepUuid: event.stepUuid,
  success: true,
  result,
  status: 'completed' as const,
  metadata: { executionTimeMs: 1, completedAt: new Date().toISOString() },
});

/** The worker of this process without handlers, and a function that reads its next step. */
async function byHand(steps: Parameters<typeof setupBridge>[1]) {
  const made = await setupBridge(shared, steps, { start: [], poller: { pollingIntervalMs: 600_000 } });
  const module = (await getFfiLayer()).getModule();
  const waiting: FfiStepEvent[] = [];
  made.poller.onStepEvent((event) => void waiting.push(event));
  made.poller.start();
  const next = async () =>
    (
      await until(
        () => waiting,
        ({ length }) => length > 0,
      )
    ).shift()!;
  return { ...made, module, next };
}

it('the event of a step includes the failed batch workers before it, and returns the same results object at each read', async () => {
  const { module, next, create } = await byHand({
    analyze: { type: 'batchable', dependencies: [] },
    work: { ...workers(['analyze']), retry: { max_attempts: 1 } },
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  });
  await create();
  const analyze = await next();
  await module.completeStepEvent(analyze.eventId, done(analyze, partsFor('work', '1', '2')));
  for (let i = 0; i < 2; i++) {
    const event = await next();
    const error = { message: 'no', errorType: 'odd', retryable: false };
    const failed = { ...done(event), success: false, status: 'failed' as const, error };
    await module.completeStepEvent(event.eventId, event.workflowStep.name === 'work_1' ? failed : done(event));
  }
  const join = await next();
  expect(join.dependencyResults).toMatchObject({
    work_1: { success: false, status: 'failed' },
    work_2: { success: true, status: 'completed' },
  });
  expect(join.dependencyResults).toBe(join.dependencyResults);
  await module.completeStepEvent(join.eventId, done(join));
});

it('a step that was just read can still be completed after a clean-up', async () => {
  const { module, next, create, tasker } = await byHand({ a: AT_ONCE });
  const { taskUuid } = await create();
  const event = await next();
  module.cleanupTimeouts();
  expect(await module.completeStepEvent(event.eventId, done(event))).toBe(true);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  expect(await tasker.getStep(taskUuid, 'a')).toMatchObject({ currentState: 'complete', attempts: 1 });
});

it('a step that waits for a slot longer than its timeout survives a clean-up', async () => {
  const [started, gate] = [deferred(), deferred()];
  const slow = defineHandler('slow', {}, async () => {
    started.resolve();
    await gate.promise;
    return {};
  });
  const { bridge, run } = await setupBridge(shared, {
    a: { handler: 'slow' },
    b: { handler: 'quick', timeout_seconds: 1, ...AT_ONCE },
  });
  const handlerRegistry = new HandlerRegistry();
  for (const handler of [slow, defineHandler('quick', {}, () => ({}))]) handlerRegistry.register(handler);
  const other = new StepExecutionSubscriber({ eventBridge: bridge, handlerRegistry, maxConcurrent: 1 });
  other.start();
  onTestFinished(() => other.stop());
  const running = run();
  await started.promise;
  const module = (await getFfiLayer()).getModule();
  await until(
    () => module.getFfiDispatchMetrics(),
    ({ pendingCount, oldestPendingAgeMs = 0 }) => pendingCount === 1 && oldestPendingAgeMs > 1_000,
  );
  module.cleanupTimeouts();
  gate.resolve();
  expect((await running).step.b).toMatchObject({ currentState: 'complete', attempts: 1 });
});

it('a handler that yields after its step was completed by hand publishes no yield', async () => {
  const [started, gate] = [deferred(), deferred()];
  const a = defineHandler('a', {}, async () => {
    started.resolve();
    await gate.promise;
    return checkpointYield({ cursor: 1, itemsProcessed: 1 });
  });
  const { bridge, subscriber, create, tasker } = await setupBridge(shared, { a: AT_ONCE }, { handlers: { a } });
  const events: FfiStepEvent[] = [];
  bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event) => events.push(event));
  let yields = 0;
  bridge.subscribe(EventNames.STEP_CHECKPOINT_YIELD_SENT, () => yields++);
  const { taskUuid } = await create();
  await started.promise;
  const module = (await getFfiLayer()).getModule();
  expect(await module.completeStepEvent(events[0]!.eventId, done(events[0]!))).toBe(true);
  gate.resolve();
  expect(await subscriber.waitForCompletion(10_000)).toBe(true);
  expect(yields).toBe(0);
  expect(await tasker.getStep(taskUuid, 'a')).toMatchObject({ currentState: 'complete', attempts: 1 });
});

it('a subscriber has the name of its worker by default, and the worker announces handlers that are registered later', async () => {
  const { run, subscriber, demo } = await setupBridge(
    shared,
    { a: [] },
    { handlers: { a: defineHandler('a', {}, () => ({})) } },
  );
  await run();
  const rows = await shared.sql<{ name: string }>('select name from tasker.worker where $1 = any (namespaces)', [
    demo.namespace,
  ]);
  expect(rows.map(({ name }) => name)).toEqual([subscriber.workerId]);
  HandlerRegistry.instance().register(
    'late',
    defineHandler('late', {}, () => ({})),
  );
  await until(
    () =>
      shared.sql('select 1 from tasker.worker where name = $1 and $2 = any (callables)', [subscriber.workerId, 'late']),
    (found) => found.length === 1,
  );
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  bootstrapWorker,
  defineHandler,
  EventBridge,
  EventNames,
  HandlerRegistry,
  isWorkerRunning,
  StepExecutionSubscriber,
  stopWorker,
} from '../../src/index.ts';
import { processWorker } from '../../src/worker/bridge/process-worker.ts';
import { cleanProcess, setupBridge } from '../support/bridge.ts';
import { projectWith } from '../support/config-folder.ts';
import { deferred } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('a handler that reacts to its signal spends no attempt when the worker stops before its subscriber', async () => {
  const begun = deferred();
  const folder = projectWith({ 'tasker.toml': '[worker]\nshutdown_timeout_ms = 40\n' });
  const { create, tasker } = await setupBridge(
    shared,
    { a: [] },
    {
      config: { configPath: `${folder}/tasker.toml` },
      handlers: {
        a: defineHandler('a', {}, async ({ context }) => {
          begun.resolve();
          await new Promise((_, reject) =>
            context.signal.addEventListener('abort', () => reject(context.signal.reason)),
          );
        }),
      },
    },
  );
  const { taskUuid } = await create();
  await begun.promise;
  expect(await stopWorker()).toMatchObject({ status: 'stopped' });
  const [step] = await tasker.getSteps(taskUuid);
  expect(step).toMatchObject({ currentState: 'enqueued', attempts: 0 });
});

it('steps that were claimed before the subscriber started return to the queue if it has no slots for them', async () => {
  const begun = deferred();
  const resume = deferred();
  const { create, tasker, poller, subscriber } = await setupBridge(
    shared,
    { a: [] },
    {
      maxConcurrent: 1,
      start: ['bridge'],
      handlers: {
        a: defineHandler('a', {}, async () => {
          begun.resolve();
          await resume.promise;
        }),
      },
    },
  );
  const tasks = await Promise.all([create(), create(), create(), create()]);
  poller.start(); // claims all four steps, because the number of slots is unknown
  subscriber.start();
  await begun.promise;
  await expect.poll(() => processWorker.channel.metrics().pendingCount).toBe(0);
  const states = async () => {
    const steps = await Promise.all(tasks.map(({ taskUuid }) => tasker.getSteps(taskUuid)));
    return steps.flat().map((step) => step.currentState);
  };
  await expect.poll(async () => (await states()).sort()).toEqual(['enqueued', 'enqueued', 'enqueued', 'in_progress']);
  resume.resolve();
  for (const { taskUuid } of tasks) {
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  }
});

it('stopWorker also stops a worker whose start waits for an earlier stop', async () => {
  cleanProcess();
  const config = { namespace: 'last_word', databaseUrl: shared.url, logLevel: 'error' } as const;
  expect(await bootstrapWorker(config)).toMatchObject({ status: 'started' });
  const answers = await Promise.all([stopWorker(), bootstrapWorker(config), stopWorker()]);
  expect(answers.map(({ status }) => status)).toEqual(['stopped', 'started', 'stopped']);
  expect(isWorkerRunning()).toBe(false);
});

it('a subscriber without a free slot frees the memory of events whose steps another subscriber has run', async () => {
  const [begun, resume] = [deferred(), deferred()];
  let first = true;
  const handler = () => {
    if (!first) return {};
    first = false;
    begun.resolve();
    return resume.promise.then(() => ({}));
  };
  const { bridge, registry, create, tasker } = await setupBridge(
    shared,
    { a: [] },
    { maxConcurrent: 1, handlers: { a: defineHandler('a', {}, handler) } },
  );
  await create();
  await begun.promise;
  const other = new StepExecutionSubscriber({ eventBridge: bridge, handlerRegistry: registry });
  const events: WeakRef<object>[] = [];
  bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event) => events.push(new WeakRef(event)));
  other.start();
  onTestFinished(() => other.stop());
  const tasks = await Promise.all(Array.from({ length: 300 }, () => create()));
  await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const kept = () => {
    collect();
    return events.filter((event) => event.deref() !== undefined).length;
  };
  await expect.poll(kept).toBeLessThan(150);
  expect(events.length).toBeGreaterThanOrEqual(300);
  resume.resolve();
});

it('two subscribers with different handlers each run the steps of their handlers', async () => {
  const { bridge, create, tasker } = await setupBridge(
    shared,
    { a: [], b: [], c: ['a', 'b'] },
    { handlers: { a: defineHandler('a', {}, () => ({})), c: defineHandler('c', {}, () => ({})) } },
  );
  const registry = new HandlerRegistry();
  registry.register(
    'b',
    defineHandler('b', {}, () => ({})),
  );
  const other = new StepExecutionSubscriber({ eventBridge: bridge, handlerRegistry: registry });
  other.start();
  onTestFinished(() => other.stop());
  const { taskUuid } = await create();
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(other.getProcessedCount()).toBe(1);
});

it('the timeout of a step that waits for a slot of its subscriber starts when its handler is called', async () => {
  const resume = deferred();
  const [begun, ran] = [deferred(), vi.fn()];
  const { bridge, create, tasker } = await setupBridge(
    shared,
    { a: { timeout_seconds: 1 }, b: { timeout_seconds: 1 } },
    { handlers: { a: defineHandler('a', {}, () => ({})) } },
  );
  const registry = new HandlerRegistry();
  const handler = async () => {
    ran();
    begun.resolve();
    await resume.promise;
    return {};
  };
  registry.register('b', defineHandler('b', {}, handler));
  const other = new StepExecutionSubscriber({ eventBridge: bridge, handlerRegistry: registry, maxConcurrent: 1 });
  other.start();
  onTestFinished(() => other.stop());
  const tasks = [await create()];
  await begun.promise;
  tasks.push(await create());
  const timedOut = new Promise((resolve) => bridge.subscribe(EventNames.STEP_EXECUTION_TIMEOUT, resolve));
  await expect.poll(() => processWorker.channel.metrics().pendingCount).toBe(1);
  await timedOut; // of the first step, whose handler keeps the slot
  await expect.poll(() => processWorker.channel.metrics().oldestPendingAgeMs).toBeGreaterThan(1_200);
  const [step] = (await tasker.getSteps(tasks[1]!.taskUuid)).filter(({ name }) => name === 'b');
  expect(step).toMatchObject({ currentState: 'in_progress', attempts: 1 });
  resume.resolve();
  for (const { taskUuid } of tasks) {
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
  }
});

it('a poller has stopped when either of two concurrent stops resolves, and can be started again', async () => {
  const { poller, create, tasker } = await setupBridge(
    shared,
    { a: [] },
    { handlers: { a: defineHandler('a', {}, () => ({})) } },
  );
  const slow = deferred();
  let calls = 0;
  const begun = deferred();
  poller.onStepEvent(async (event) => {
    if (calls++ > 0) return void EventBridge.instance().publish(EventNames.STEP_EXECUTION_RECEIVED, event);
    begun.resolve();
    await slow.promise;
    EventBridge.instance().publish(EventNames.STEP_EXECUTION_RECEIVED, event);
  });
  const first = await create();
  await begun.promise;
  const stops: string[] = [];
  const one = poller.stop().then(() => stops.push(poller.getState()));
  const two = poller.stop().then(() => stops.push(poller.getState()));
  await Promise.resolve();
  expect(stops).toEqual([]);
  slow.resolve();
  await Promise.all([one, two]);
  expect(stops).toEqual(['stopped', 'stopped']);
  poller.start();
  const second = await create();
  for (const { taskUuid } of [first, second]) {
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  }
});

it('a worker that is bootstrapped repeatedly with a handlers folder leaks no resources', async () => {
  const folder = projectWith({
    'handlers/greet.js': `export class Greet { static handlerName = 'greet'; call() { return { greeting: 'hello' }; } }`,
    'tasker.toml': '[worker.handlers]\nsearch_paths = ["handlers"]\n',
  });
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
  onTestFinished(() => void vi.restoreAllMocks());
  cleanProcess();
  const config = { namespace: 'again', databaseUrl: shared.url, logLevel: 'error' } as const;
  const kept = () =>
    process
      .getActiveResourcesInfo()
      .filter((kind) => ['TCPSocketWrap', 'PipeWrap', 'MessagePort', 'Worker'].includes(kind)).length;
  let first = 0;
  for (let i = 0; i < 5; i++) {
    expect(await bootstrapWorker(config)).toMatchObject({ status: 'started' });
    expect(await stopWorker()).toMatchObject({ status: 'stopped' });
    if (i === 0) first = kept();
  }
  // A leak of one resource per round would add four. The connections of the test itself come and go.
  await expect.poll(kept).toBeLessThan(first + 4);
  expect(HandlerRegistry.instance().listHandlers()).toEqual(['greet']);
});

import { expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepExecutionSubscriber } from '../../src/worker/bridge/step-execution-subscriber.ts';
import { setupBridge } from '../support/bridge.ts';
import { heapMb } from '../support/heap.ts';
import { deferred } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('the result that a handler returns while its worker stops is recorded', async () => {
  const started = deferred();
  const heeds = defineHandler('heeds', {}, async ({ signal }) => {
    started.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return { heard: String(signal.reason) };
  });
  const { tasker, demo, another } = await shared.setup(
    { a: { handler: 'heeds', retry: { retryable: false } } },
    { handlers: [heeds] },
  );
  const { taskUuid } = await tasker.createTask(demo);
  await started.promise;
  await tasker.stop({ drainTimeoutMs: 400 });
  const observer = await another({ worker: false, handlers: [] });
  expect(await observer.getStep(taskUuid, 'a')).toMatchObject({
    currentState: 'complete',
    results: { result: { heard: expect.stringContaining('the worker is stopping') } },
  });
});

it('a worker whose steps are run by a subscriber frees the memory of results', async () => {
  const large = defineHandler('large', {}, () => ({ text: 'x'.repeat(400_000) }));
  const small = defineHandler('small', {}, () => ({}));
  const { run } = await setupBridge(
    shared,
    { a: { handler: 'large' }, b: { handler: 'small', dependencies: ['a'] } },
    { handlers: { large, small } },
  );
  for (let i = 0; i < 2; i++) await run();
  const before = await heapMb();
  for (let i = 0; i < 2; i++) await Promise.all(Array.from({ length: 25 }, () => run()));
  expect((await heapMb()) - before).toBeLessThan(13);
});

it('a subscriber without a free slot frees the memory of tasks whose steps another subscriber has run', async () => {
  const [begun, gate] = [deferred(), deferred()];
  let first = true;
  const a = defineHandler('a', {}, () => {
    if (!first) return { text: 'x'.repeat(200_000) };
    first = false;
    begun.resolve();
    return gate.promise.then(() => ({}));
  });
  const { bridge, registry, create, tasker } = await setupBridge(
    shared,
    { a: [] },
    { maxConcurrent: 1, handlers: { a } },
  );
  await create();
  await begun.promise;
  const other = new StepExecutionSubscriber({ eventBridge: bridge, handlerRegistry: registry });
  other.start();
  onTestFinished(() => other.stop());
  onTestFinished(() => gate.resolve());
  const before = await heapMb();
  for (let i = 0; i < 4; i++) {
    const tasks = await Promise.all(Array.from({ length: 50 }, () => create()));
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })));
  }
  expect((await heapMb()) - before).toBeLessThan(22);
});

import { expect, it, onTestFinished } from 'vitest';
import {
  checkpointYield,
  completeLater,
  defineHandler,
  HandlerRegistry,
  StepExecutionSubscriber,
  setLogger,
  silentLogger,
  TaskerEventEmitter,
} from '../../../src/index.ts';
import { deferred, until } from '../../support/setup.ts';
import { OwnModule, stepEvent } from '../../support/step-events.ts';

/** A subscriber whose only slot is taken by a step of a foreign module until `gate` resolves, and a step that waits. */
function oneSlot(taking: Parameters<typeof stepEvent>[0], result: () => unknown) {
  setLogger(silentLogger);
  const gate = deferred();
  const registry = new HandlerRegistry();
  registry.register(
    defineHandler('slow', {}, async () => {
      await gate.promise;
      return result();
    }),
  );
  registry.register(defineHandler('greet', {}, () => ({ greeting: 'hello' })));
  const emitter = new TaskerEventEmitter();
  const module = new OwnModule();
  const subscriber = new StepExecutionSubscriber(emitter, registry, module, { workerId: 'w-1', maxConcurrent: 1 });
  subscriber.start();
  onTestFinished(async () => {
    setLogger(undefined);
    await subscriber.stop({ drainTimeoutMs: 50 });
  });
  const first = stepEvent({ ...taking, handlerName: 'slow' });
  const next = stepEvent();
  emitter.emitStepReceived(first);
  emitter.emitStepReceived(next);
  return { gate, module, subscriber, first, next };
}

it('a step of a foreign module that yields frees its slot for the waiting step', async () => {
  const { gate, module, subscriber, next } = oneSlot({}, () => checkpointYield({ cursor: 1, itemsProcessed: 1 }));
  gate.resolve();
  expect(await subscriber.waitForCompletion(10_000)).toBe(true);
  expect(module.yields).toHaveLength(1);
  expect(module.results.map(({ eventId }) => eventId)).toEqual([next.eventId]);
});

it('a step of a foreign module that timed out frees its slot for the waiting step when its handler settles', async () => {
  const { gate, module, subscriber, first, next } = oneSlot({ timeoutSeconds: 0.02 }, () => ({ too: 'late' }));
  const sent = () => module.results.map(({ eventId }) => eventId);
  await until(sent, (ids) => ids.length > 0);
  expect(sent()).toEqual([first.eventId]);
  gate.resolve();
  expect(await subscriber.waitForCompletion(10_000)).toBe(true);
  expect(sent()).toEqual([first.eventId, next.eventId]);
  expect(module.results.map(({ result }) => result.success)).toEqual([false, true]);
});

it("a step whose event can't be read does not block the steps after it", async () => {
  setLogger(silentLogger);
  const registry = new HandlerRegistry();
  registry.register(defineHandler('greet', {}, () => ({ greeting: 'hello' })));
  const emitter = new TaskerEventEmitter();
  const module = new OwnModule();
  const subscriber = new StepExecutionSubscriber(emitter, registry, module, { maxConcurrent: 1 });
  subscriber.start();
  onTestFinished(async () => {
    setLogger(undefined);
    await subscriber.stop({ drainTimeoutMs: 50 });
  });
  const unreadable = Object.defineProperty(stepEvent(), 'stepDefinition', {
    get: () => {
      throw new Error('the native object is gone');
    },
  });
  emitter.emitStepReceived(unreadable);
  const next = stepEvent();
  emitter.emitStepReceived(next);
  expect(await subscriber.waitForCompletion(10_000)).toBe(true);
  expect(module.results.map(({ eventId }) => eventId)).toEqual([next.eventId]);
});

it('a subscriber fails many waiting steps without a registered handler and without a stack overflow', async () => {
  setLogger(silentLogger);
  const gate = deferred();
  const registry = new HandlerRegistry();
  registry.register(defineHandler('slow', {}, () => gate.promise.then(() => ({}))));
  const emitter = new TaskerEventEmitter();
  const module = new OwnModule();
  const subscriber = new StepExecutionSubscriber(emitter, registry, module, { workerId: 'w-1', maxConcurrent: 1 });
  onTestFinished(async () => {
    setLogger(undefined);
    await subscriber.stop({ drainTimeoutMs: 50 });
  });
  subscriber.start();
  emitter.emitStepReceived(stepEvent({ handlerName: 'slow' }));
  const event = stepEvent({ handlerName: 'nobody' });
  for (let i = 0; i < 2_000; i++) emitter.emitStepReceived({ ...event, eventId: `${event.eventId}-${i}` });
  gate.resolve();
  await until(
    () => module.results.length,
    (count) => count === 2_001,
  );
});

it('a step of a foreign module cannot wait, and fails permanently with the reason', async () => {
  const { gate, module, subscriber, first } = oneSlot({}, () => completeLater());
  gate.resolve();
  await subscriber.waitForCompletion();
  const sent = await until(
    () => module.results.find(({ eventId }) => eventId === first.eventId),
    (found) => found !== undefined,
  );
  expect(sent!.result).toMatchObject({ success: false, error: { errorType: 'wait_refused', retryable: false } });
  expect(sent!.result.error!.message).toContain(
    'step slow: its handler returned completeLater, notYet or untilTasksEnd',
  );
  expect(subscriber.getErrorCount()).toBe(1);
});

import { describe, expect, it, onTestFinished } from 'vitest';
import {
  checkpointYield,
  defineHandler,
  EventBridge,
  EventNames,
  type FfiStepEvent,
  HandlerRegistry,
  PermanentError,
  StepExecutionSubscriber,
  type StepExecutionSubscriberConfig,
  type StepHandlerClass,
  setLogger,
  silentLogger,
  TaskerEventEmitter,
} from '../../../src/index.ts';
import { deferred } from '../../support/setup.ts';
import { OwnModule, stepEvent } from '../../support/step-events.ts';

describe('a subscriber of a foreign module', () => {
  function setup(handlers: StepHandlerClass[], config: StepExecutionSubscriberConfig = {}) {
    setLogger(silentLogger);
    const registry = new HandlerRegistry();
    for (const handler of handlers) registry.register(handler);
    const emitter = new TaskerEventEmitter();
    const module = new OwnModule();
    const subscriber = new StepExecutionSubscriber(emitter, registry, module, { workerId: 'w-1', ...config });
    subscriber.start();
    onTestFinished(async () => {
      setLogger(undefined);
      await subscriber.stop({ drainTimeoutMs: 50 });
    });
    return { emitter, module, subscriber };
  }

  it('a subscriber runs an emitted step once and sends the result in the format of the module', async () => {
    const { emitter, module, subscriber } = setup([
      defineHandler('greet', { inputs: { name: 'name' } }, ({ name }) => ({ greeting: `hello ${String(name)}` })),
    ]);
    const event = stepEvent({ inputData: { name: 'Ada' } });
    emitter.emitStepReceived(event);
    emitter.emitStepReceived(event);
    expect(await subscriber.waitForCompletion()).toBe(true);
    expect(module.results).toEqual([
      {
        eventId: event.eventId,
        result: {
          stepUuid: event.stepUuid,
          success: true,
          result: { greeting: 'hello Ada' },
          status: 'completed',
          metadata: expect.objectContaining({ workerId: 'w-1', retryable: true, executionTimeMs: expect.any(Number) }),
        },
      },
    ]);
  });

  it('a subscriber runs an event that was created by hand with arbitrary strings as ids', async () => {
    const { emitter, module, subscriber } = setup([
      defineHandler('greet', {}, ({ context }) => ({ task: context.taskUuid, step: context.stepUuid })),
    ]);
    emitter.emitStepReceived({ ...stepEvent(), eventId: 'event-1', taskUuid: 'task-123', stepUuid: 'step-456' });
    await subscriber.waitForCompletion();
    expect(module.results).toMatchObject([
      { eventId: 'event-1', result: { success: true, result: { task: 'task-123', step: 'step-456' } } },
    ]);
  });

  it('an event whose id is not a string fails with an error that names the id', async () => {
    const { emitter, module, subscriber } = setup([defineHandler('greet', {}, () => ({}))]);
    emitter.emitStepReceived({ ...stepEvent(), taskUuid: 123 as unknown as string });
    await subscriber.waitForCompletion();
    expect(module.results[0]?.result).toMatchObject({
      success: false,
      error: { message: expect.stringMatching(/^step event: event\.taskUuid: /), errorType: 'conversion_error' },
    });
  });

  it('a subscriber sends a thrown error as a failure, with its error type and its retryable flag', async () => {
    const { emitter, module, subscriber } = setup([
      defineHandler('greet', {}, () => {
        throw new PermanentError('nobody there');
      }),
    ]);
    emitter.emitStepReceived(stepEvent());
    await subscriber.waitForCompletion();
    expect(module.results[0]?.result).toMatchObject({
      success: false,
      status: 'failed',
      error: { message: 'nobody there', errorType: 'permanent_error', retryable: false },
      metadata: { retryable: false, errorType: 'permanent_error' },
    });
    expect(subscriber.getErrorCount()).toBe(1);
  });

  it('an unknown handler is a permanent failure that suggests similar names', async () => {
    const { emitter, module, subscriber } = setup([defineHandler('greets', {}, () => ({}))]);
    emitter.emitStepReceived(stepEvent());
    await subscriber.waitForCompletion();
    expect(module.results[0]?.result.error).toMatchObject({ errorType: 'handler_not_found', retryable: false });
    expect(module.results[0]?.result.error?.message).toContain('greets');
    expect([subscriber.getProcessedCount(), subscriber.getErrorCount()]).toEqual([0, 1]);
  });

  it('a step with an unknown handler is not counted as processed, and the next step runs', async () => {
    const { emitter, module, subscriber } = setup([defineHandler('known', {}, () => ({}))], { maxConcurrent: 1 });
    for (const handlerName of ['unknown', 'known', 'unknown']) emitter.emitStepReceived(stepEvent({ handlerName }));
    expect(await subscriber.waitForCompletion()).toBe(true);
    expect(module.results.map(({ result }) => result.success)).toEqual([false, true, false]);
    expect([subscriber.getProcessedCount(), subscriber.getErrorCount()]).toEqual([1, 2]);
  });

  it('a bare event on an emitter runs like an event wrapped in { event, receivedAt }', async () => {
    const { emitter, module, subscriber } = setup([defineHandler('greet', {}, () => ({}))]);
    const emit = emitter.emit.bind(emitter) as (name: string, payload: unknown) => boolean;
    const [bare, wrapped] = [stepEvent(), stepEvent()];
    emit(EventNames.STEP_EXECUTION_RECEIVED, bare);
    emit(EventNames.STEP_EXECUTION_RECEIVED, { event: wrapped, receivedAt: new Date() });
    emit(EventNames.STEP_EXECUTION_RECEIVED, { event: bare, receivedAt: new Date() });
    await subscriber.waitForCompletion();
    expect(module.results.map(({ eventId }) => eventId)).toEqual([bare.eventId, wrapped.eventId]);
  });

  it('a bare event on a bridge runs like an event wrapped in { event, receivedAt }', async () => {
    const registry = new HandlerRegistry();
    registry.register(defineHandler('greet', {}, () => ({})));
    const [bridge, module] = [new EventBridge(), new OwnModule()];
    bridge.start();
    const subscriber = new StepExecutionSubscriber(bridge as unknown as TaskerEventEmitter, registry, module);
    subscriber.start();
    onTestFinished(() => subscriber.stop({ drainTimeoutMs: 50 }));
    const publish = bridge.publish.bind(bridge) as (name: string, payload: unknown) => boolean;
    const [bare, wrapped] = [stepEvent(), stepEvent()];
    publish(EventNames.STEP_EXECUTION_RECEIVED, bare);
    publish('step_execution_received', { event: wrapped, receivedAt: new Date() });
    await subscriber.waitForCompletion();
    expect(module.results.map(({ eventId }) => eventId)).toEqual([bare.eventId, wrapped.eventId]);
  });

  it('an event without a step definition fails with an error that names the definition', async () => {
    const { emitter, module, subscriber } = setup([defineHandler('greet', {}, () => ({}))]);
    const { stepDefinition: _, ...event } = stepEvent();
    emitter.emitStepReceived(event as FfiStepEvent);
    await subscriber.waitForCompletion();
    expect(module.results[0]?.result.error?.message).toMatch(/^step event: event\.stepDefinition: /);
  });

  it("the error about a result that can't be sent is limited to 500 characters", async () => {
    const { emitter, module, subscriber } = setup([defineHandler('greet', {}, () => ({}))]);
    module.completeStepEvent = (eventId, result) => {
      if (result.success) throw new Error(`cannot serialize ${'😀'.repeat(5_000)}`);
      module.results.push({ eventId, result });
      return true;
    };
    emitter.emitStepReceived(stepEvent());
    await subscriber.waitForCompletion();
    const text = module.results[0]!.result.error!.message;
    expect(text).toMatch(/^the result cannot be sent: cannot serialize 😀/);
    expect([text.length, text.isWellFormed()]).toEqual([500, true]);
  });

  it('a step that exceeds its timeout_seconds is aborted and fails, and its late result is not sent', async () => {
    const late = deferred();
    const { emitter, module, subscriber } = setup([
      defineHandler('greet', {}, async ({ context }) => {
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
        await late.promise;
        return {};
      }),
    ]);
    emitter.emitStepReceived(stepEvent({ timeoutSeconds: 0.05 }));
    await expect.poll(() => module.results).toHaveLength(1);
    expect(subscriber.getActiveHandlers()).toBe(1);
    late.resolve();
    expect(await subscriber.waitForCompletion()).toBe(true);
    expect(module.results).toHaveLength(1);
    expect(module.results[0]?.result.error?.errorType).toBe('timeout');
  });

  it('a yield is sent as a checkpoint', async () => {
    const { emitter, module, subscriber } = setup([
      defineHandler('greet', {}, () =>
        checkpointYield({ cursor: 50, itemsProcessed: 50, accumulatedResults: { sum: 1275 } }),
      ),
    ]);
    const event = stepEvent();
    emitter.emitStepReceived(event);
    await subscriber.waitForCompletion();
    expect(module.results).toEqual([]);
    expect(module.yields).toEqual([
      {
        eventId: event.eventId,
        data: { stepUuid: event.stepUuid, cursor: 50, itemsProcessed: 50, accumulatedResults: { sum: 1275 } },
      },
    ]);
  });

  it("a result that the module can't send fails the step", async () => {
    const { emitter, module, subscriber } = setup([defineHandler('greet', {}, () => ({ big: true }))]);
    module.refuse = ({ success }) => success;
    emitter.emitStepReceived(stepEvent());
    await subscriber.waitForCompletion();
    expect(module.results.map(({ result }) => result.error?.message)).toEqual([
      'the result cannot be sent: it cannot be serialized',
    ]);
  });

  it('a thousand steps run at most maxConcurrent at a time, without a stack overflow', async () => {
    let now = 0;
    let most = 0;
    const { emitter, module, subscriber } = setup(
      [
        defineHandler('greet', {}, async () => {
          most = Math.max(most, ++now);
          await Promise.resolve();
          now--;
        }),
      ],
      { maxConcurrent: 3 },
    );
    for (let i = 0; i < 1_000; i++) emitter.emitStepReceived(stepEvent());
    expect(await subscriber.waitForCompletion()).toBe(true);
    expect(module.results).toHaveLength(1_000);
    expect(most).toBe(3);
  });
});

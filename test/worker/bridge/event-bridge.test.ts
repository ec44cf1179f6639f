import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  EventBridge,
  EventNames,
  type FfiStepEvent,
  HandlerRegistry,
  type Logger,
  PollerEventNames,
  StepEventNames,
  StepHandler,
  StepHandlerResult,
  setLogger,
  silentLogger,
  TaskerEventEmitter,
} from '../../../src/index.ts';
import { stepEvent } from '../../support/step-events.ts';

class MyHandler extends StepHandler {
  static override handlerName = 'my_handler';

  call() {
    return StepHandlerResult.success({});
  }
}

function bridge(): EventBridge {
  onTestFinished(() => EventBridge.resetInstance());
  return EventBridge.instance();
}

/** Collects the lines that the package logs during a test. */
function logged(): { level: string; message: string }[] {
  const lines: { level: string; message: string }[] = [];
  const at = (level: string) => (fields: unknown, message?: string) =>
    void lines.push({ level, message: message ?? String(fields) });
  const logger: Logger = { ...silentLogger, isLevelEnabled: () => true, warn: at('warn'), error: at('error') };
  setLogger(logger);
  onTestFinished(() => setLogger(undefined));
  return lines;
}

describe('the event bridge', () => {
  it('a process has one bridge until it is reset', () => {
    const first = bridge();
    expect(EventBridge.instance()).toBe(first);
    first.start();
    EventBridge.resetInstance();
    expect(first.isActive).toBe(false);
    expect(EventBridge.instance()).not.toBe(first);
  });

  it('the bridge passes published arguments to subscribers in the order in which they subscribed', () => {
    const it = bridge();
    it.start();
    it.start();
    const seen: string[] = [];
    it.subscribe(EventNames.HANDLER_REGISTERED, (name, handler) =>
      seen.push(`first ${name} ${String(handler === MyHandler)}`),
    );
    it.subscribe(EventNames.HANDLER_REGISTERED, (name) => seen.push(`second ${name}`));
    expect(it.publish(EventNames.HANDLER_REGISTERED, 'my_handler', MyHandler)).toBe(true);
    expect(seen).toEqual(['first my_handler true', 'second my_handler']);
  });

  it('publishers and subscribers can use the alias of the received event', () => {
    const it = bridge();
    it.start();
    const seen: string[] = [];
    it.subscribe('step_execution_received', (event) => seen.push(`alias ${event.stepUuid}`));
    it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event) => seen.push(`name ${event.stepUuid}`));
    const event = stepEvent();
    it.publish('step_execution_received', event);
    it.publish(EventNames.STEP_EXECUTION_RECEIVED, event);
    expect(seen).toHaveLength(4);
    expect(it.listenerCount('step_execution_received')).toBe(2);
  });

  it('a bridge that is not started delivers nothing and warns once', () => {
    const lines = logged();
    const it = bridge();
    const heard = vi.fn();
    it.subscribe(EventNames.POLLER_METRICS, heard);
    const metrics = { pendingCount: 0, starvationDetected: false, starvingEventCount: 0 };
    expect(it.publish(EventNames.POLLER_METRICS, metrics)).toBe(false);
    expect(it.publish(EventNames.POLLER_METRICS, metrics)).toBe(false);
    expect(heard).not.toHaveBeenCalled();
    expect(lines.map(({ message }) => message)).toEqual([
      'the event bridge is not started, so poller.metrics was not delivered; call start() first',
    ]);
  });

  it('a bridge that stops removes its subscribers', () => {
    logged();
    const it = bridge();
    it.start();
    const heard = vi.fn();
    it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, heard);
    it.stop();
    it.publish(EventNames.STEP_EXECUTION_RECEIVED, stepEvent());
    it.start();
    it.publish(EventNames.STEP_EXECUTION_RECEIVED, stepEvent());
    expect(heard).not.toHaveBeenCalled();
    expect(it.listenerCount(EventNames.STEP_EXECUTION_RECEIVED)).toBe(0);
  });

  it('a listener can subscribe to a single delivery, and can unsubscribe', () => {
    const it = bridge();
    it.start();
    const once = vi.fn();
    const taken = vi.fn();
    it.subscribeOnce(EventNames.STEP_EXECUTION_RECEIVED, once);
    it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, taken);
    const end = it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, vi.fn());
    expect(it.listenerCount(EventNames.STEP_EXECUTION_RECEIVED)).toBe(3);
    end();
    expect(it.unsubscribe(EventNames.STEP_EXECUTION_RECEIVED, taken)).toBe(true);
    expect(it.unsubscribe(EventNames.STEP_EXECUTION_RECEIVED, taken)).toBe(false);
    it.publish(EventNames.STEP_EXECUTION_RECEIVED, stepEvent());
    it.publish(EventNames.STEP_EXECUTION_RECEIVED, stepEvent());
    expect(once).toHaveBeenCalledTimes(1);
    expect(taken).not.toHaveBeenCalled();
  });

  it('the bridge logs a subscriber that throws or rejects, and calls the others', async () => {
    const lines = logged();
    const it = bridge();
    it.start();
    const heard = vi.fn();
    it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, () => {
      throw new Error('no room');
    });
    it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, () => Promise.reject(new Error('no time')));
    it.subscribe(EventNames.STEP_EXECUTION_RECEIVED, heard);
    it.publish(EventNames.STEP_EXECUTION_RECEIVED, stepEvent());
    expect(heard).toHaveBeenCalledTimes(1);
    await expect.poll(() => lines).toHaveLength(2);
    expect(lines.map(({ message }) => message)).toEqual([
      'a subscriber of step.execution.received failed: no room',
      'a subscriber of step.execution.received failed: no time',
    ]);
  });

  it('the bridge publishes an event for each handler that is registered while it runs', () => {
    onTestFinished(() => HandlerRegistry.instance().clear());
    const it = bridge();
    HandlerRegistry.instance().register('too_early', MyHandler);
    it.start();
    const seen: unknown[] = [];
    it.subscribe(EventNames.HANDLER_REGISTERED, (...args) => seen.push(args));
    HandlerRegistry.instance().register('my_handler', MyHandler);
    it.stop();
    HandlerRegistry.instance().register('too_late', MyHandler);
    expect(seen).toEqual([['my_handler', MyHandler]]);
  });
});

describe('event names', () => {
  it('the names of events match the documentation, and cannot be changed', () => {
    expect(EventNames).toMatchObject({
      STEP_EXECUTION_RECEIVED: 'step.execution.received',
      STEP_COMPLETION_SENT: 'step.completion.sent',
      HANDLER_REGISTERED: 'handler.registered',
      HANDLER_ERROR: 'handler.error',
      POLLER_METRICS: 'poller.metrics',
      POLLER_ERROR: 'poller.error',
      METRICS_UPDATED: 'metrics.updated',
      STEP_CHECKPOINT_YIELD_SENT: 'step.checkpoint_yield.sent',
    });
    expect(EventNames).toMatchObject({ ...StepEventNames, ...PollerEventNames });
    expect(Object.isFrozen(EventNames)).toBe(true);
  });
});

describe('an emitter', () => {
  it('an emitter passes one payload to each listener that has not been removed', () => {
    logged();
    const emitter = new TaskerEventEmitter();
    const seen: FfiStepEvent[] = [];
    const failed = vi.fn();
    emitter.on('step.execution.received', ({ event }) => seen.push(event));
    emitter.once('step.execution.failed', failed);
    emitter.on('step.execution.failed', () => {
      throw new Error('listener');
    });
    const event = stepEvent();
    emitter.emitStepReceived(event);
    emitter.emitStepFailed('e', 's', 't', new Error('refused'));
    emitter.emitStepFailed('e', 's', 't', new Error('refused'));
    expect(seen).toEqual([event]);
    expect(failed).toHaveBeenCalledTimes(1);
    expect(emitter.eventNames()).toEqual(['step.execution.received', 'step.execution.failed']);
    emitter.removeAllListeners();
    expect(emitter.emit('worker.ready', { timestamp: new Date() })).toBe(false);
    expect(emitter.getInstanceId()).not.toBe(new TaskerEventEmitter().getInstanceId());
  });
});

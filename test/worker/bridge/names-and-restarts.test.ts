import { expect, it, onTestFinished } from 'vitest';
import {
  defineHandler,
  EventBridge,
  EventNames,
  EventPoller,
  HandlerRegistry,
  setLogger,
  silentLogger,
  TaskerEventEmitter,
} from '../../../src/index.ts';
import { OwnModule } from '../../support/step-events.ts';

it('every event has its published name', () => {
  expect(EventNames).toEqual({
    STEP_EXECUTION_RECEIVED: 'step.execution.received',
    STEP_EXECUTION_STARTED: 'step.execution.started',
    STEP_EXECUTION_COMPLETED: 'step.execution.completed',
    STEP_EXECUTION_FAILED: 'step.execution.failed',
    STEP_COMPLETION_SENT: 'step.completion.sent',
    STEP_EXECUTION_TIMEOUT: 'step.execution.timeout',
    STEP_CHECKPOINT_YIELD_SENT: 'step.checkpoint_yield.sent',
    WORKER_STARTED: 'worker.started',
    WORKER_READY: 'worker.ready',
    WORKER_SHUTDOWN_STARTED: 'worker.shutdown.started',
    WORKER_STOPPED: 'worker.stopped',
    WORKER_ERROR: 'worker.error',
    POLLER_STARTED: 'poller.started',
    POLLER_STOPPED: 'poller.stopped',
    POLLER_CYCLE_COMPLETE: 'poller.cycle.complete',
    POLLER_STARVATION_DETECTED: 'poller.starvation.detected',
    POLLER_ERROR: 'poller.error',
    METRICS_UPDATED: 'metrics.updated',
    METRICS_ERROR: 'metrics.error',
    HANDLER_REGISTERED: 'handler.registered',
    HANDLER_ERROR: 'handler.error',
    POLLER_METRICS: 'poller.metrics',
  });
});

it('other versions of the package recognize an emitter by its brand', () => {
  expect(Symbol.for('tasker-core.event-emitter') in new TaskerEventEmitter()).toBe(true);
});

it('a restarted bridge publishes a registered handler once', () => {
  onTestFinished(() => {
    EventBridge.resetInstance();
    HandlerRegistry.instance().clear();
  });
  const bridge = EventBridge.instance();
  bridge.start();
  bridge.stop();
  bridge.start();
  const seen: string[] = [];
  bridge.subscribe(EventNames.HANDLER_REGISTERED, (name) => seen.push(name));
  HandlerRegistry.instance().register(
    'greet',
    defineHandler('greet', {}, () => ({})),
  );
  expect(seen).toEqual(['greet']);
});

it('a poller publishes an event each time it starts', async () => {
  setLogger(silentLogger);
  const emitter = new TaskerEventEmitter();
  const poller = new EventPoller(new OwnModule(), emitter, { pollingIntervalMs: 10 });
  onTestFinished(() => setLogger(undefined));
  let started = 0;
  emitter.on(EventNames.POLLER_STARTED, ({ timestamp }) => {
    if (timestamp instanceof Date) started++;
  });
  for (let i = 0; i < 2; i++) {
    poller.start();
    await poller.stop();
  }
  expect(started).toBe(2);
});

it('a poller that is unreferenced before it starts does not keep the process alive', async () => {
  setLogger(silentLogger);
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const poller = new EventPoller(new OwnModule(), new TaskerEventEmitter(), { pollingIntervalMs: 60_000 });
  onTestFinished(async () => {
    await poller.stop();
    setLogger(undefined);
  });
  poller.unref().start();
  expect(timers()).toBe(before);
});

import { expectTypeOf, it } from 'vitest';
import {
  EventBridge,
  EventNames,
  type FfiDispatchMetrics,
  type FfiStepEvent,
  type NapiStepExecutionResult,
  TaskerEventEmitter,
} from '../../../src/index.ts';

const bridge = EventBridge.instance();
const emitter = new TaskerEventEmitter();

it('a subscriber is typed by the payload of its event', () => {
  bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event) => expectTypeOf(event).toEqualTypeOf<FfiStepEvent>());
  bridge.subscribe('step_execution_received', (event) => expectTypeOf(event).toEqualTypeOf<FfiStepEvent>());
  bridge.subscribe(EventNames.STEP_COMPLETION_SENT, (result) =>
    expectTypeOf(result).toEqualTypeOf<NapiStepExecutionResult>(),
  );
  bridge.subscribe(EventNames.POLLER_METRICS, (metrics) => expectTypeOf(metrics).toEqualTypeOf<FfiDispatchMetrics>());
  emitter.on('step.execution.received', ({ event }) => expectTypeOf(event).toEqualTypeOf<FfiStepEvent>());
});

it('a wrong payload or name does not compile', () => {
  // @ts-expect-error: the payload is an event, not a number
  bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, 42);
  // @ts-expect-error: the handler is missing
  bridge.publish(EventNames.HANDLER_REGISTERED, 'my_handler');
  // @ts-expect-error: no such event
  bridge.publish('step.execution.recieved', {});
  // @ts-expect-error: the payload is an object, not a number
  emitter.emit('step.completion.sent', 42);
});

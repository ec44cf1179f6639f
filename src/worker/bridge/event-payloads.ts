import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { ExecutableHandler } from '../../handlers/step-handler.ts';
import type { Registrable } from '../../registry/base-resolver.ts';
import type { FfiDispatchMetrics } from '../dispatch-channel.ts';
import type { NapiStepExecutionResult } from './execution-result.ts';

/** Payload when a step event was read from the channel. */
export interface StepExecutionReceivedPayload {
  event: FfiStepEvent;
  receivedAt: Date;
}

/** Payload when a handler is called. */
export interface StepExecutionStartedPayload {
  eventId: string;
  stepUuid: string;
  taskUuid: string;
  handlerName: string;
  startedAt: Date;
}

/** Payload when a handler succeeded. */
export interface StepExecutionCompletedPayload {
  eventId: string;
  stepUuid: string;
  taskUuid: string;
  result: NapiStepExecutionResult;
  executionTimeMs: number;
  completedAt: Date;
}

/** Payload when a handler failed or timed out. */
export interface StepExecutionFailedPayload {
  eventId: string;
  stepUuid: string;
  taskUuid: string;
  error: Error;
  failedAt: Date;
}

/** Payload when a result was accepted and committed. */
export interface StepCompletionSentPayload {
  eventId: string;
  stepUuid: string;
  success: boolean;
  sentAt: Date;
  /** The same as `sentAt`. */
  timestamp: Date;
}

/** Payload when the progress of a step was saved. Its handler will be called again. */
export interface StepCheckpointYieldSentPayload {
  eventId: string;
  stepUuid: string;
  cursor: unknown;
  itemsProcessed: number;
  timestamp: Date;
}

/** Payload when the state of a worker or a poller changed. */
export interface WorkerEventPayload {
  workerId?: string;
  timestamp: Date;
  message?: string;
}

/** Payload for an error of a worker or a poller. */
export interface WorkerErrorPayload {
  error: Error;
  timestamp: Date;
  context?: Record<string, unknown>;
}

/** Payload when a poller finished a cycle that read events. */
export interface PollerCyclePayload {
  eventsProcessed: number;
  cycleNumber: number;
  timestamp: Date;
}

/** Payload with the metrics of the dispatch channel. */
export interface MetricsPayload {
  metrics: FfiDispatchMetrics;
  timestamp: Date;
}

/** The payload of each event of a {@link TaskerEventEmitter}. */
export interface TaskerEventMap {
  'step.execution.received': StepExecutionReceivedPayload;
  'step.execution.started': StepExecutionStartedPayload;
  'step.execution.completed': StepExecutionCompletedPayload;
  'step.execution.failed': StepExecutionFailedPayload;
  'step.completion.sent': StepCompletionSentPayload;
  'step.execution.timeout': StepExecutionFailedPayload;
  'step.checkpoint_yield.sent': StepCheckpointYieldSentPayload;
  'worker.started': WorkerEventPayload;
  'worker.ready': WorkerEventPayload;
  'worker.shutdown.started': WorkerEventPayload;
  'worker.stopped': WorkerEventPayload;
  'worker.error': WorkerErrorPayload;
  'poller.started': WorkerEventPayload;
  'poller.stopped': WorkerEventPayload;
  'poller.cycle.complete': PollerCyclePayload;
  'poller.starvation.detected': MetricsPayload;
  'poller.error': WorkerErrorPayload;
  'metrics.updated': MetricsPayload;
  'metrics.error': WorkerErrorPayload;
}

/** The arguments that subscribers receive for each event of an {@link EventBridge}. */
export type BridgeEventMap = {
  [Name in Exclude<keyof TaskerEventMap, 'step.execution.received' | 'step.completion.sent'>]: [
    payload: TaskerEventMap[Name],
  ];
} & {
  'step.execution.received': [event: FfiStepEvent];
  /** Alias of `step.execution.received`. */
  step_execution_received: [event: FfiStepEvent];
  'step.completion.sent': [result: NapiStepExecutionResult];
  'handler.registered': [name: string, handler: Registrable | (() => ExecutableHandler)];
  /** Emitted when a handler threw. */
  'handler.error': [event: FfiStepEvent, error: Error];
  'poller.metrics': [metrics: FfiDispatchMetrics];
};

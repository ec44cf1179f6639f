/** Names of the events emitted as a step passes through the poller and the subscriber. */
export const StepEventNames = Object.freeze({
  STEP_EXECUTION_RECEIVED: 'step.execution.received',
  STEP_EXECUTION_STARTED: 'step.execution.started',
  STEP_EXECUTION_COMPLETED: 'step.execution.completed',
  STEP_EXECUTION_FAILED: 'step.execution.failed',
  STEP_COMPLETION_SENT: 'step.completion.sent',
  STEP_EXECUTION_TIMEOUT: 'step.execution.timeout',
  STEP_CHECKPOINT_YIELD_SENT: 'step.checkpoint_yield.sent',
} as const);
/** One of {@link StepEventNames}. */
export type StepEventName = (typeof StepEventNames)[keyof typeof StepEventNames];

/** Names of the events of a worker. */
export const WorkerEventNames = Object.freeze({
  WORKER_STARTED: 'worker.started',
  WORKER_READY: 'worker.ready',
  WORKER_SHUTDOWN_STARTED: 'worker.shutdown.started',
  WORKER_STOPPED: 'worker.stopped',
  WORKER_ERROR: 'worker.error',
} as const);
/** One of {@link WorkerEventNames}. */
export type WorkerEventName = (typeof WorkerEventNames)[keyof typeof WorkerEventNames];

/** Names of the events of a poller. */
export const PollerEventNames = Object.freeze({
  POLLER_STARTED: 'poller.started',
  POLLER_STOPPED: 'poller.stopped',
  POLLER_CYCLE_COMPLETE: 'poller.cycle.complete',
  POLLER_STARVATION_DETECTED: 'poller.starvation.detected',
  POLLER_ERROR: 'poller.error',
} as const);
/** One of {@link PollerEventNames}. */
export type PollerEventName = (typeof PollerEventNames)[keyof typeof PollerEventNames];

/** Names of the events about the metrics of the dispatch channel. */
export const MetricsEventNames = Object.freeze({
  METRICS_UPDATED: 'metrics.updated',
  METRICS_ERROR: 'metrics.error',
} as const);
/** One of {@link MetricsEventNames}. */
export type MetricsEventName = (typeof MetricsEventNames)[keyof typeof MetricsEventNames];

/**
 * The names of all events of an {@link EventBridge}.
 *
 * @example
 * EventBridge.instance().subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event) => console.log(event.stepUuid));
 */
export const EventNames = Object.freeze({
  ...StepEventNames,
  ...WorkerEventNames,
  ...PollerEventNames,
  ...MetricsEventNames,
  HANDLER_REGISTERED: 'handler.registered',
  HANDLER_ERROR: 'handler.error',
  POLLER_METRICS: 'poller.metrics',
} as const);
/** One of {@link EventNames}. */
export type EventName = (typeof EventNames)[keyof typeof EventNames];

/** Alias of `step.execution.received` that existing programs use. */
export const RECEIVED_ALIAS = 'step_execution_received';

import { randomUUID } from 'node:crypto';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { FfiDispatchMetrics } from '../dispatch-channel.ts';
import { EventNames } from './event-names.ts';
import type { TaskerEventMap } from './event-payloads.ts';
import type { NapiStepExecutionResult } from './execution-result.ts';
import { GuardedEmitter } from './guarded-emitter.ts';

// `Symbol.for`, so that two copies of the package in one process recognize each other's emitters.
const BRAND = Symbol.for('tasker-core.event-emitter');

type Name = keyof TaskerEventMap;
type Listener<N extends Name> = (payload: TaskerEventMap[N]) => unknown;

/** The methods of `EventEmitter`, for the events of this emitter. */
export interface TaskerEventEmitter {
  on<N extends Name>(name: N, listener: Listener<N>): this;
  addListener<N extends Name>(name: N, listener: Listener<N>): this;
  once<N extends Name>(name: N, listener: Listener<N>): this;
  off<N extends Name>(name: N, listener: Listener<N>): this;
  removeListener<N extends Name>(name: N, listener: Listener<N>): this;
  emit<N extends Name>(name: N, payload: TaskerEventMap[N]): boolean;
}

/**
 * Emits the events of a poller and a subscriber, for programs that create these themselves. Each payload is one object.
 * A listener that throws is logged and does not affect the others.
 *
 * @example
 * const emitter = new TaskerEventEmitter();
 * emitter.on('step.execution.failed', ({ stepUuid, error }) => console.error(stepUuid, error.message));
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface narrows inherited methods
export class TaskerEventEmitter extends GuardedEmitter {
  static {
    Object.defineProperty(TaskerEventEmitter.prototype, BRAND, { value: true });
  }

  readonly #id = randomUUID();

  /** Returns a random id that is unique to this emitter. */
  getInstanceId(): string {
    return this.#id;
  }

  emitStepReceived(event: FfiStepEvent): void {
    this.emit(EventNames.STEP_EXECUTION_RECEIVED, { event, receivedAt: new Date() });
  }

  emitStepStarted(eventId: string, stepUuid: string, taskUuid: string, handlerName: string): void {
    const startedAt = new Date();
    this.emit(EventNames.STEP_EXECUTION_STARTED, { eventId, stepUuid, taskUuid, handlerName, startedAt });
  }

  emitStepCompleted(
    eventId: string,
    stepUuid: string,
    taskUuid: string,
    result: NapiStepExecutionResult,
    executionTimeMs: number,
  ): void {
    const completedAt = new Date();
    const payload = { eventId, stepUuid, taskUuid, result, executionTimeMs, completedAt };
    this.emit(EventNames.STEP_EXECUTION_COMPLETED, payload);
  }

  emitStepFailed(eventId: string, stepUuid: string, taskUuid: string, error: Error): void {
    this.emit(EventNames.STEP_EXECUTION_FAILED, { eventId, stepUuid, taskUuid, error, failedAt: new Date() });
  }

  emitCompletionSent(eventId: string, stepUuid: string, success: boolean): void {
    const sentAt = new Date();
    this.emit(EventNames.STEP_COMPLETION_SENT, { eventId, stepUuid, success, sentAt, timestamp: sentAt });
  }

  emitWorkerStarted(workerId?: string): void {
    this.emit(EventNames.WORKER_STARTED, ofWorker(workerId));
  }

  emitWorkerReady(workerId?: string): void {
    this.emit(EventNames.WORKER_READY, ofWorker(workerId));
  }

  emitWorkerShutdownStarted(workerId?: string): void {
    this.emit(EventNames.WORKER_SHUTDOWN_STARTED, ofWorker(workerId));
  }

  emitWorkerStopped(workerId?: string): void {
    this.emit(EventNames.WORKER_STOPPED, ofWorker(workerId));
  }

  emitWorkerError(error: Error, context?: Record<string, unknown>): void {
    this.emit(EventNames.WORKER_ERROR, { error, timestamp: new Date(), ...(context && { context }) });
  }

  emitMetricsUpdated(metrics: FfiDispatchMetrics): void {
    this.emit(EventNames.METRICS_UPDATED, { metrics, timestamp: new Date() });
  }

  emitStarvationDetected(metrics: FfiDispatchMetrics): void {
    this.emit(EventNames.POLLER_STARVATION_DETECTED, { metrics, timestamp: new Date() });
  }
}

/** Returns whether a value is an emitter, from this or another copy of the package. */
export function isTaskerEventEmitter(value: unknown): value is TaskerEventEmitter {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

function ofWorker(workerId: string | undefined): { workerId?: string; timestamp: Date } {
  return { ...(workerId !== undefined && { workerId }), timestamp: new Date() };
}

import { randomUUID } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { logError } from '../../logging/log.ts';
import type { FfiDispatchMetrics } from '../dispatch-channel.ts';
import { EventNames } from './event-names.ts';
import type { TaskerEventMap } from './event-payloads.ts';
import type { NapiStepExecutionResult } from './execution-result.ts';
import { type AnyListener, ListenerTable } from './listener-table.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's emitters.
const BRAND = Symbol.for('tasker-core.event-emitter');

type Name = keyof TaskerEventMap;
type Listener<N extends Name> = (payload: TaskerEventMap[N]) => unknown;

/**
 * Events of a poller and a subscriber, for programs that make these themselves; each payload is one object. A listener
 * that throws is logged, and disturbs nobody else.
 *
 * @example
 * const emitter = new TaskerEventEmitter();
 * emitter.on('step.execution.failed', ({ stepUuid, error }) => console.error(stepUuid, error.message));
 */
export class TaskerEventEmitter {
  static {
    Object.defineProperty(TaskerEventEmitter.prototype, BRAND, { value: true });
  }

  readonly #id = randomUUID();
  readonly #table = new ListenerTable((name, error) =>
    logError(`a listener of ${name} failed: ${messageOf(error)}`, { error }),
  );

  /** Tells emitters apart. */
  getInstanceId(): string {
    return this.#id;
  }

  on<N extends Name>(name: N, listener: Listener<N>): this {
    this.#table.add(name, listener);
    return this;
  }

  addListener<N extends Name>(name: N, listener: Listener<N>): this {
    return this.on(name, listener);
  }

  once<N extends Name>(name: N, listener: Listener<N>): this {
    this.#table.add(name, listener, { once: true });
    return this;
  }

  off<N extends Name>(name: N, listener: Listener<N>): this {
    this.#table.remove(name, listener);
    return this;
  }

  removeListener<N extends Name>(name: N, listener: Listener<N>): this {
    return this.off(name, listener);
  }

  removeAllListeners(name?: Name): this {
    this.#table.clear(name);
    return this;
  }

  /** False when nobody listens. */
  emit<N extends Name>(name: N, payload: TaskerEventMap[N]): boolean {
    return this.#table.call(name, [payload]);
  }

  listenerCount(name: Name): number {
    return this.#table.count(name);
  }

  listeners(name: Name): AnyListener[] {
    return this.#table.listeners(name);
  }

  /** The names that somebody listens to. */
  eventNames(): string[] {
    return this.#table.names();
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

/** Whether it is an emitter, of this copy of the package or of another. */
export function isTaskerEventEmitter(value: unknown): value is TaskerEventEmitter {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

function ofWorker(workerId: string | undefined): { workerId?: string; timestamp: Date } {
  return { ...(workerId !== undefined && { workerId }), timestamp: new Date() };
}

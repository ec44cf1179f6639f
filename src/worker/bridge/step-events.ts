import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { thrownBehindResult, waitIn } from '../../handlers/outcome.ts';
import type { StepHandlerResult } from '../../handlers/step-handler.ts';
import { type EventBridge, isEventBridge } from './event-bridge.ts';
import type { TaskerEventEmitter } from './event-emitter.ts';
import { EventNames } from './event-names.ts';
import type { TaskerEventMap } from './event-payloads.ts';
import { executionResult, type NapiCheckpointYieldData, type NapiStepExecutionResult } from './execution-result.ts';

/** A step that a subscriber runs, with the data that its events need. */
export interface RunOfStep {
  event: FfiStepEvent;
  handlerName: string;
  /** When it started, on the clock of `performance.now()`. */
  startedAt: number;
  /** Duration of the handler in milliseconds; undefined until it settled. */
  tookMs?: number;
}

/** Events whose payload is the same on a bridge and on an emitter. */
export type SharedEventName = Exclude<keyof TaskerEventMap, 'step.execution.received' | 'step.completion.sent'>;

/** Emits the events of a subscriber's steps on a bridge or an emitter. Payloads without a listener are not created. */
export class StepEvents {
  readonly #to: EventBridge | TaskerEventEmitter;
  readonly #workerId: () => string;

  constructor(to: EventBridge | TaskerEventEmitter, workerId: () => string) {
    this.#to = to;
    this.#workerId = workerId;
  }

  started(run: RunOfStep): void {
    this.#emit(EventNames.STEP_EXECUTION_STARTED, () => ({
      ...idsOf(run),
      handlerName: run.handlerName,
      startedAt: new Date(),
    }));
  }

  /** Publishes `handler.error` if the handler threw instead of returning its failure. */
  #threw({ event }: RunOfStep, result: StepHandlerResult): void {
    const to = this.#to;
    if (!isEventBridge(to) || !to.isActive || to.listenerCount(EventNames.HANDLER_ERROR) === 0) return;
    const behind = thrownBehindResult(result);
    if (behind) to.publish(EventNames.HANDLER_ERROR, event, errorOf(behind.thrown));
  }

  /** Publishes that a handler settled. A step that waits has no event, because it has no result yet. */
  settled(run: RunOfStep, result: StepHandlerResult): void {
    if (waitIn(result)) return;
    if (result.success) {
      this.#emit(EventNames.STEP_EXECUTION_COMPLETED, () => ({
        ...idsOf(run),
        result: this.executionResult(run, result),
        executionTimeMs: msOf(run),
        completedAt: new Date(),
      }));
    } else {
      this.#threw(run, result);
      const error = () => new Error(result.errorMessage ?? 'unknown error');
      this.#emit(EventNames.STEP_EXECUTION_FAILED, () => ({ ...idsOf(run), error: error(), failedAt: new Date() }));
    }
  }

  timedOut(run: RunOfStep, error: Error): void {
    this.#emit(EventNames.STEP_EXECUTION_TIMEOUT, () => ({ ...idsOf(run), error, failedAt: new Date() }));
  }

  /** Whether `step.completion.sent` has a listener. */
  get wantsSent(): boolean {
    return this.#to.listenerCount(EventNames.STEP_COMPLETION_SENT) > 0;
  }

  /** Publishes that the result is committed. */
  sent(run: RunOfStep, result: StepHandlerResult): void {
    const name = EventNames.STEP_COMPLETION_SENT;
    if (waitIn(result)) return;
    if (this.#to.listenerCount(name) === 0) return;
    if (isEventBridge(this.#to)) {
      if (this.#to.isActive) this.#to.publish(name, this.executionResult(run, result));
    } else this.#to.emitCompletionSent(run.event.eventId, run.event.stepUuid, result.success);
  }

  yielded({ event }: RunOfStep, { cursor, itemsProcessed }: NapiCheckpointYieldData): void {
    const { eventId, stepUuid } = event;
    const timestamp = new Date();
    this.#emit(EventNames.STEP_CHECKPOINT_YIELD_SENT, () => ({
      eventId,
      stepUuid,
      cursor,
      itemsProcessed,
      timestamp,
    }));
  }

  executionResult(run: RunOfStep, result: StepHandlerResult): NapiStepExecutionResult {
    const { stepUuid } = run.event;
    return executionResult(result, { stepUuid, workerId: this.#workerId(), executionTimeMs: msOf(run) });
  }

  #emit<Name extends SharedEventName>(name: Name, payload: () => TaskerEventMap[Name]): void {
    emitOn(this.#to, name, payload);
  }
}

/** Emits an event on a started bridge or on an emitter. The payload is only created if there is a listener. */
export function emitOn<Name extends SharedEventName>(
  to: EventBridge | TaskerEventEmitter,
  name: Name,
  payload: () => TaskerEventMap[Name],
): void {
  if (to.listenerCount(name) === 0) return;
  if (!isEventBridge(to)) to.emit(name, payload());
  // The compiler cannot infer that the payload is the only argument of these events.
  else if (to.isActive) (to.publish as (name: string, payload: unknown) => boolean).call(to, name, payload());
}

/** Returns the progress of a step, in the form in which a subscriber sends it. */
export function yieldOf(stepUuid: string, { result }: StepHandlerResult): NapiCheckpointYieldData {
  const { cursor = 0, items_processed: items, accumulated_results: results } = result ?? {};
  const accumulated = typeof results === 'object' && results !== null && !Array.isArray(results);
  return {
    stepUuid,
    cursor,
    itemsProcessed: typeof items === 'number' ? items : 0,
    ...(accumulated && { accumulatedResults: results as Record<string, unknown> }),
  };
}

/** Returns a thrown value as an `Error`. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

function idsOf({ event }: RunOfStep): { eventId: string; stepUuid: string; taskUuid: string } {
  return { eventId: event.eventId, stepUuid: event.stepUuid, taskUuid: event.taskUuid };
}

function msOf({ startedAt, tookMs }: RunOfStep): number {
  return tookMs ?? Math.round(performance.now() - startedAt);
}

import type { EventOutcome } from '../../engine/events/declared-events.ts';
import { executionOfEvent, type StoredExecution } from '../../engine/events/logged-event.ts';
import type { AttemptDetail, StepExecutionResult } from '../../engine/task-view.ts';
import { stepUuid } from '../../model/ids.ts';
import { createStepEventContext, type StepEventContext } from './step-event-context.ts';

type Fields = Record<string, unknown>;

/** An attempt that ended: what its events tell of. */
export interface EndedAttempt {
  outcome: EventOutcome;
  taskUuid: string;
  idx: number;
  stepName: string;
  /** The step of the template: differs from `stepName` for the workers of a batch. */
  templateStepName: string;
  namespace: string;
  correlationId: string;
  /** The number of the start, from 1. */
  attempt: number;
  /** JSON text; `null` of a failure. */
  result: string;
  /** JSON text of error and metadata, or `null`. */
  detail: string;
  durationMs: number;
  /** The name of the worker. */
  worker: string;
}

/** The business result, parsed anew: whoever gets it may change it. Empty of a failure. */
export function resultOf({ outcome, result }: EndedAttempt): Fields {
  return outcome === 'completed' ? (JSON.parse(result) as Fields) : {};
}

function detailOf({ detail }: EndedAttempt): AttemptDetail {
  return detail === 'null' ? {} : (JSON.parse(detail) as AttemptDetail);
}

/** What is stored of the attempt with its events, as JSON text; without the result, which the recording has. */
export function storedExecution(attempt: EndedAttempt): string {
  // As of most: nothing is out of the ordinary.
  if (attempt.detail === 'null' && attempt.outcome === 'completed') {
    return `{"worker_id":${JSON.stringify(attempt.worker)},"execution_time_ms":${attempt.durationMs}}`;
  }
  return JSON.stringify(execution(attempt));
}

function execution(attempt: EndedAttempt): StoredExecution {
  const { durationMs: execution_time_ms, worker: worker_id, outcome } = attempt;
  return {
    execution_time_ms,
    worker_id,
    ...detailOf(attempt),
    ...(outcome !== 'completed' && { result: {} }),
  };
}

/** The same as it is passed on. */
export function executionOf(attempt: EndedAttempt, firedAt: string): StepExecutionResult {
  const { taskUuid, idx } = attempt;
  return executionOfEvent(execution(attempt), { taskUuid, idx, firedAt, payload: resultOf(attempt) });
}

/** What publishers are told. */
export function contextOf(attempt: EndedAttempt, eventName: string): StepEventContext {
  const { taskUuid, idx, stepName, namespace, correlationId, outcome } = attempt;
  const { custom = {}, error } = detailOf(attempt);
  const failure = error && {
    error_type: error.error_type ?? null,
    error_message: error.message ?? '',
    retryable: error.retryable ?? false,
  };
  return createStepEventContext({
    taskUuid,
    stepUuid: stepUuid(taskUuid, idx),
    stepName,
    namespace,
    correlationId,
    eventName,
    success: outcome === 'completed',
    result: resultOf(attempt),
    metadata: { ...custom, ...failure },
  });
}

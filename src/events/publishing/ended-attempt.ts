import type { EventOutcome } from '../../engine/events/declared-events.ts';
import { executionOfEvent, type StoredExecution } from '../../engine/events/logged-event.ts';
import type { AttemptDetail, StepExecutionResult } from '../../engine/task-view.ts';
import { stepUuid } from '../../model/ids.ts';
import { createStepEventContext, type StepEventContext } from './step-event-context.ts';

type Fields = Record<string, unknown>;

/** An attempt that has ended, with the data for its events. */
export interface EndedAttempt {
  outcome: EventOutcome;
  taskUuid: string;
  idx: number;
  stepName: string;
  /** The name of the step in the template. Differs from `stepName` for batch workers. */
  templateStepName: string;
  namespace: string;
  correlationId: string;
  /** The parent and the root of a child task. Null for a task without a parent. */
  parent: { taskUuid: string; rootUuid: string } | null;
  /** The number of the attempt, from 1. */
  attempt: number;
  /** JSON text of the result; `null` after a failure. */
  result: string;
  /** JSON text of error and metadata, or `null`. */
  detail: string;
  durationMs: number;
  /** The name of the worker. */
  worker: string;
}

/** Returns the result, empty after a failure. Parses a new copy each time, because the caller may modify it. */
export function resultOf({ outcome, result }: EndedAttempt): Fields {
  return outcome === 'completed' ? (JSON.parse(result) as Fields) : {};
}

function detailOf({ detail }: EndedAttempt): AttemptDetail {
  return detail === 'null' ? {} : (JSON.parse(detail) as AttemptDetail);
}

/**
 * Returns the JSON text of the attempt that is stored with its events. The text does not include the result, which is
 * recorded separately.
 */
export function storedExecution(attempt: EndedAttempt): string {
  // The usual case, without an error or metadata.
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

/** Returns the execution result that listeners and publishers get. */
export function executionOf(attempt: EndedAttempt, firedAt: string): StepExecutionResult {
  const { taskUuid, idx } = attempt;
  return executionOfEvent(execution(attempt), { taskUuid, idx, firedAt, payload: resultOf(attempt) });
}

/** Returns the context for publishers. */
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

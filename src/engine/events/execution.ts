import { stepUuid } from '../../model/ids.ts';
import { type AttemptDetail, executionResult, type StepExecutionResult } from '../task-view.ts';

/**
 * What is stored of an attempt with each of its events: what differs from the ordinary, and what has no column. It
 * failed if it has an error. `result` is left out where it is the event's payload.
 */
export interface StoredExecution extends AttemptDetail {
  execution_time_ms?: number;
  result?: unknown;
}

/** The event that an execution result goes with. */
export interface ExecutionOf {
  taskUuid: string;
  idx: number;
  /** ISO 8601: the time of its recording. */
  firedAt: string;
  payload: unknown;
}

/** What the attempt came to that an event tells of, in the form in which results are passed on. */
export function executionOfEvent(
  stored: StoredExecution,
  { taskUuid, idx, firedAt, payload }: ExecutionOf,
): StepExecutionResult {
  const { execution_time_ms } = stored;
  return executionResult(stored, {
    stepUuid: stepUuid(taskUuid, idx),
    success: stored.error === undefined,
    result: 'result' in stored ? stored.result : payload,
    durationMs: execution_time_ms ?? null,
    startedAt: execution_time_ms === undefined ? null : new Date(Date.parse(firedAt) - execution_time_ms).toISOString(),
    completedAt: firedAt,
    worker: stored.worker_id ?? null,
    host: null,
  });
}

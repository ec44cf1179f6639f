import { stepUuid } from '../../model/ids.ts';
import type { EventRow } from '../../store/events/rows.ts';
import { type AttemptDetail, executionResult, type StepExecutionResult } from '../task-view.ts';

/** A durable event, as a delivery reads it. */
export interface LoggedEvent {
  /** Its place in the log: within a task it grows in commit order. */
  id: number;
  /** The event's own identity, the same in all its copies and deliveries. */
  eventId: string;
  name: string;
  version: string;
  taskUuid: string;
  stepUuid: string;
  stepName: string;
  namespace: string;
  correlationId: string;
  /** The attempt of the step that told it, from 1. */
  attempt: number;
  publisher: string;
  /** ISO 8601, by the database's clock: when its attempt was recorded. The same in all copies of the event. */
  firedAt: string;
  /** What the publisher made of the result. */
  payload: unknown;
  /** What the publisher added, and nothing else. */
  metadata: Record<string, unknown>;
  /** The execution result of the attempt, whole. */
  executionResult: unknown;
}

/** A row as a delivery reads it. */
export function loggedEvent(row: EventRow): LoggedEvent {
  const { id, eventId, name, version, taskUuid, idx, attempt, publisher, firedAt } = row;
  const payload: unknown = JSON.parse(row.payload);
  const stored = JSON.parse(row.execution) as StoredExecution;
  return {
    id,
    eventId,
    name,
    version,
    taskUuid,
    stepUuid: stepUuid(taskUuid, idx),
    stepName: row.stepName ?? '',
    namespace: row.namespace ?? '',
    correlationId: row.correlationId ?? taskUuid,
    attempt,
    publisher,
    firedAt,
    payload,
    metadata: row.metadata === null ? {} : (JSON.parse(row.metadata) as Record<string, unknown>),
    executionResult: executionOfEvent(stored, { taskUuid, idx, firedAt, payload }),
  };
}

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

/** What says where an event comes from. */
export interface EventOrigin {
  /** What its publisher says besides. */
  metadata: Readonly<Record<string, unknown>>;
  taskUuid: string;
  stepUuid: string | null;
  stepName: string | null;
  namespace: string;
  correlationId: string;
  firedAt: string;
  publisher: string | null;
}

/** The metadata of an event as it goes over the wire; what a publisher says can't take the place of ids, names and times. */
export function wireMetadata(event: EventOrigin): Record<string, unknown> {
  return {
    ...event.metadata,
    task_uuid: event.taskUuid,
    step_uuid: event.stepUuid,
    step_name: event.stepName,
    namespace: event.namespace,
    correlation_id: event.correlationId,
    fired_at: event.firedAt,
    fired_by: event.publisher,
  };
}

import { stepUuid } from '../../model/ids.ts';
import type { EventRow } from '../../store/events/rows.ts';
import { type AttemptDetail, executionResult, type StepExecutionResult } from '../task-view.ts';

/** A durable event, as deliveries read it. */
export interface LoggedEvent {
  /** Its position in the log. Within a task, it grows in commit order. */
  id: number;
  /** The id of the event, the same in all its copies and deliveries. */
  eventId: string;
  name: string;
  version: string;
  taskUuid: string;
  stepUuid: string;
  stepName: string;
  namespace: string;
  correlationId: string;
  /** The number of the attempt that published it, as in the history. */
  attempt: number;
  publisher: string;
  /** When its attempt was recorded, by the database's clock, in ISO 8601. The same in all copies of the event. */
  firedAt: string;
  /** The payload from the publisher. */
  payload: unknown;
  /** Only the metadata that the publisher added. */
  metadata: Record<string, unknown>;
  /** The whole execution result of the attempt. */
  executionResult: unknown;
}

/** Returns a row as deliveries read it. */
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
 * The part of an attempt that is stored with each of its events: the fields that differ from the defaults and have no
 * column. The attempt failed if there is an error. `result` is omitted if it is the payload of the event.
 */
export interface StoredExecution extends AttemptDetail {
  execution_time_ms?: number;
  result?: unknown;
}

/** The event to which an execution result belongs. */
export interface ExecutionOf {
  taskUuid: string;
  idx: number;
  /** The time of its recording, in ISO 8601. */
  firedAt: string;
  payload: unknown;
}

/** Returns the execution result of the attempt that published an event. */
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

/** The origin of an event. */
export interface EventOrigin {
  /** Metadata from its publisher. */
  metadata: Readonly<Record<string, unknown>>;
  taskUuid: string;
  stepUuid: string | null;
  stepName: string | null;
  namespace: string;
  correlationId: string;
  firedAt: string;
  publisher: string | null;
}

/** Returns the metadata of an event as it is sent. A publisher cannot override ids, names and times. */
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

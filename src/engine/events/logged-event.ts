import { stepUuid } from '../../model/ids.ts';
import type { EventRow } from '../../store/events/rows.ts';
import { executionOfEvent, type StoredExecution } from './execution.ts';

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

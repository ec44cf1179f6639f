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
  /** ISO 8601, by the database's clock. */
  firedAt: string;
  /** What the publisher made of the result. */
  payload: unknown;
  /** What the publisher added, and nothing else. */
  metadata: Record<string, unknown>;
  /** The execution result of the attempt, whole. */
  executionResult: unknown;
}

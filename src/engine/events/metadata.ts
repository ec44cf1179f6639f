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

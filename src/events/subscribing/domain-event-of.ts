import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { DeliveryMode } from '../../template/task-template.ts';
import { createDomainEvent, type DomainEvent, type EventExecutionResult } from './domain-event.ts';

/** An event of the log, or of this process. */
export type AnyEvent = Omit<LoggedEvent, 'id'> & { deliveryMode?: DeliveryMode };

/** An event as subscribers get it. Without an `envelope`, what goes over the wire is made of the event alone. */
export function domainEventOf(event: AnyEvent, envelope?: () => Promise<unknown>): DomainEvent {
  const { taskUuid, stepUuid, stepName, namespace, correlationId, firedAt, publisher, deliveryMode } = event;
  return createDomainEvent({
    eventId: event.eventId,
    eventName: event.name,
    eventVersion: event.version,
    payload: event.payload as Record<string, unknown>,
    metadata: { ...event.metadata, taskUuid, stepUuid, stepName, namespace, correlationId, firedAt, publisher },
    executionResult: event.executionResult as EventExecutionResult,
    ...(deliveryMode && { deliveryMode }),
    ...(envelope && { envelope }),
  });
}

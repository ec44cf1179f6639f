import { type EventOrigin, type LoggedEvent, wireMetadata } from '../../engine/events/logged-event.ts';
import type { StepExecutionResult } from '../../engine/task-view.ts';
import type { DeliveryMode } from '../../template/task-template.ts';
import type { StepResult } from '../publishing/step-event-context.ts';

type Fields = Record<string, unknown>;

/** Where an event comes from, and what its publisher says besides. */
export interface DomainEventMetadata {
  taskUuid: string;
  stepUuid: string;
  stepName?: string;
  namespace: string;
  correlationId: string;
  /** ISO 8601, by the database's clock: when the result that it tells of was recorded. The same in all copies of the event. */
  firedAt: string;
  /** The publisher's name. */
  publisher?: string;
  /** What `additionalMetadata` gave; it can't take the place of the members above. */
  [extra: string]: unknown;
}

/** What the attempt behind an event came to, as it is stored; only `success` is sure in one that a test made. */
export type EventExecutionResult = StepResult & Partial<Omit<StepExecutionResult, 'success' | 'result' | 'metadata'>>;

/** A domain event, as subscribers get it. */
export interface DomainEvent<Payload = Fields> {
  /** The same in all copies and deliveries of the event: what to remember to do a thing once. */
  readonly eventId: string;
  readonly eventName: string;
  readonly eventVersion: string;
  /** What the publisher made of the result. */
  readonly payload: Payload;
  readonly metadata: DomainEventMetadata;
  /** The real one: `success: false` for an event that tells of a failure. */
  readonly executionResult: EventExecutionResult;
  /** How it came: `fast` and `broadcast` in this process; absent when that is not known. */
  readonly deliveryMode?: DeliveryMode;
  /** The event as it goes over the wire: snake_case, with the task, the step and its execution result in the payload. */
  envelope(): Promise<unknown>;
}

/** Another name of {@link DomainEvent}. */
export type InProcessDomainEvent<Payload = Fields> = DomainEvent<Payload>;

/** What a {@link DomainEvent} is made of. */
export interface DomainEventInit<Payload = Fields> {
  eventId: string;
  eventName: string;
  /** Default '1.0'. */
  eventVersion?: string;
  payload: Payload;
  /** What is not given: nil ids, the namespace `default`, now. */
  metadata: Partial<DomainEventMetadata> | Fields;
  executionResult: EventExecutionResult;
  deliveryMode?: DeliveryMode;
  /** Default: made of what is given here, without the task. */
  envelope?: () => Promise<unknown>;
}

const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * An event, as a test of a subscriber needs it.
 *
 * @example
 * const event = createDomainEvent({
 *   eventId: '0199aa00-0000-7000-8000-000000000001',
 *   eventName: 'payment.processed',
 *   payload: { amount: 12.5 },
 *   metadata: { stepName: 'charge' },
 *   executionResult: { success: true, result: { amount: 12.5 } },
 * });
 */
export function createDomainEvent<Payload = Fields>(data: DomainEventInit<Payload>): DomainEvent<Payload> {
  const { eventVersion = '1.0', deliveryMode, envelope } = data;
  const metadata: DomainEventMetadata = {
    taskUuid: NIL,
    stepUuid: NIL,
    namespace: 'default',
    correlationId: NIL,
    firedAt: new Date().toISOString(),
    ...data.metadata,
  };
  return {
    eventId: data.eventId,
    eventName: data.eventName,
    eventVersion,
    payload: data.payload,
    metadata,
    executionResult: data.executionResult,
    ...(deliveryMode && { deliveryMode }),
    envelope: envelope ?? (() => Promise.resolve(envelopeOf({ ...data, eventVersion, metadata }))),
  };
}

/** An event of the log, or of this process. */
export type AnyEvent = Omit<LoggedEvent, 'id'> & { deliveryMode?: DeliveryMode };

/** An event as subscribers get it. Without an `envelope`, what goes over the wire is made of the event alone. */
export function domainEventOf(event: AnyEvent, envelope?: () => Promise<unknown>): DomainEvent {
  const { taskUuid, stepUuid, stepName, namespace, correlationId, firedAt, publisher, deliveryMode } = event;
  return createDomainEvent({
    eventId: event.eventId,
    eventName: event.name,
    eventVersion: event.version,
    payload: event.payload as Fields,
    metadata: { ...event.metadata, taskUuid, stepUuid, stepName, namespace, correlationId, firedAt, publisher },
    executionResult: event.executionResult as EventExecutionResult,
    deliveryMode,
    envelope,
  });
}

/** The form of the wire, as far as an event that was made by hand knows it. */
function envelopeOf(event: DomainEventInit<unknown> & { metadata: DomainEventMetadata }): unknown {
  const {
    stepName = null,
    publisher = null,
    taskUuid,
    stepUuid,
    correlationId,
    firedAt,
    namespace,
    ...metadata
  } = event.metadata;
  const payload = { task_sequence_step: null, execution_result: event.executionResult, payload: event.payload };
  const ids = { taskUuid, stepUuid, stepName, namespace, correlationId };
  return wireOf(event, payload, { ...ids, metadata, firedAt, publisher });
}

/** An event as it goes over the wire. */
export function wireOf(
  { eventId, eventName, eventVersion }: Pick<DomainEventInit, 'eventId' | 'eventName' | 'eventVersion'>,
  payload: unknown,
  origin: EventOrigin,
): unknown {
  const metadata = wireMetadata(origin);
  return { event_id: eventId, event_name: eventName, event_version: eventVersion, payload, metadata };
}

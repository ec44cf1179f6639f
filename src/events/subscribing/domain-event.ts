import { type EventOrigin, type LoggedEvent, wireMetadata } from '../../engine/events/logged-event.ts';
import type { StepExecutionResult } from '../../engine/task-view.ts';
import type { DeliveryMode } from '../../template/task-template.ts';
import type { StepResult } from '../publishing/step-event-context.ts';

type Fields = Record<string, unknown>;

/** The origin of an event, and additional metadata of its publisher. */
export interface DomainEventMetadata {
  taskUuid: string;
  stepUuid: string;
  stepName?: string;
  namespace: string;
  correlationId: string;
  /**
   * When the result of the step was recorded, by the database clock, in ISO 8601. The same in all copies of the event.
   */
  firedAt: string;
  /** The name of the publisher. */
  publisher?: string;
  /** The result of `additionalMetadata`, which cannot replace the members above. */
  [extra: string]: unknown;
}

/** The stored outcome of an event's attempt. In an event created by a test, only `success` is guaranteed. */
export type EventExecutionResult = StepResult & Partial<Omit<StepExecutionResult, 'success' | 'result' | 'metadata'>>;

/** A domain event as subscribers get it. */
export interface DomainEvent<Payload = Fields> {
  /** The same in all copies and deliveries of the event. Use it to detect duplicates. */
  readonly eventId: string;
  readonly eventName: string;
  readonly eventVersion: string;
  /** The payload that the publisher created. */
  readonly payload: Payload;
  readonly metadata: DomainEventMetadata;
  /** The outcome of the step, with `success: false` for a failure. */
  readonly executionResult: EventExecutionResult;
  /** `fast` or `broadcast` for events of this process; undefined if the mode is not known. */
  readonly deliveryMode?: DeliveryMode;
  /** Returns the wire format: snake_case, with the task, the step and its execution result in the payload. */
  envelope(): Promise<unknown>;
}

/** Alias of {@link DomainEvent}. */
export type InProcessDomainEvent<Payload = Fields> = DomainEvent<Payload>;

/** The argument of {@link createDomainEvent}. */
export interface DomainEventInit<Payload = Fields> {
  eventId: string;
  eventName: string;
  /** Default '1.0'. */
  eventVersion?: string;
  payload: Payload;
  /** Defaults: nil ids, the namespace `default` and the current time. */
  metadata: Partial<DomainEventMetadata> | Fields;
  executionResult: EventExecutionResult;
  deliveryMode?: DeliveryMode;
  /** Default: built from the other members, without the task. */
  envelope?: () => Promise<unknown>;
}

const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * Creates an event, for testing a subscriber.
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

/** An event from the log or from this process. */
export type AnyEvent = Omit<LoggedEvent, 'id'> & { deliveryMode?: DeliveryMode };

/** Converts an event for subscribers. Without `envelope`, its wire format has only the data of the event itself. */
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

/** Returns the wire format of an event created by hand, without the data that it does not have. */
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

/** Returns the wire format of an event. */
export function wireOf(
  { eventId, eventName, eventVersion }: Pick<DomainEventInit, 'eventId' | 'eventName' | 'eventVersion'>,
  payload: unknown,
  origin: EventOrigin,
): unknown {
  const metadata = wireMetadata(origin);
  return { event_id: eventId, event_name: eventName, event_version: eventVersion, payload, metadata };
}

import type { DeliveryMode } from '../../template/task-template.ts';
import { createDomainEvent, type DomainEvent, type EventExecutionResult, wireOf } from './domain-event.ts';
import type { LiveEvent } from './event-bus.ts';
import { sizeOf, withSize } from './waiting-limit.ts';

type Fields = Record<string, unknown>;

/** The metadata of an event from the bridge. */
export interface NapiDomainEventMetadata {
  taskUuid: string;
  stepUuid?: string | null;
  stepName?: string | null;
  namespace: string;
  correlationId: string;
  firedAt: string;
  /** The name of the publisher. */
  firedBy?: string | null;
  /** Additional metadata of the publisher. */
  [extra: string]: unknown;
}

/**
 * A domain event as `pollInProcessEvents()` returns it. Its payload is the envelope of the wire format. For events of this
 * process, `task_sequence_step` is null, because polling does not read the database; see {@link ffiEventToDomainEvent}.
 */
export interface NapiDomainEvent {
  eventId: string;
  eventName: string;
  eventVersion: string;
  /** `{ task_sequence_step, execution_result, payload }` */
  payload: unknown;
  metadata: NapiDomainEventMetadata;
  /** `fast` or `broadcast`. Not set by other modules. */
  deliveryMode?: DeliveryMode;
}

/** Functions that read the whole envelope from the log. Kept outside the event, because a bridge passes no functions. */
const wholeEnvelopes = new WeakMap<NapiDomainEvent, () => Promise<unknown>>();

/** The part of a module from which events are polled. `null` means that there is no event. */
export interface DomainEventModule {
  pollInProcessEvents(): NapiDomainEvent | null;
}

/**
 * Creates the poll function of a poller from a module.
 *
 * @example
 * const poller = new InProcessDomainEventPoller();
 * poller.setPollFunction(createFfiPollAdapter((await getFfiLayer()).getModule()));
 */
export function createFfiPollAdapter(module: DomainEventModule): () => DomainEvent | null {
  return () => {
    const event = module.pollInProcessEvents();
    return event && ffiEventToDomainEvent(event);
  };
}

/**
 * Converts an event of the bridge for subscribers: takes the payload and the execution result out of the envelope. An
 * event without an envelope has no information about its attempt, so it is treated as a success whose result is the
 * payload.
 *
 * `envelope()` of the returned event reads the task, the step and earlier results from the database. This requires the
 * object that the worker of this process created as the argument. For a copy, or for an event of another module, the
 * envelope has only the data of that event, and `task_sequence_step` may be null.
 *
 * @example
 * const event = ffiEventToDomainEvent({
 *   eventId: '0199aa00-0000-7000-8000-000000000001',
 *   eventName: 'payment.processed',
 *   eventVersion: '1.0',
 *   payload: { task_sequence_step: {}, execution_result: { success: true }, payload: { amount: 12.5 } },
 *   metadata: { taskUuid, namespace: 'shop', correlationId: taskUuid, firedAt: '2026-01-02T03:04:06Z' },
 * });
 * console.log(event.payload.amount);
 */
export function ffiEventToDomainEvent(ffiEvent: NapiDomainEvent): DomainEvent {
  const { eventId, eventName, eventVersion, deliveryMode, metadata: given } = ffiEvent;
  const { stepUuid, stepName, firedBy, ...metadata } = given;
  const { payload, executionResult } = partsOf(ffiEvent.payload);
  const event = createDomainEvent({
    eventId,
    eventName,
    eventVersion,
    payload,
    metadata: {
      ...metadata,
      ...(stepUuid != null && { stepUuid }),
      ...(stepName != null && { stepName }),
      ...(firedBy != null && { publisher: firedBy }),
    },
    executionResult,
    ...(deliveryMode && { deliveryMode }),
    envelope: wholeEnvelopes.get(ffiEvent) ?? (() => Promise.resolve(envelopeOf(ffiEvent))),
  });
  return withSize(event, sizeOf(ffiEvent));
}

/** Converts an event of this process for the bridge. `envelope` reads the whole envelope on demand. */
export function napiDomainEvent(event: LiveEvent, envelope: () => Promise<unknown>): NapiDomainEvent {
  const { taskUuid, stepUuid, stepName, namespace, correlationId, firedAt, publisher } = event;
  const ids = { taskUuid, stepUuid, stepName, namespace, correlationId };
  const napi: NapiDomainEvent = {
    eventId: event.eventId,
    eventName: event.name,
    eventVersion: event.version,
    payload: { task_sequence_step: null, execution_result: event.executionResult, payload: event.payload },
    metadata: { ...event.metadata, ...ids, firedAt, firedBy: publisher },
    deliveryMode: event.deliveryMode,
  };
  wholeEnvelopes.set(napi, envelope);
  return napi;
}

function partsOf(given: unknown): { payload: Fields; executionResult: EventExecutionResult } {
  const payload = fieldsOf(given);
  if (!('execution_result' in payload && 'payload' in payload)) {
    return { payload, executionResult: { success: true, result: payload } };
  }
  const executionResult = fieldsOf(payload.execution_result);
  const success = executionResult.success === true;
  return { payload: fieldsOf(payload.payload), executionResult: { ...executionResult, success } };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function envelopeOf(event: NapiDomainEvent): unknown {
  const {
    taskUuid,
    stepUuid = null,
    stepName = null,
    namespace,
    correlationId,
    firedAt,
    firedBy,
    ...metadata
  } = event.metadata;
  const ids = { taskUuid, stepUuid, stepName, namespace, correlationId };
  return wireOf(event, event.payload, { ...ids, metadata, firedAt, publisher: firedBy ?? null });
}

import type { DeliveryMode } from '../../template/task-template.ts';
import { createDomainEvent, type DomainEvent, type EventExecutionResult, wireOf } from './domain-event.ts';
import type { LiveEvent } from './event-bus.ts';
import { sizeOf, withSize } from './waiting-limit.ts';

type Fields = Record<string, unknown>;

/** Where an event of the bridge comes from. */
export interface NapiDomainEventMetadata {
  taskUuid: string;
  stepUuid?: string | null;
  stepName?: string | null;
  namespace: string;
  correlationId: string;
  firedAt: string;
  /** The publisher's name. */
  firedBy?: string | null;
  /** What the publisher says besides. */
  [extra: string]: unknown;
}

/**
 * A domain event as `pollInProcessEvents()` gives it: its payload is the envelope of the wire. In those of the worker of
 * this process `task_sequence_step` is null, since a poll waits for nothing; see {@link ffiEventToDomainEvent}.
 */
export interface NapiDomainEvent {
  eventId: string;
  eventName: string;
  eventVersion: string;
  /** `{ task_sequence_step, execution_result, payload }` */
  payload: unknown;
  metadata: NapiDomainEventMetadata;
  /** `fast` or `broadcast`; modules of others don't say. */
  deliveryMode?: DeliveryMode;
}

/** How the rest of an event is read where its log is at hand. Kept beside it: no bridge takes a function across. */
const wholeEnvelopes = new WeakMap<NapiDomainEvent, () => Promise<unknown>>();

/** The part of a module that events are polled from. */
export interface DomainEventModule {
  pollInProcessEvents(): NapiDomainEvent | null;
}

/**
 * What a poller asks a module by.
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
 * An event of the bridge as subscribers get it: the business payload and the real execution result, taken out of their
 * envelope. An event without an envelope says nothing of its attempt: it is told as a success whose result is the payload.
 * Its own `envelope()` reads task, step and the results above it from the database when the very object is given that the
 * worker of this process made. Of a copy, or of another module's event, it has what came with it: `task_sequence_step` is
 * null where that said nothing.
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

/** An event of this process as the bridge gives it. `envelope` reads the rest, if somebody asks for it. */
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

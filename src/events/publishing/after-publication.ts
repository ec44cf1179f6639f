import type { Logger } from '../../logging/logger.ts';
import { stepUuid } from '../../model/uuid.ts';
import { domainEventOf } from '../subscribing/domain-event.ts';
import type { EventBus, LiveEvent } from '../subscribing/event-bus.ts';
import { afterwards, tellOfError } from './ask-publishers.ts';
import { executionOf, resultOf } from './ended-attempt.ts';
import type { Publication } from './publication.ts';
import type { PublishedEvent } from './published-event.ts';
import { callAfterPublish } from './publisher-hooks.ts';

type Fields = Record<string, unknown>;

/** Who hears of events that are committed. */
export interface Hearers {
  /** ISO 8601: when they were recorded; their copies in the log have the same time. */
  firedAt: string;
  bus: EventBus;
  logger: Logger;
}

/** The events are committed with their attempt: listeners of this process and publishers hear of them. Never throws. */
export function tellPublished(publication: Publication, { firedAt, ...hearers }: Hearers): void {
  for (const event of publication.events) {
    const { declared, asked } = event;
    if (declared.deliveryMode === 'durable' && !asked) continue;
    tell({ publication, event, firedAt }, hearers);
  }
}

/** An event that is committed. */
interface Committed {
  publication: Publication;
  event: PublishedEvent;
  firedAt: string;
}

/** Of payload, metadata and execution result, as they are parsed for listeners. */
function sizeOf({ publication: { attempt }, event: { payload, metadata } }: Committed): number {
  const { result, detail } = attempt;
  const own = payload === undefined ? result.length : payload.length + result.length;
  return own + (metadata?.length ?? 0) + detail.length;
}

function tell(committed: Committed, { bus, logger }: Omit<Hearers, 'firedAt'>): void {
  const { declared, asked } = committed.event;
  if (declared.deliveryMode !== 'durable') {
    bus.publish({ name: declared.name, size: sizeOf(committed), event: () => liveEvent(committed) });
  }
  if (!asked) return;
  afterwards(asked, { hook: 'afterPublish', logger }, () =>
    callAfterPublish(asked, domainEventOf(liveEvent(committed))),
  );
}

/** The attempt was recorded without them, or not at all: publishers hear why. Never throws. */
export function tellUnpublished(events: readonly PublishedEvent[], thrown: Error, logger: Logger): void {
  for (const { asked, payload } of events) {
    if (asked) tellOfError(asked, { error: thrown, payload: payload ?? 'null' }, logger);
  }
}

/** Parsed anew each time: whoever gets it may change it. */
function liveEvent({ publication: { attempt }, event, firedAt }: Committed): LiveEvent {
  const { taskUuid, idx } = attempt;
  return {
    eventId: event.eventId,
    name: event.declared.name,
    version: '1.0',
    taskUuid,
    stepUuid: stepUuid(taskUuid, idx),
    stepName: attempt.stepName,
    namespace: attempt.namespace,
    correlationId: attempt.correlationId,
    attempt: attempt.attempt,
    publisher: event.publisher,
    firedAt,
    deliveryMode: event.declared.deliveryMode,
    payload: event.payload === undefined ? resultOf(attempt) : JSON.parse(event.payload),
    metadata: event.metadata === undefined ? {} : (JSON.parse(event.metadata) as Fields),
    executionResult: executionOf(attempt, firedAt),
  };
}

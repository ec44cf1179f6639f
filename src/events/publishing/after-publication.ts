import type { Logger } from '../../logging/logger.ts';
import { stepUuid } from '../../model/ids.ts';
import { domainEventOf } from '../subscribing/domain-event.ts';
import type { EventBus, LiveEvent } from '../subscribing/event-bus.ts';
import { callWithoutWaiting, notifyOfError, type PublishedEvent } from './ask-publishers.ts';
import { type EndedAttempt, executionOf, resultOf } from './ended-attempt.ts';
import type { Publication } from './publication.ts';
import { callAfterPublish } from './publisher-hooks.ts';

type Fields = Record<string, unknown>;

/** The receivers of committed events. */
export interface EventReceivers {
  /** When the events were recorded, in ISO 8601. Their copies in the log have the same time. */
  firedAt: string;
  bus: EventBus;
  logger: Logger;
}

/** Reports events that were committed with their attempt to listeners of this process and to publishers. Never throws. */
export function reportPublished({ attempt, events }: Publication, { firedAt, bus, logger }: EventReceivers): void {
  for (const event of events) {
    const { declared, asked } = event;
    const live = () => liveEvent(attempt, event, firedAt);
    if (declared.deliveryMode !== 'durable') {
      bus.publish({ name: declared.name, size: sizeOf(attempt, event), event: live });
    }
    if (asked)
      callWithoutWaiting(asked, { hook: 'afterPublish', logger }, () => callAfterPublish(asked, domainEventOf(live())));
  }
}

/** Returns the size of payload, metadata and execution result, which are parsed for listeners. */
function sizeOf({ result, detail }: EndedAttempt, { payload = '', metadata = '' }: PublishedEvent): number {
  return payload.length + result.length + metadata.length + detail.length;
}

/** Reports to publishers why events were not published with their attempt. Never throws. */
export function reportUnpublished(events: readonly PublishedEvent[], thrown: Error, logger: Logger): void {
  for (const { asked, payload } of events) {
    if (asked) notifyOfError(asked, { error: thrown, payload: payload ?? 'null' }, logger);
  }
}

/** Parses a new copy each time, because a listener may modify it. */
function liveEvent(attempt: EndedAttempt, event: PublishedEvent, firedAt: string): LiveEvent {
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

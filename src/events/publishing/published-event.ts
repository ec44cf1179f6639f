import type { DeclaredEvent } from '../../engine/events/declared-events.ts';
import type { EventProblem } from '../../engine/task-view.ts';
import { messageOfThrown } from '../../handlers/failures/thrown.ts';
import { uuidV7 } from '../../model/uuid.ts';
import type { EndedAttempt } from './ended-attempt.ts';
import type { AskedPublisher } from './publisher.ts';

/** An event that goes with the recording of its attempt. */
export interface PublishedEvent {
  declared: DeclaredEvent;
  eventId: string;
  /** The publisher's name. */
  publisher: string;
  /** JSON text; undefined: the result is the payload. */
  payload: string | undefined;
  /** JSON text of what is said beside ids and times; undefined: nothing. */
  metadata: string | undefined;
  /** Who wants to hear what becomes of it; undefined: the ordinary publisher, who doesn't. */
  asked?: AskedPublisher | undefined;
}

/** What came of one declared event; undefined: its publisher called it off. */
export type Made = PublishedEvent | EventProblem | undefined;

/** The publisher of events that nobody else makes. */
export const DEFAULT_PUBLISHER = 'default';

/** The payload is the step's result; empty of a failure. */
export function ordinaryEvent(attempt: EndedAttempt, declared: DeclaredEvent, payload: object): Made {
  return (
    violationOf(declared, payload) ?? {
      declared,
      eventId: uuidV7(),
      publisher: DEFAULT_PUBLISHER,
      payload: attempt.outcome === 'completed' ? undefined : '{}',
      metadata: metadataText(attempt, undefined),
    }
  );
}

/** What an event says beside ids and times: what its publisher adds, and that the step is not tried again. */
export function metadataText({ outcome }: EndedAttempt, added: string | undefined): string | undefined {
  if (outcome !== 'failed') return added;
  return added === undefined || added === '{}' ? '{"final":true}' : `${added.slice(0, -1)},"final":true}`;
}

/** Where a payload does not fit the declared schema. */
export function violationOf(event: DeclaredEvent, payload: unknown): EventProblem | undefined {
  try {
    const [first] = event.violations(payload);
    if (!first) return undefined;
    const message = `the payload does not fit the event's schema: ${first.path || '/'} ${first.message}`;
    return { event: event.name, kind: 'invalid', message, path: first.path };
  } catch (thrown) {
    return problemOf(event, messageOfThrown(thrown));
  }
}

/** Why an event could not be made. */
export function problemOf({ name }: DeclaredEvent, message: string): EventProblem {
  return { event: name, kind: 'failed', message, path: null };
}

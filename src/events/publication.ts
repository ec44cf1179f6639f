import type { DeclaredEvent, DeclaredEvents } from '../engine/declared-events.ts';
import type { StepEvents } from '../engine/engine.ts';
import type { EventProblem } from '../engine/task-view.ts';
import { messageOfThrown } from '../handlers/thrown.ts';
import { askPublishers, type Publishers, publisherFor } from './ask-publishers.ts';
import { type EndedAttempt, resultOf, storedExecution } from './ended-attempt.ts';
import { type Made, ordinaryEvent, type PublishedEvent } from './published-event.ts';
import { withinTime } from './within-time.ts';

/** The events of one attempt, in the order in which they are declared. */
export interface Publication {
  attempt: EndedAttempt;
  events: readonly PublishedEvent[];
  problems: readonly EventProblem[];
  /** Set: an event that does not fit its schema makes the step fail, for this reason. */
  failStep: string | undefined;
}

/**
 * All hooks of publishers for one attempt have so many milliseconds together before its recording; what is not ready then
 * is not published.
 */
export const HOOKS_MS = 5_000;

/**
 * Makes the events of an attempt that its outcome publishes. At once, unless a hook of a publisher gives a promise. Never
 * throws or rejects, and takes no longer than {@link HOOKS_MS} and what synchronous hooks take.
 */
export function prepareEvents(
  attempt: EndedAttempt,
  declared: DeclaredEvents,
  publishers: Publishers | undefined,
): Publication | Promise<Publication> {
  const events = declared[attempt.outcome];
  const lost = (thrown: unknown) =>
    publicationOf(
      attempt,
      events,
      events.map((event) => failure(event, thrown)),
    );
  try {
    const made = make(attempt, events, publishers);
    return made instanceof Promise ? made.catch(lost) : made;
  } catch (thrown) {
    return lost(thrown);
  }
}

function failure({ name }: DeclaredEvent, thrown: unknown): EventProblem {
  return { event: name, kind: 'failed', message: messageOfThrown(thrown), path: null };
}

function make(
  attempt: EndedAttempt,
  events: readonly DeclaredEvent[],
  publishers: Publishers | undefined,
): Publication | Promise<Publication> {
  if (!publishers || events.every((event) => publisherFor(publishers, event, attempt) === undefined)) {
    return publicationOf(attempt, events, ordinaryEvents(attempt, events));
  }
  const made = withinTime(askPublishers(attempt, events, publishers), HOOKS_MS);
  return made instanceof Promise
    ? made.then((all) => publicationOf(attempt, events, all))
    : publicationOf(attempt, events, made);
}

function publicationOf(attempt: EndedAttempt, declared: readonly DeclaredEvent[], made: readonly Made[]): Publication {
  const events: PublishedEvent[] = [];
  const problems: EventProblem[] = [];
  let failStep: string | undefined;
  made.forEach((one, i) => {
    if (!one) return;
    if ('eventId' in one) events.push(one);
    else {
      problems.push(one);
      if (failsStep(declared[i]!, attempt, one)) {
        failStep ??= `step ${attempt.stepName}: event ${one.event}: ${one.message}`;
      }
    }
  });
  return { attempt, events, problems, failStep };
}

/** A step that failed anyway keeps its own error, and its attempts. */
function failsStep({ onInvalid }: DeclaredEvent, { outcome }: EndedAttempt, { kind }: EventProblem): boolean {
  return onInvalid === 'fail_step' && kind === 'invalid' && outcome === 'completed';
}

function ordinaryEvents(attempt: EndedAttempt, declared: readonly DeclaredEvent[]): Made[] {
  if (declared.length === 0) return [];
  const payload = resultOf(attempt);
  return declared.map((event) => ordinaryEvent(attempt, event, payload));
}

const KEYS = { execution: 'execution', events: 'events' } as const satisfies { [Key in keyof StepEvents]: Key };

/** What the recording statement stores of them, as JSON text; undefined: nothing. */
export function storedEvents({ attempt, events }: Publication): string | undefined {
  let texts = '';
  for (const event of events) {
    if (event.declared.deliveryMode !== 'fast') texts += texts === '' ? storedEvent(event) : `,${storedEvent(event)}`;
  }
  if (texts === '') return undefined;
  return `{"${KEYS.execution}":${JSON.stringify(storedExecution(attempt))},"${KEYS.events}":[${texts}]}`;
}

/** Payload and metadata are JSON text already. */
function storedEvent({ declared, eventId, publisher, payload, metadata }: PublishedEvent): string {
  let text = `{"id":"${eventId}","name":${JSON.stringify(declared.name)},"publisher":${JSON.stringify(publisher)}`;
  if (payload !== undefined) text += `,"payload":${payload}`;
  if (metadata !== undefined) text += `,"metadata":${metadata}`;
  if (declared.condition === 'retryable_failure') text += ',"retried":true';
  if (declared.condition === 'permanent_failure') text += ',"retried":false';
  return `${text}}`;
}

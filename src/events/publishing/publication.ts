import type { EventsText, StepEvents } from '../../engine/engine.ts';
import type { DeclaredEvent, DeclaredEvents } from '../../engine/events/declared-events.ts';
import type { EventProblem } from '../../engine/task-view.ts';
import { TaskerError } from '../../errors.ts';
import { messageOfThrown } from '../../handlers/failures/thrown.ts';
import { inOrder, type NowOrLater } from '../delivery/in-order.ts';
import { type Made, makeEvents, type PublishedEvent, type Publishers, problemOf } from './ask-publishers.ts';
import { type EndedAttempt, storedExecution } from './ended-attempt.ts';

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
const HOOKS_MS = 5_000;

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
  const publication = (made: readonly Made[]) => publicationOf(attempt, events, made);
  const lost = (thrown: unknown) => publication(events.map((event) => problemOf(event, messageOfThrown(thrown))));
  try {
    const made = withinTime(makeEvents(attempt, events, publishers), HOOKS_MS);
    return made instanceof Promise ? made.then(publication).catch(lost) : publication(made);
  } catch (thrown) {
    return lost(thrown);
  }
}

/**
 * Runs steps as {@link inOrder} does, with `ms` in total for all promises. After that, the current wait and each later one
 * throws a timeout into the steps, which catch it.
 */
function withinTime<T>(steps: Generator<unknown, T, unknown>, ms: number): NowOrLater<T> {
  let deadline: Deadline | undefined;
  const made = inOrder(steps, (promise) => {
    deadline ??= deadlineIn(ms);
    return Promise.race([promise, deadline.late]);
  });
  return made instanceof Promise ? made.finally(() => clearTimeout(deadline?.timer)) : made;
}

interface Deadline {
  late: Promise<never>;
  timer: NodeJS.Timeout;
}

function deadlineIn(ms: number): Deadline {
  let fire!: (error: Error) => void;
  const late = new Promise<never>((_, reject) => {
    fire = reject;
  });
  late.catch(() => undefined); // it is told to whoever waits
  const timer = setTimeout(() => fire(new TaskerError('timeout', `the hooks took longer than ${ms} ms`)), ms);
  return { late, timer };
}

function publicationOf(attempt: EndedAttempt, declared: readonly DeclaredEvent[], made: readonly Made[]): Publication {
  const events: PublishedEvent[] = [];
  let problems = NONE;
  let failStep: string | undefined;
  for (let i = 0; i < made.length; i++) {
    const one = made[i];
    if (!one) continue;
    if ('eventId' in one) events.push(one);
    else {
      problems = [...problems, one];
      if (failsStep(declared[i]!, attempt, one)) {
        failStep ??= `step ${attempt.stepName}: event ${one.event}: ${one.message}`;
      }
    }
  }
  return { attempt, events, problems, failStep };
}

/** Shared: what is right costs no list. */
const NONE: readonly EventProblem[] = Object.freeze([]);

/** A step that failed anyway keeps its own error, and its attempts. */
function failsStep({ onInvalid }: DeclaredEvent, { outcome }: EndedAttempt, { kind }: EventProblem): boolean {
  return onInvalid === 'fail_step' && kind === 'invalid' && outcome === 'completed';
}

const KEYS = { execution: 'execution', events: 'events' } as const satisfies { [Key in keyof StepEvents]: Key };

/** What the recording statement stores of a publication; undefined: nothing. */
export function storedEvents({ attempt, events }: Publication): EventsText | undefined {
  const stored = events.filter(({ declared }) => declared.deliveryMode !== 'fast');
  if (stored.length === 0) return undefined;
  return {
    get size() {
      // The result goes to the server once, and is written once more with each event.
      const sizes = stored.map(({ payload, metadata = '' }) => (payload ?? attempt.result).length + metadata.length);
      return sizes.reduce((sum, size) => sum + size + attempt.detail.length, 0);
    },
    text: () =>
      `{"${KEYS.execution}":${storedExecution(attempt)},"${KEYS.events}":[${stored.map(storedEvent).join(',')}]}`,
  };
}

/** Payload and metadata are JSON text already. */
function storedEvent({ declared, eventId, publisher, payload, metadata }: PublishedEvent): string {
  // A declared name is words and dots.
  let text = `{"id":"${eventId}","name":"${declared.name}","publisher":${JSON.stringify(publisher)}`;
  if (payload !== undefined) text += `,"payload":${payload}`;
  if (metadata !== undefined) text += `,"metadata":${metadata}`;
  if (declared.condition === 'retryable_failure') text += ',"retried":true';
  if (declared.condition === 'permanent_failure') text += ',"retried":false';
  return `${text}}`;
}

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
  /** The reason why the step must fail, if an event does not match its schema. */
  failStep: string | undefined;
}

/**
 * Total time for all publisher hooks of one attempt before it is recorded. Events that are not ready in time are not
 * published.
 */
const HOOKS_MS = 5_000;

/**
 * Creates the events that an attempt publishes with its outcome. Returns a promise only if a publisher hook does. Never
 * throws or rejects. Takes at most {@link HOOKS_MS}, plus the time of synchronous hooks.
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
 * Runs a generator like {@link inOrder}, with `ms` in total for all promises. After that, the current wait and all
 * later waits throw a timeout error into the generator, which catches it.
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
  late.catch(() => undefined); // handled by the code that waits for it
  const timer = setTimeout(() => fire(new TaskerError('timeout', `the publisher hooks took longer than ${ms} ms`)), ms);
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

/** Shared, so that no list is allocated in the usual case. */
const NONE: readonly EventProblem[] = Object.freeze([]);

/**
 * Returns whether a problem fails the step. A step that has failed anyway keeps its own error and is retried as usual.
 */
function failsStep({ onInvalid }: DeclaredEvent, { outcome }: EndedAttempt, { kind }: EventProblem): boolean {
  return onInvalid === 'fail_step' && kind === 'invalid' && outcome === 'completed';
}

const KEYS = { execution: 'execution', events: 'events' } as const satisfies { [Key in keyof StepEvents]: Key };

/** Returns the events that are stored with the attempt. Undefined if there are none. */
export function storedEvents({ attempt, events }: Publication): EventsText | undefined {
  const stored = events.filter(({ declared }) => declared.deliveryMode !== 'fast');
  if (stored.length === 0) return undefined;
  return {
    get size() {
      // The result is sent to the server once, but stored with each event.
      const sizes = stored.map(({ payload, metadata = '' }) => (payload ?? attempt.result).length + metadata.length);
      return sizes.reduce((sum, size) => sum + size + attempt.detail.length, 0);
    },
    text: () =>
      `{"${KEYS.execution}":${storedExecution(attempt)},"${KEYS.events}":[${stored.map(storedEvent).join(',')}]}`,
  };
}

/** Returns the JSON text of an event. Payload and metadata are already JSON text. */
function storedEvent({ declared, eventId, publisher, payload, metadata }: PublishedEvent): string {
  // A declared name has only words and dots, so it needs no escaping.
  let text = `{"id":"${eventId}","name":"${declared.name}","publisher":${JSON.stringify(publisher)}`;
  if (payload !== undefined) text += `,"payload":${payload}`;
  if (metadata !== undefined) text += `,"metadata":${metadata}`;
  if (declared.condition === 'retryable_failure') text += ',"retried":true';
  if (declared.condition === 'permanent_failure') text += ',"retried":false';
  return `${text}}`;
}

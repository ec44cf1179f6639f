import type { DeclaredEvent } from '../../engine/events/declared-events.ts';
import type { EventProblem } from '../../engine/task-view.ts';
import { messageOfThrown } from '../../handlers/failures/thrown.ts';
import type { Logger } from '../../logging/logger.ts';
import { uuidV7 } from '../../model/ids.ts';
import { storableJson } from '../../model/json.ts';
import { contextOf, type EndedAttempt, resultOf } from './ended-attempt.ts';
import type { AskedPublisher, Publisher } from './publisher.ts';
import { callOnPublishError, preparation } from './publisher-hooks.ts';

type Fields = Record<string, unknown>;

/** Where the publishers are that a worker asks; a `PublisherRegistry` is one. */
export interface PublisherSource {
  get(name: string): Publisher | undefined;
  /** The one that makes the events of a step which name nobody. */
  getForStep(stepName: string): Publisher | undefined;
}

/** The publishers that a worker asks. */
export interface Publishers {
  source: PublisherSource;
  logger: Logger;
}

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
const DEFAULT_PUBLISHER = 'default';
/** Bytes of what a publisher adds to the metadata. */
const MOST_METADATA = 1_048_576;

/**
 * Makes the events of an attempt, one after the other. Without a publisher, the payload of an event is the result. Yields
 * the answers of the hooks. Never throws.
 */
export function* makeEvents(
  attempt: EndedAttempt,
  declared: readonly DeclaredEvent[],
  publishers: Publishers | undefined,
): Generator<unknown, Made[], unknown> {
  const made: Made[] = [];
  let result: object | undefined;
  for (const event of declared) {
    const publisher = publishers && publisherFor(publishers.source, event, attempt);
    if (publisher === undefined) {
      result ??= resultOf(attempt);
      made.push(ordinaryEvent(attempt, event, result));
    } else if (typeof publisher === 'string') made.push(problemOf(event, publisher));
    else made.push(yield* ask(attempt, event, { publisher, logger: publishers!.logger }));
  }
  return made;
}

/** Who makes an event: undefined: the ordinary publisher; a text: why nobody does. Never throws. */
function publisherFor(
  source: PublisherSource,
  { publisher }: DeclaredEvent,
  { templateStepName }: EndedAttempt,
): Publisher | string | undefined {
  if (publisher === DEFAULT_PUBLISHER) return undefined;
  try {
    if (publisher === null) return source.getForStep(templateStepName);
    return source.get(publisher) ?? `there is no publisher ${publisher} here; register it before the worker starts`;
  } catch (thrown) {
    return messageOfThrown(thrown);
  }
}

/** The payload is the step's result; empty of a failure. */
function ordinaryEvent(attempt: EndedAttempt, declared: DeclaredEvent, payload: object): Made {
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
function metadataText({ outcome }: EndedAttempt, added: string | undefined): string | undefined {
  if (outcome !== 'failed') return added;
  return added === undefined || added === '{}' ? '{"final":true}' : `${added.slice(0, -1)},"final":true}`;
}

/** Where a payload does not fit the declared schema. */
function violationOf(event: DeclaredEvent, payload: unknown): EventProblem | undefined {
  try {
    const [first] = event.violations(payload);
    if (!first) return undefined;
    const message = `the payload does not fit the event's schema: ${first.path || '/'} ${first.message}`;
    return { event: event.name, kind: 'invalid', message, path: first.path };
  } catch (thrown) {
    return problemOf(event, messageOfThrown(thrown));
  }
}

/** The problem of an event that could not be made. */
export function problemOf({ name }: DeclaredEvent, message: string): EventProblem {
  return { event: name, kind: 'failed', message, path: null };
}

/** What a publisher gave is refused: it is no failure of its hooks. */
class Refusal extends Error {
  readonly problem: EventProblem;

  constructor(found: EventProblem) {
    super(`event ${found.event}: ${found.message}`);
    this.problem = found;
  }
}

function* ask(
  attempt: EndedAttempt,
  declared: DeclaredEvent,
  { publisher, logger }: { publisher: Publisher; logger: Logger },
): Generator<unknown, Made, unknown> {
  const ctx = contextOf(attempt, declared.name);
  let payload = 'null';
  const check = (given: object) => {
    payload = jsonOf(declared, given, { name: 'payload' });
    const violation = violationOf(declared, JSON.parse(payload));
    if (violation) throw new Refusal(violation);
  };
  try {
    const prepared = yield* preparation({ publisher, ctx, declaration: declared, check });
    if (!prepared) return undefined;
    const added = jsonOf(declared, prepared.metadata, { name: 'metadata', maxBytes: MOST_METADATA });
    return {
      declared,
      eventId: uuidV7(),
      publisher: String(publisher.publisherName),
      payload,
      metadata: metadataText(attempt, added === '{}' ? undefined : added),
      asked: { publisher, ctx },
    };
  } catch (thrown) {
    const found = thrown instanceof Refusal ? thrown.problem : problemOf(declared, messageOfThrown(thrown));
    const error = thrown instanceof Error ? thrown : new Error(messageOfThrown(thrown));
    tellOfError({ publisher, ctx }, { error, payload }, logger);
    return found;
  }
}

function jsonOf(declared: DeclaredEvent, value: object, limits: { name: string; maxBytes?: number }): string {
  const stored = storableJson(value, limits);
  const refused = (path: string, reason: string) =>
    new Refusal({ event: declared.name, kind: 'invalid', message: `${path}: ${reason}`, path });
  if (!stored.ok) throw refused(stored.path, stored.reason);
  // A date, say, is a text there.
  if (!stored.json.startsWith('{')) throw refused(limits.name, 'its JSON form is no object; return one');
  return stored.json;
}

/** Tells a publisher, once, that an event of its was not published. Nobody waits for it. Never throws. */
export function tellOfError(
  asked: AskedPublisher,
  { error, payload }: { error: Error; payload: string },
  logger: Logger,
): void {
  const given = (JSON.parse(payload) ?? {}) as Fields;
  afterwards(asked, { hook: 'onPublishError', logger }, () => callOnPublishError(asked, { error, payload: given }));
}

/** Calls a hook that nothing depends on any more. Never throws; what the hook throws is logged. */
export function afterwards(
  asked: AskedPublisher,
  { hook, logger }: { hook: string; logger: Logger },
  call: () => unknown,
): void {
  // A function that is not asynchronous may throw; a promise may reject.
  void (async () => call())().catch((thrown: unknown) => {
    const { publisherName: publisher } = asked.publisher;
    const about = { publisher, event: asked.ctx.eventName, error: messageOfThrown(thrown) };
    logger.warn(about, `${hook} of publisher ${publisher} failed`);
  });
}

import type { DeclaredEvent } from '../../engine/events/declared-events.ts';
import type { EventProblem } from '../../engine/task-view.ts';
import { messageOfThrown } from '../../handlers/failures/thrown.ts';
import type { Logger } from '../../logging/logger.ts';
import { uuidV7 } from '../../model/ids.ts';
import { storableJson } from '../../model/json.ts';
import { describeViolations } from '../../model/schema-violations.ts';
import { contextOf, type EndedAttempt, resultOf } from './ended-attempt.ts';
import type { AskedPublisher, Publisher } from './publisher.ts';
import { callOnPublishError, preparation } from './publisher-hooks.ts';

type Fields = Record<string, unknown>;

/** Finds the publishers for a worker, as a `PublisherRegistry` does. */
export interface PublisherSource {
  get(name: string): Publisher | undefined;
  /** The publisher for events of a step that do not name one. */
  getForStep(stepName: string): Publisher | undefined;
}

/** The publishers of a worker. */
export interface Publishers {
  source: PublisherSource;
  logger: Logger;
}

/** An event that is recorded together with its attempt. */
export interface PublishedEvent {
  declared: DeclaredEvent;
  eventId: string;
  /** The name that the publisher has in the event's metadata. */
  publisher: string;
  /** JSON text. Undefined if the result is the payload. */
  payload: string | undefined;
  /** JSON text of additional metadata, without ids and times. Undefined if there is none. */
  metadata: string | undefined;
  /** The publisher to notify of its publication. Undefined for the default publisher. */
  asked?: AskedPublisher | undefined;
}

/** The outcome for a declared event. Undefined if its publisher skipped it. */
export type Made = PublishedEvent | EventProblem | undefined;

/** The publisher of events without another publisher. */
const DEFAULT_PUBLISHER = 'default';
/** Maximum size in bytes of the metadata that a publisher adds. */
const MOST_METADATA = 1_048_576;

/**
 * Creates the events of an attempt, one after the other. Without a publisher, the payload of an event is the result. Yields
 * the return values of the hooks. Never throws.
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
      made.push(defaultEvent(attempt, event, result));
    } else if (typeof publisher === 'string') made.push(problemOf(event, publisher));
    else made.push(yield* ask(attempt, event, { publisher, logger: publishers!.logger }));
  }
  return made;
}

/**
 * Returns the publisher of an event, or undefined for the default publisher. Returns an error message if the publisher
 * is not registered. Never throws.
 */
function publisherFor(
  source: PublisherSource,
  { publisher }: DeclaredEvent,
  { templateStepName }: EndedAttempt,
): Publisher | string | undefined {
  if (publisher === DEFAULT_PUBLISHER) return undefined;
  try {
    if (publisher === null) return source.getForStep(templateStepName);
    return (
      source.get(publisher) ??
      `publisher ${publisher} is not registered in this worker; register it before the worker starts`
    );
  } catch (thrown) {
    return messageOfThrown(thrown);
  }
}

/** Returns an event whose payload is the step's result, or empty after a failure. */
function defaultEvent(attempt: EndedAttempt, declared: DeclaredEvent, payload: object): Made {
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

/**
 * Returns the additional metadata of an event: the publisher's metadata, `final` after a failure that is not retried, and
 * the parent and the root of a child task.
 */
function metadataText({ outcome, parent }: EndedAttempt, added: string | undefined): string | undefined {
  const own: string[] = [];
  if (outcome === 'failed') own.push('"final":true');
  if (parent) own.push(`"parent_task_uuid":"${parent.taskUuid}","root_task_uuid":"${parent.rootUuid}"`);
  if (own.length === 0) return added;
  // If a key occurs twice, its last value is stored.
  return `{${[...(added === undefined || added === '{}' ? [] : [added.slice(1, -1)]), ...own].join(',')}}`;
}

/** Returns the first violation of the declared schema. Undefined if the payload is valid. */
function violationOf(event: DeclaredEvent, payload: unknown): EventProblem | undefined {
  try {
    const [first] = event.violations(payload);
    if (!first) return undefined;
    const message = `the payload does not match the event's schema: ${describeViolations([first])}`;
    return { event: event.name, kind: 'invalid', message, path: first.path };
  } catch (thrown) {
    return problemOf(event, messageOfThrown(thrown));
  }
}

/** Returns the problem of an event that could not be created. */
export function problemOf({ name }: DeclaredEvent, message: string): EventProblem {
  return { event: name, kind: 'failed', message, path: null };
}

/** Thrown if a publisher's payload or metadata is invalid, although its hooks did not fail. */
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
    notifyOfError({ publisher, ctx }, { error, payload }, logger);
    return found;
  }
}

function jsonOf(declared: DeclaredEvent, value: object, limits: { name: string; maxBytes?: number }): string {
  const stored = storableJson(value, limits);
  const refused = (path: string, reason: string) =>
    new Refusal({ event: declared.name, kind: 'invalid', message: `${path}: ${reason}`, path });
  if (!stored.ok) throw refused(stored.path, stored.reason);
  // For example, a date becomes a string.
  if (!stored.json.startsWith('{')) throw refused(limits.name, 'its JSON form is not an object; return an object');
  return stored.json;
}

/** Notifies a publisher that one of its events was not published. Does not wait for its hook. Never throws. */
export function notifyOfError(
  asked: AskedPublisher,
  { error, payload }: { error: Error; payload: string },
  logger: Logger,
): void {
  const given = (JSON.parse(payload) ?? {}) as Fields;
  callWithoutWaiting(asked, { hook: 'onPublishError', logger }, () =>
    callOnPublishError(asked, { error, payload: given }),
  );
}

/** Calls a hook without waiting for it. Never throws. An error of the hook is logged. */
export function callWithoutWaiting(
  asked: AskedPublisher,
  { hook, logger }: { hook: string; logger: Logger },
  call: () => unknown,
): void {
  // A synchronous hook may throw, and a promise may reject.
  void (async () => call())().catch((thrown: unknown) => {
    const { publisherName: publisher } = asked.publisher;
    const about = { publisher, event: asked.ctx.eventName, error: messageOfThrown(thrown) };
    logger.warn(about, `${hook} of publisher ${publisher} failed`);
  });
}

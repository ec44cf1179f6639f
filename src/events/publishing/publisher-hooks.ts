import type { HookAnswer } from '../delivery/in-order.ts';
import type { DomainEvent } from '../subscribing/domain-event.ts';
import type { EventDeclaration } from './event-declaration.ts';
import { type AskedPublisher, PUBLISHER, type Publisher } from './publisher.ts';

type Fields = Record<string, unknown>;

/** An event that a publisher is asked to create. */
export interface EventRequest extends AskedPublisher {
  readonly declaration?: EventDeclaration | undefined;
  /** Receives the payload as soon as it exists. Throws if the payload does not match the declared schema. */
  check(payload: object): void;
}

/** Metadata that publishers cannot replace, in both spellings. */
const OWN_METADATA: ReadonlySet<string> = new Set([
  ...[
    'taskUuid',
    'stepUuid',
    'stepName',
    'namespace',
    'correlationId',
    'firedAt',
    'firedBy',
    'publisher',
    'publishedAt',
  ],
  ...['task_uuid', 'step_uuid', 'step_name', 'correlation_id', 'fired_at', 'fired_by', 'published_at'],
]);

/**
 * Runs the hooks for an event: `shouldPublish`, `transformPayload`, the check, `additionalMetadata`, `beforePublish`.
 * Yields the return values of the hooks. Returns the payload and the additional metadata, or undefined if a hook skipped
 * the event. Throws the errors of hooks and of the check.
 */
export function* preparation(
  request: EventRequest,
): Generator<unknown, { payload: object; metadata: Fields } | undefined, unknown> {
  const { publisher, ctx, declaration } = request;
  if ((yield publisher.shouldPublish(ctx, declaration, ctx)) === false) return undefined;

  const payload = objectFrom(yield publisher.transformPayload(ctx, declaration, ctx), publisher, 'transformPayload');
  request.check(payload);
  const added = (yield publisher.additionalMetadata(ctx, declaration, ctx)) ?? {};
  const given = objectFrom(added, publisher, 'additionalMetadata');
  if (Array.isArray(given)) throw notAnObject(publisher, 'additionalMetadata', 'a list');
  const metadata = Object.fromEntries(Object.entries(given).filter(([name]) => !OWN_METADATA.has(name)));

  const answer = takesContext(publisher)
    ? publisher.beforePublish(ctx)
    : publisher.beforePublish(ctx.eventName, payload as Fields, metadataFor(request, metadata));
  if ((yield answer) === false) return undefined;
  return { payload, metadata };
}

/** Returns the metadata that publishers get before an event is recorded. */
export function metadataFor({ publisher, ctx }: AskedPublisher, extras: Fields): Fields {
  const { taskUuid, stepUuid, stepName, namespace, correlationId } = ctx;
  const ids = { taskUuid, stepUuid, stepName, namespace, correlationId };
  return { ...extras, ...ids, publisher: publisher.publisherName, publishedAt: new Date().toISOString() };
}

function objectFrom(given: unknown, publisher: Publisher, hook: string): object {
  if (typeof given === 'object' && given !== null) return given;
  throw notAnObject(publisher, hook, given === null ? 'null' : typeof given);
}

function notAnObject({ publisherName }: Publisher, hook: string, what: string): TypeError {
  return new TypeError(`publisher ${publisherName}: ${hook} returned ${what}; return an object`);
}

/** Calls `afterPublish` with the arguments that the publisher's class expects. */
export function callAfterPublish({ publisher, ctx }: AskedPublisher, event: DomainEvent): HookAnswer<boolean> {
  const { payload, metadata } = event;
  return takesContext(publisher)
    ? publisher.afterPublish(ctx, event)
    : publisher.afterPublish(ctx.eventName, payload, { ...metadata, publishedAt: metadata.firedAt });
}

/** Calls `onPublishError` with the arguments that the publisher's class expects. */
export function callOnPublishError(
  { publisher, ctx }: AskedPublisher,
  { error, payload }: { error: Error; payload: Fields },
): HookAnswer<boolean> {
  return takesContext(publisher)
    ? publisher.onPublishError(ctx, error)
    : publisher.onPublishError(ctx.eventName, error, payload);
}

/** Returns whether hooks take the context. Without `hookArguments`, a class that overrides `publishesFor` does. */
function takesContext(publisher: Publisher): boolean {
  const { hookArguments } = publisher.constructor as { hookArguments?: 'context' | 'positional' };
  return hookArguments === undefined ? hasPublishesFor(publisher) : hookArguments === 'context';
}

/** Returns whether a publisher overrides `publishesFor`. */
function hasPublishesFor(publisher: Publisher): boolean {
  for (let owner: object | null = publisher; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    if (Object.hasOwn(owner, 'publishesFor')) return !Object.hasOwn(owner, PUBLISHER);
  }
  return false;
}

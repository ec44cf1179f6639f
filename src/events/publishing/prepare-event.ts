import { uuidV7 } from '../../model/uuid.ts';
import { inOrder, type NowOrLater } from '../delivery/in-order.ts';
import { createDomainEvent, type DomainEvent } from '../subscribing/domain-event.ts';
import type { BasePublisher } from './base-publisher.ts';
import type { EventDeclaration } from './event-declaration.ts';
import { callBeforePublish } from './publisher-hooks.ts';
import type { StepEventContext } from './step-event-context.ts';

type Fields = Record<string, unknown>;

/** One event that a publisher is asked for. */
export interface EventRequest {
  readonly publisher: BasePublisher;
  readonly ctx: StepEventContext;
  readonly declaration?: EventDeclaration | undefined;
  /** Throws when the payload is not what the declaration's schema asks for. */
  check?(payload: object): void;
  /** Is told the payload as soon as there is one: whoever reports a failure shows it. */
  onPayload?(payload: object): void;
}

/** What a publisher made of a request. */
export interface PreparedEvent {
  payload: object;
  /** What the publisher adds to the metadata: nothing that has a place of its own. */
  metadata: Fields;
}

/** What stands in an event's metadata and can't be replaced, in either spelling. */
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
 * Asks a publisher for an event: `shouldPublish`, `transformPayload`, the check, `additionalMetadata`, `beforePublish`.
 * Undefined when a hook called it off; throws, or rejects, what a hook or the check throws. At once where all hooks are.
 */
export function prepareEvent(request: EventRequest): NowOrLater<PreparedEvent | undefined> {
  return inOrder(preparation(request));
}

/** The steps of {@link prepareEvent}. */
export function* preparation(request: EventRequest): Generator<unknown, PreparedEvent | undefined, unknown> {
  const { publisher, ctx, declaration } = request;
  if ((yield publisher.shouldPublish(ctx, declaration, ctx)) === false) return undefined;

  const payload = objectFrom(yield publisher.transformPayload(ctx, declaration, ctx), publisher, 'transformPayload');
  request.onPayload?.(payload);
  request.check?.(payload);
  const given = objectFrom(
    (yield publisher.additionalMetadata(ctx, declaration, ctx)) ?? {},
    publisher,
    'additionalMetadata',
  );
  if (Array.isArray(given)) throw notAnObject(publisher, 'additionalMetadata', 'a list');
  const metadata = Object.fromEntries(Object.entries(given).filter(([name]) => !OWN_METADATA.has(name)));

  const shown = { payload: payload as Fields, metadata: metadataFor(request, metadata) };
  if ((yield callBeforePublish(publisher, ctx, shown)) === false) return undefined;
  return { payload, metadata };
}

/** The event as `afterPublish` sees one that was made by hand, with nothing recorded behind it. */
export function eventByHand(request: EventRequest, { payload, metadata }: PreparedEvent): DomainEvent {
  const { success, result, metadata: said } = request.ctx;
  return createDomainEvent({
    eventId: uuidV7(),
    eventName: request.ctx.eventName,
    payload: payload as Fields,
    metadata: metadataFor(request, metadata),
    executionResult: { success, result, metadata: said },
  });
}

function metadataFor({ publisher, ctx }: EventRequest, extras: Fields): Fields {
  const { taskUuid, stepUuid, stepName, namespace, correlationId } = ctx;
  const ids = { taskUuid, stepUuid, stepName, namespace, correlationId };
  return { ...extras, ...ids, publisher: publisher.publisherName, publishedAt: new Date().toISOString() };
}

function objectFrom(given: unknown, publisher: BasePublisher, hook: string): object {
  if (typeof given === 'object' && given !== null) return given;
  throw notAnObject(publisher, hook, given === null ? 'null' : typeof given);
}

function notAnObject({ publisherName }: BasePublisher, hook: string, what: string): TypeError {
  return new TypeError(`publisher ${publisherName}: ${hook} gave ${what}; return an object`);
}

import type { HookAnswer } from '../delivery/in-order.ts';
import type { DomainEvent } from '../subscribing/domain-event.ts';
import type { BasePublisher } from './base-publisher.ts';
import { hasPublishesFor } from './publisher-brand.ts';
import type { StepEventContext } from './step-event-context.ts';

type Fields = Record<string, unknown>;

/** Calls the hook in the form in which its class is written. */
export function callBeforePublish(
  publisher: BasePublisher,
  ctx: StepEventContext,
  { payload, metadata }: { payload: Fields; metadata: Fields },
): HookAnswer<boolean> {
  return takesName(publisher, publisher.beforePublish)
    ? publisher.beforePublish(ctx.eventName, payload, metadata)
    : publisher.beforePublish(ctx);
}

/** Calls the hook in the form in which its class is written. */
export function callAfterPublish(
  publisher: BasePublisher,
  ctx: StepEventContext,
  event: DomainEvent,
): HookAnswer<boolean> {
  const { payload, metadata } = event;
  return takesName(publisher, publisher.afterPublish)
    ? publisher.afterPublish(ctx.eventName, payload, { ...metadata, publishedAt: metadata.firedAt })
    : publisher.afterPublish(ctx, event);
}

/** Calls the hook in the form in which its class is written. */
export function callOnPublishError(
  publisher: BasePublisher,
  ctx: StepEventContext,
  { error, payload }: { error: Error; payload: Fields },
): HookAnswer<boolean> {
  return takesName(publisher, publisher.onPublishError)
    ? publisher.onPublishError(ctx.eventName, error, payload)
    : publisher.onPublishError(ctx, error);
}

/** A method, function or arrow function, and what may stand before its first parameter: white space and comments. */
const HEAD = /^(?:async\s*)?(?:[^(=]*\()?(?:\s|\/\*(?:[^*]|\*(?!\/))*\*\/|\/\/.*\n)*/;
/** Its first parameter is the context, or is taken apart as one. */
const CONTEXT_FIRST = new RegExp(`${HEAD.source}(?:_*(?:step_?)?(?:event_?)?(?:ctx|context)\\b|\\{)`, 'i');

/**
 * Whether a hook wants the event's name, payload and metadata by position, and not the context. A class with
 * `publishesFor` is written for this package; any other is written by position, as where it has no such method, unless the
 * hook says that it wants the context.
 */
function takesName(publisher: BasePublisher, hook: (...args: never[]) => unknown): boolean {
  if (hasPublishesFor(publisher)) return false;
  return !CONTEXT_FIRST.test(Function.prototype.toString.call(hook));
}

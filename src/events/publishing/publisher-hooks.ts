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

const NAME_FIRST = /^[^(]*\(\s*_?event_?name\b/i;

/**
 * Whether a hook wants the event's name, payload and metadata by position, and not the context: by what it is declared
 * with. A class with `publishesFor` is written for this package, so there is nothing to find out.
 */
function takesName(publisher: BasePublisher, hook: (...args: never[]) => unknown): boolean {
  if (hasPublishesFor(publisher)) return false;
  return hook.length >= 3 || NAME_FIRST.test(Function.prototype.toString.call(hook));
}

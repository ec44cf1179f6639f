import type { HookAnswer } from '../delivery/in-order.ts';
import type { DomainEvent } from '../subscribing/domain-event.ts';
import { type AskedPublisher, PUBLISHER, type Publisher } from './publisher.ts';

type Fields = Record<string, unknown>;

/** Calls the hook in the form in which its class is written. */
export function callBeforePublish(
  { publisher, ctx }: AskedPublisher,
  { payload, metadata }: { payload: Fields; metadata: Fields },
): HookAnswer<boolean> {
  return takesContext(publisher)
    ? publisher.beforePublish(ctx)
    : publisher.beforePublish(ctx.eventName, payload, metadata);
}

/** Calls the hook in the form in which its class is written. */
export function callAfterPublish({ publisher, ctx }: AskedPublisher, event: DomainEvent): HookAnswer<boolean> {
  const { payload, metadata } = event;
  return takesContext(publisher)
    ? publisher.afterPublish(ctx, event)
    : publisher.afterPublish(ctx.eventName, payload, { ...metadata, publishedAt: metadata.firedAt });
}

/** Calls the hook in the form in which its class is written. */
export function callOnPublishError(
  { publisher, ctx }: AskedPublisher,
  { error, payload }: { error: Error; payload: Fields },
): HookAnswer<boolean> {
  return takesContext(publisher)
    ? publisher.onPublishError(ctx, error)
    : publisher.onPublishError(ctx.eventName, error, payload);
}

/** As its class states it. Without a statement, `publishesFor` shows that a class was written for this package. */
function takesContext(publisher: Publisher): boolean {
  const { hookArguments } = publisher.constructor as { hookArguments?: 'context' | 'positional' };
  return hookArguments === undefined ? hasPublishesFor(publisher) : hookArguments === 'context';
}

/** Whether a publisher has a `publishesFor` of its own, whatever that answers. */
function hasPublishesFor(publisher: Publisher): boolean {
  for (let owner: object | null = publisher; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    if (Object.hasOwn(owner, 'publishesFor')) return !Object.hasOwn(owner, PUBLISHER);
  }
  return false;
}

import type { Logger } from '../../logging/logger.ts';
import type { BaseSubscriber } from './base-subscriber.ts';
import type { DomainEvent } from './domain-event.ts';
import type { EventDelivery } from './subscriber-delivery.ts';
import { resultOfHandling, type SubscriberResult } from './subscriber-result.ts';

/** One delivery under way. */
export interface Handling {
  /** What it came to; rejects when it failed, also by running out of time. */
  readonly result: Promise<SubscriberResult>;
  /** Resolves when no hook of the subscriber runs any more: after `result` where that did not wait. */
  readonly settled: Promise<void>;
}

/** How one event is handled. */
export interface HandlingOptions {
  delivery: EventDelivery;
  logger: Logger;
  /** Whether the delivery failed when its signal fired for this reason. Default: yes. */
  failsBy?(reason: unknown): boolean;
}

/**
 * Gives an event to a subscriber, with all its hooks. A delivery fails, and `onHandleError` is called once, when
 * `beforeHandle` or `handle` throws, when the result says so, or when `signal` fires before it is over. `beforeHandle`
 * that gives `false` skips the event, which counts as handled. An error of `afterHandle` or `onHandleError` is logged and
 * changes nothing: the event was handled, or was not, before.
 */
export function handleEvent(
  subscriber: BaseSubscriber,
  event: DomainEvent,
  { delivery, logger, failsBy = () => true }: HandlingOptions,
): Handling {
  const quietly = async (hook: string, call: () => unknown): Promise<void> => {
    try {
      await call();
    } catch (error) {
      const names = { subscriber: subscriber.subscriberName, event: event.eventName, event_id: event.eventId, error };
      logger.warn(names, `subscriber ${subscriber.subscriberName}: ${hook} threw`);
    }
  };

  const work = (async (): Promise<SubscriberResult> => {
    if ((await subscriber.beforeHandle(event)) === false) return { success: true, metadata: { skipped: true } };
    const result = resultOfHandling(await subscriber.handle(event, delivery));
    // Too late: the delivery has failed, and its error was told.
    if (delivery.signal.aborted) return result;
    await quietly('afterHandle', () => subscriber.afterHandle(event, result));
    if (!result.success) throw new Error(result.error ?? `subscriber ${subscriber.subscriberName} says that it failed`);
    return result;
  })();

  const result = Promise.race([work, whenAborted(delivery.signal, work)]).catch(async (thrown: unknown) => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { aborted, reason } = delivery.signal;
    if (!aborted || failsBy(reason)) await quietly('onHandleError', () => subscriber.onHandleError(event, error));
    throw error;
  });
  const settled = Promise.allSettled([work, result]).then(() => undefined);
  return { result, settled };
}

/** Rejects with the signal's reason; forgets the signal when the work is over before. */
function whenAborted(signal: AbortSignal, work: Promise<unknown>): Promise<never> {
  return new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const forget = (): void => signal.removeEventListener('abort', onAbort);
    work.then(forget, forget);
  });
}

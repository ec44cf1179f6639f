import type { Logger } from '../../logging/logger.ts';
import type { Halt } from '../halt.ts';
import type { DomainEvent } from './domain-event.ts';
import type { EventDelivery, Subscriber } from './subscriber.ts';
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
  about: Omit<EventDelivery, 'signal'>;
  /** Nobody waits for it any more. */
  halt: Halt;
  logger: Logger;
  /** Whether the delivery failed when it was halted for this reason. Default: yes. */
  failsBy?(reason: unknown): boolean;
}

/**
 * Gives an event to a subscriber, with all its hooks. A delivery fails, and `onHandleError` is called once, when
 * `beforeHandle` or `handle` throws, when the result says so, or when it is halted before it is over. `beforeHandle`
 * that gives `false` skips the event, which counts as handled. An error of `afterHandle` or `onHandleError` is logged and
 * changes nothing: the event was handled, or was not, before.
 */
export function handleEvent(
  subscriber: Subscriber,
  event: DomainEvent,
  { about, halt, logger, failsBy = () => true }: HandlingOptions,
): Handling {
  const quietly = async (hook: string, call: () => unknown): Promise<void> => {
    try {
      await call();
    } catch (error) {
      const names = { subscriber: subscriber.subscriberName, event: event.eventName, event_id: event.eventId, error };
      logger.warn(names, `subscriber ${subscriber.subscriberName}: ${hook} threw`);
    }
  };

  const delivery: EventDelivery = {
    ...about,
    get signal() {
      return halt.signal;
    },
  };
  const work = (async (): Promise<SubscriberResult> => {
    if ((await subscriber.beforeHandle(event)) === false) return { success: true, metadata: { skipped: true } };
    const result = resultOfHandling(await subscriber.handle(event, delivery));
    // Too late: the delivery has failed, and its error was told.
    if (halt.halted) return result;
    await quietly('afterHandle', () => subscriber.afterHandle(event, result));
    if (!result.success) throw new Error(result.error ?? `subscriber ${subscriber.subscriberName} says that it failed`);
    return result;
  })();

  const result = Promise.race([work, whenHalted(halt, work)]).catch(async (thrown: unknown) => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (!halt.halted || failsBy(halt.reason))
      await quietly('onHandleError', () => subscriber.onHandleError(event, error));
    throw error;
  });
  const settled = Promise.allSettled([work, result]).then(() => undefined);
  return { result, settled };
}

/** Rejects with the reason of the halt, which is forgotten when the work is over before. */
function whenHalted(halt: Halt, work: Promise<unknown>): Promise<never> {
  return new Promise<never>((_, reject) => {
    const forget = halt.onHalt(() => reject(halt.reason as Error));
    work.then(forget, forget);
  });
}

import type { Logger } from '../../logging/logger.ts';
import type { Halt } from '../halt.ts';
import type { DomainEvent } from './domain-event.ts';
import type { EventDelivery, Subscriber } from './subscriber.ts';
import { resultOfHandling, type SubscriberResult } from './subscriber-result.ts';

/** A delivery in progress. */
export interface Handling {
  /** The result. Rejects if the delivery failed or timed out. */
  readonly result: Promise<SubscriberResult>;
  /** Resolves when all hooks have ended, which is later than `result` after a timeout. */
  readonly settled: Promise<void>;
}

/** Options of {@link handleEvent}. */
export interface HandlingOptions {
  about: Omit<EventDelivery, 'signal'>;
  /** Ends the wait for the subscriber. */
  halt: Halt;
  logger: Logger;
  /** Returns whether a halt for this reason is a failure. Default: always. */
  failsBy?(reason: unknown): boolean;
}

/**
 * Runs the hooks of a subscriber for an event. The delivery fails if `beforeHandle` or `handle` throws, if the result
 * reports a failure, or if the delivery is halted before it ends. `onHandleError` is then called once. If
 * `beforeHandle` returns `false`, the event is skipped and treated as handled. Errors of `afterHandle` and
 * `onHandleError` are only logged.
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
    // Too late: the delivery has already failed, and its error was reported.
    if (halt.halted) return result;
    await quietly('afterHandle', () => subscriber.afterHandle(event, result));
    if (!result.success)
      throw new Error(
        result.error ?? `subscriber ${subscriber.subscriberName} reported a failure without an error message`,
      );
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

/** Rejects with the reason of a halt. Stops listening when the work ends. */
function whenHalted(halt: Halt, work: Promise<unknown>): Promise<never> {
  return new Promise<never>((_, reject) => {
    const forget = halt.onHalt(() => reject(halt.reason as Error));
    work.then(forget, forget);
  });
}

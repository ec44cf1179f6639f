import { LONGEST_TIMER_MS } from '../../config/value-forms.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { type RetryAfter, retryAfterSeconds } from '../../handlers/retry-after.ts';
import { Halt } from '../halt.ts';
import type { DeliveryContext, EventConsumer } from './event-consumer.ts';

/** When and whether a failed delivery is attempted again, derived from its error. */
export interface DeliveryFailure {
  /** True if another attempt would fail too. The event becomes a dead delivery immediately. */
  permanent: boolean;
  /** The delay before the next attempt. Default: the back-off delay. */
  retryAfterMs: number | undefined;
}

/** The outcome of a delivery. `abandoned`: the delivery was stopped before it ended, and is not an attempt. */
export type DeliveryEnd =
  | { kind: 'delivered' }
  | ({ kind: 'failed'; error: string } & DeliveryFailure)
  | { kind: 'abandoned' };

/** Options of a delivery. `halt` ends the wait when the hold is lost or the process stops. */
export interface Delivery extends DeliveryContext {
  timeoutMs: number;
  /**
   * Called if the consumer is still running when the wait ends. The returned function is called when the consumer
   * settles.
   */
  onLate(): () => void;
}

/** Delivers an event to a consumer and waits for it until the timeout. Never rejects. */
export function deliver(consumer: EventConsumer, event: LoggedEvent, delivery: Delivery): Promise<DeliveryEnd> {
  const { timeoutMs, onLate, ...context } = delivery;
  return new Promise((resolve) => {
    let over = false;
    const ending = new Halt();
    let settledLate: (() => void) | undefined;
    let forgetHalt = () => {};
    const end = (how: DeliveryEnd): boolean => {
      if (over) return false;
      over = true;
      clearTimeout(timer);
      forgetHalt();
      resolve(how);
      return true;
    };
    const stopWaiting = (how: DeliveryEnd, reason: unknown) => {
      if (!end(how)) return;
      settledLate = onLate();
      ending.halt(reason);
    };
    const settled = (how: DeliveryEnd) => {
      end(how);
      settledLate?.();
    };
    const timer = setTimeout(
      () => {
        const error = timeOver(consumer, event, timeoutMs);
        stopWaiting(failed(error), error);
      },
      Math.min(timeoutMs, LONGEST_TIMER_MS),
    );
    forgetHalt = context.halt.onHalt(() => stopWaiting({ kind: 'abandoned' }, context.halt.reason));
    const call = async () => consumer.deliver(event, { ...context, halt: ending });
    call().then(
      () => settled({ kind: 'delivered' }),
      (error: unknown) => settled(failed(error)),
    );
  });
}

function failed(error: unknown): DeliveryEnd {
  return {
    kind: 'failed',
    error: messageOf(error) || 'the consumer failed without an error message',
    ...deliveryFailureOf(error),
  };
}

function timeOver({ group }: EventConsumer, { name, eventId }: LoggedEvent, timeoutMs: number): TaskerError {
  return new TaskerError('timeout', `event ${name} ${eventId}: ${group} did not handle it within ${timeoutMs} ms`);
}

/** Upper limit for `retryAfter`, because other events of the task wait until the retry has ended. */
export const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * Reads the retry options of a thrown value, as for step handlers. `retryable: false` (a `PermanentError`) means no further
 * attempt. `retryAfter` (seconds, a date, or the text of a `Retry-After` header) is the earliest time of the next attempt.
 */
export function deliveryFailureOf(thrown: unknown, now: number = Date.now()): DeliveryFailure {
  const { retryable, retryAfter } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as {
    retryable?: unknown;
    retryAfter?: unknown;
  };
  const seconds = isRetryAfter(retryAfter) ? retryAfterSeconds(retryAfter, now) : null;
  return {
    permanent: retryable === false,
    retryAfterMs: seconds === null ? undefined : Math.min(Math.ceil(seconds * 1000), LONGEST_RETRY_AFTER_MS),
  };
}

function isRetryAfter(value: unknown): value is RetryAfter {
  return typeof value === 'number' || typeof value === 'string' || value instanceof Date;
}

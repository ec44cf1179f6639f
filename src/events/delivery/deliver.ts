import { LONGEST_TIMER_MS } from '../../config/value-forms.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { type RetryAfter, retryAfterSeconds } from '../../handlers/retry-after.ts';
import { Halt } from '../halt.ts';
import type { DeliveryContext, EventConsumer } from './event-consumer.ts';

/** What an error that a delivery failed with says about the next one. */
export interface DeliveryFailure {
  /** Nothing is gained by delivering it again: it is given up at once. */
  permanent: boolean;
  /** Not to be delivered again before; undefined: as the backoff says. */
  retryAfterMs: number | undefined;
}

/** What one delivery came to. `let_go`: nobody waited for it to the end, and it does not count. */
export type DeliveryEnd =
  | { kind: 'delivered' }
  | ({ kind: 'failed'; error: string } & DeliveryFailure)
  | { kind: 'let_go' };

/** How one delivery is made. `halt` ends the waiting when the hold is lost or the process stops. */
export interface Delivery extends DeliveryContext {
  timeoutMs: number;
  /** Its consumer goes on although nobody waits any more. What this answers is called when it settles. */
  onLate(): () => void;
}

/** Hands an event to a consumer, and waits as long as it may take. Never rejects. */
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
    forgetHalt = context.halt.onHalt(() => stopWaiting({ kind: 'let_go' }, context.halt.reason));
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
    error: messageOf(error) || 'the consumer failed without a message',
    ...deliveryFailureOf(error),
  };
}

function timeOver({ group }: EventConsumer, { name, eventId }: LoggedEvent, timeoutMs: number): TaskerError {
  return new TaskerError('timeout', `event ${name} ${eventId}: ${group} did not handle it within ${timeoutMs} ms`);
}

/** Whoever is asked to wait longer is asked again after this: what waits is kept, and others of its task wait behind it. */
export const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * What a thrown value says about its delivery, as handlers say it about their step: `retryable: false` (a
 * `PermanentError`) gives it up, `retryAfter` (seconds, a date, the text of the header) says when the next may be.
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

import { type RetryAfter, retryAfterSeconds } from '../../handlers/retry-after.ts';

/** What an error that a delivery failed with says about the next one. */
export interface DeliveryFailure {
  /** Nothing is gained by delivering it again: it is given up at once. */
  permanent: boolean;
  /** Not to be delivered again before; undefined: as the backoff says. */
  retryAfterMs: number | undefined;
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

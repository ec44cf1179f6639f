/** When to retry: seconds from now, a date, or the value of a `Retry-After` header, which has either form. */
export type RetryAfter = number | Date | string;

/** Formats the value for a `Retry-After` header. Null if the value is unusable. */
export function retryAfterHeader(value: RetryAfter): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? String(Math.max(0, value)) : null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toUTCString();
  return value.trim() === '' ? null : value.trim();
}

/**
 * Returns the seconds from `now` (milliseconds since 1970) until the next attempt may start. Never negative. Null if
 * the value is neither a number of seconds nor a date.
 *
 * @example
 * retryAfterSeconds('120', Date.now()); // 120
 * retryAfterSeconds('Wed, 21 Oct 2026 07:28:00 GMT', Date.now());
 */
export function retryAfterSeconds(value: RetryAfter, now: number): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.max(0, value) : null;
  if (typeof value === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value);

  // Date.parse accepts "-5" and "3 days" as dates. An HTTP or ISO date has a time of day.
  const at = typeof value === 'string' ? (value.includes(':') ? Date.parse(value) : Number.NaN) : value.getTime();
  return Number.isNaN(at) ? null : Math.max(0, (at - now) / 1000);
}

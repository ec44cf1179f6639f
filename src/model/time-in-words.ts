import { durationMs } from './duration.ts';

const DAY_MS = 86_400_000;

/**
 * Returns the time that a text names relative to now, in milliseconds since 1970: an age such as `90s`, `2h`, `7d` or
 * `24h30m`, or `today` or `yesterday`, which are the starts of these days in UTC, as in `2026-01-31`. Undefined for
 * another text.
 *
 * @example
 * timeInWords('24h30m', Date.now()); // 24.5 hours ago
 */
export function timeInWords(text: string, now: number): number | undefined {
  const word = text.trim();
  if (word === 'today') return startOfDay(now);
  if (word === 'yesterday') return startOfDay(now) - DAY_MS;
  const ageMs = /^\d/.test(word) ? durationMs(word.replace(/(\d)\s+(?=[smhd])|([smhd])\s+(?=\d)/g, '$1$2')) : undefined;
  return ageMs === undefined ? undefined : now - ageMs;
}

function startOfDay(now: number): number {
  return Math.floor(now / DAY_MS) * DAY_MS;
}

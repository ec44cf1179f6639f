import { InvalidArgumentError } from 'commander';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A parser for an option that takes a time: ISO 8601, or how long ago (`90s`, `15m`, `2h`, `7d`). */
export function moment(text: string, _before?: unknown, now: number = Date.now()): Date {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text.trim()) ?? [];
  const time = unit === undefined ? timeOf(text) : now - Number(count) * UNITS[unit]!;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('it must be a time as 2026-01-02T03:04Z, or so long ago: 90s, 15m, 2h, 7d.');
  }
  return date;
}

/** The same, or the id of an event, which is left as it is. */
export function momentOrEvent(text: string): Date | string {
  return /^[0-9a-f]{8}-/i.test(text.trim()) ? text.trim() : moment(text);
}

/** Only ISO 8601: `Date.parse` makes years of anything. */
function timeOf(text: string): number {
  return /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHORT = /^(\d{1,12}(?:\.\d{1,3})?)(s|m|h|d)$/;
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/;
const ISO_UNITS = [7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000] as const;
/** The longest duration, in milliseconds: about 1,000 years. */
export const LONGEST_DURATION_MS = 366_000 * 86_400_000;

/** How a duration is written, for messages. */
export const DURATION_FORMS = 'seconds as a number, a text such as 90s, 15m, 2h or 7d, or ISO 8601 such as P3DT12H';

/**
 * Returns a duration in milliseconds: seconds as a number, `90s`, `15m`, `2h`, `7d`, or ISO 8601 (`P3DT12H`). Years and
 * months have no fixed length and are refused. Returns undefined if it is malformed, negative, or longer than 366,000
 * days.
 *
 * @example
 * durationMs('15m'); // 900000
 */
export function durationMs(value: unknown): number | undefined {
  const ms = typeof value === 'number' ? value * 1000 : typeof value === 'string' ? msOfText(value) : Number.NaN;
  return ms >= 0 && ms <= LONGEST_DURATION_MS ? Math.round(ms) : undefined;
}

function msOfText(text: string): number {
  const short = SHORT.exec(text);
  if (short) return Number(short[1]) * UNITS[short[2]!]!;
  const iso = ISO.exec(text);
  const parts = iso?.slice(1) ?? [];
  if (parts.every((part) => part === undefined) || text.endsWith('T')) return Number.NaN;
  return parts.reduce((sum, part, at) => sum + (part === undefined ? 0 : Number(part) * ISO_UNITS[at]!), 0);
}

/**
 * Writes a duration as a template has it: `3d`, `90s`. The largest unit that divides it is used.
 *
 * @example
 * durationText(900_000); // '15m'
 */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, length]) => ms % length === 0 && ms >= length) ?? ['s', 1000];
  return `${ms / size}${unit}`;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const COUNT = String.raw`(\d{1,12}(?:\.\d{1,3})?)`;
const SHORT = new RegExp(`^(?=\\d)(?:${COUNT}d)?(?:${COUNT}h)?(?:${COUNT}m)?(?:${COUNT}s)?$`);
const SHORT_UNITS = [86_400_000, 3_600_000, 60_000, 1000] as const;
const ISO =
  /^P(?!$)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,12})M)?(?:(\d{1,12}(?:\.\d{1,3})?)S)?)?$/;
const ISO_UNITS = [7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000] as const;
const WORDS = /(\d{1,12}(?:\.\d{1,3})?) ?(second|minute|hour|day|week)s?/g;
const WORD_UNITS: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
};
/** The longest duration, in milliseconds: about 1,000 years. */
export const LONGEST_DURATION_MS = 366_000 * 86_400_000;

/**
 * The strings that {@link durationMs} accepts, as a regular expression. The expression also matches some durations that
 * are too long.
 */
export const DURATION_TEXT = new RegExp(`${SHORT.source}|${ISO.source}`);

/** How a duration is written, for messages. */
export const DURATION_FORMS = 'seconds as a number, a string such as 90s, 15m, 2h or 7d, or ISO 8601 such as P3DT12H';

/**
 * Returns a duration in milliseconds: seconds as a number, `90s`, `15m`, `2h`, `7d`, `24h30m`, or ISO 8601 (`P3DT12H`). Years and
 * months have no fixed length and are rejected. Returns undefined if the value is malformed, negative, or longer than
 * 366,000 days.
 *
 * @example
 * durationMs('15m'); // 900000
 */
export function durationMs(value: unknown): number | undefined {
  return withinLimit(
    typeof value === 'number' ? value * 1000 : typeof value === 'string' ? msOfText(value) : Number.NaN,
  );
}

/**
 * Returns a duration in milliseconds that is written in words, such as `3 days` or `1 hour 30 minutes`. Returns
 * undefined if the text has another form, or the duration is too long.
 *
 * @example
 * durationInWords('3 days'); // 259200000
 */
export function durationInWords(text: string): number | undefined {
  let ms = 0;
  const rest = text.replace(WORDS, (_, count: string, unit: string) => {
    ms += Number(count) * WORD_UNITS[unit]!;
    return '';
  });
  return /\d/.test(text) && /^(?:\s|,|\band\b)*$/.test(rest) ? withinLimit(ms) : undefined;
}

function withinLimit(ms: number): number | undefined {
  return ms >= 0 && ms <= LONGEST_DURATION_MS ? Math.round(ms) : undefined;
}

function msOfText(text: string): number {
  const short = SHORT.exec(text);
  if (short) return sumOf(short.slice(1), SHORT_UNITS);
  const parts = ISO.exec(text)?.slice(1);
  return parts ? sumOf(parts, ISO_UNITS) : Number.NaN;
}

/** Adds up the parts of a duration. A part that was not given is undefined. */
function sumOf(parts: readonly (string | undefined)[], units: readonly number[]): number {
  return parts.reduce((sum, part, at) => sum + (part === undefined ? 0 : Number(part) * units[at]!), 0);
}

/**
 * Formats a duration as in templates: `3d`, `90s`. Uses the largest unit that divides it evenly.
 *
 * @example
 * durationText(900_000); // '15m'
 */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, length]) => ms % length === 0 && ms >= length) ?? ['s', 1000];
  return `${ms / size}${unit}`;
}

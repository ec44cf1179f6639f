/** The latest time that is accepted: the end of the year 9999, in milliseconds since 1970. */
export const LATEST_INSTANT_MS = 253_402_300_799_999;

const ISO = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?([Zz]|[+-]\d\d(?::?\d\d)?)?$/;
const OTHER_YEAR = /^[+-]?\d+-\d\d/;

/** How a time is written, for messages. */
export const INSTANT_FORMS =
  'ISO 8601 with a time zone, such as 2030-01-31T09:00:00Z, or milliseconds since 1970 as a number';

const YEARS = 'the year must be from 1970 to 9999';

/**
 * Reads a point in time: ISO 8601 with a time zone, or milliseconds since 1970 as a number. Returns the reason if the
 * value is rejected: the year is before 1970 or after 9999, a string has no zone or names a day that does not exist, or
 * a number looks like seconds.
 *
 * @example
 * instantOf('2030-01-31T09:00:00+01:00'); // { ms: 1896076800000 }
 * instantOf('2030-01-31T09:00:00'); // { wrong: 'it has no time zone; add Z or an offset such as +02:00' }
 */
export function instantOf(value: unknown): { ms: number } | { wrong: string } {
  if (typeof value === 'number') return ofNumber(value);
  if (typeof value === 'string') return ofText(value.trim());
  return { wrong: `it must be ${INSTANT_FORMS}` };
}

function ofNumber(value: number): { ms: number } | { wrong: string } {
  if (!Number.isFinite(value)) return { wrong: `it must be ${INSTANT_FORMS}` };
  if (value < 0 || value > LATEST_INSTANT_MS) return { wrong: YEARS };
  // As milliseconds, these numbers are in the years 1970 to 1973. As seconds, they are in the years 1973 to 5138.
  if (value >= 1e8 && value < 1e11) {
    return { wrong: 'it looks like seconds since 1970; pass milliseconds, which are 1000 times as much' };
  }
  return { ms: Math.round(value) };
}

function ofText(text: string): { ms: number } | { wrong: string } {
  const parts = ISO.exec(text);
  if (!parts) return { wrong: OTHER_YEAR.test(text) && !/^\d{4}-/.test(text) ? YEARS : `it must be ${INSTANT_FORMS}` };
  const [, year, month, day, hour, minute, second, zone] = parts;
  if (Number(year) < 1970) return { wrong: YEARS };
  if (zone === undefined) return { wrong: 'it has no time zone; add Z or an offset such as +02:00' };
  const exists =
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second ?? 0) < 60 &&
    new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
      .toISOString()
      .startsWith(`${year}-${month}-${day}`);
  const ms = exists ? Date.parse(normal(text, zone)) : Number.NaN;
  if (Number.isNaN(ms)) return { wrong: 'no such date or time exists' };
  return ms < 0 || ms > LATEST_INSTANT_MS ? { wrong: YEARS } : { ms };
}

/** Returns the text in the form that every JavaScript engine reads. */
function normal(text: string, zone: string): string {
  const [, sign, hours, minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return text.slice(0, -zone.length).toUpperCase() + (sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`);
}

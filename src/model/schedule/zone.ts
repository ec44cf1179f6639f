import { nearNames } from '../near-names.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  return format;
}

/** Returns whether a string is the name of a time zone, such as `Europe/Berlin`. */
export function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** Returns the names of time zones that resemble a misspelt one. */
export function nearZones(zone: string): string[] {
  return nearNames(zone, Intl.supportedValuesOf('timeZone'), 1);
}

/**
 * Returns the difference between the local time of a zone and UTC at a moment, in milliseconds. `ms` is a moment in
 * milliseconds since 1970.
 */
export function offsetAt(zone: string, ms: number): number {
  if (zone === 'UTC') return 0;
  const at: Record<string, number> = {};
  const whole = Math.floor(ms / 1000) * 1000;
  for (const { type, value } of formatOf(zone).formatToParts(whole)) at[type] = Number(value);
  return Date.UTC(at.year!, at.month! - 1, at.day, at.hour, at.minute, at.second) - whole;
}

/** A change of a zone's offset: the first moment with the new offset. */
export interface Transition {
  at: number;
  before: number;
  after: number;
}

const SAMPLE_MS = 6 * 3_600_000;

/** Returns the first change of the offset after `from`, and not after `to`. Undefined if there is none. */
export function transitionIn(zone: string, from: number, to: number): Transition | undefined {
  if (zone === 'UTC') return undefined;
  let low = from;
  const before = offsetAt(zone, low);
  while (low < to) {
    let high = Math.min(low + SAMPLE_MS, to);
    if (offsetAt(zone, high) === before) {
      low = high;
      continue;
    }
    while (high - low > 1000) {
      const middle = low + Math.floor((high - low) / 2000) * 1000;
      if (middle === low) break;
      if (offsetAt(zone, middle) === before) low = middle;
      else high = middle;
    }
    const at = Math.floor(high / 1000) * 1000;
    return { at, before, after: offsetAt(zone, at) };
  }
  return undefined;
}

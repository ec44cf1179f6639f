import { MOST_DELIVERIES } from '../config/defaults.ts';
import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';

/** Unchecked options of an event consumer. JavaScript callers may pass any type. */
export type ConsumingOptions = Partial<Record<'from' | 'concurrency' | 'timeoutMs' | 'maxDeliveries', unknown>>;

const MOST_AT_ONCE = 1_000;
const LONG_ENOUGH = `; use ${LONGEST_TIMER_MS} (24 days) for no limit`;

/**
 * Returns the first problem in the options of a consumer. Undefined if they are valid. Without this check, invalid
 * options would fail silently: Node turns a timeout that is too long into 1 ms, and with an invalid concurrency no slot
 * ever becomes free.
 */
export function wrongOption({ from, concurrency, timeoutMs, maxDeliveries }: ConsumingOptions): string | undefined {
  return (
    notOneOf('from', from, ['now', 'beginning']) ??
    notWhole('concurrency', concurrency, { most: MOST_AT_ONCE }) ??
    notWhole('timeoutMs', timeoutMs, { most: LONGEST_TIMER_MS, way: LONG_ENOUGH }) ??
    notWhole('maxDeliveries', maxDeliveries, { most: MOST_DELIVERIES })
  );
}

/** Returns a message if an option is given and is not one of these words. */
export function notOneOf(name: string, value: unknown, allowed: readonly string[]): string | undefined {
  if (value === undefined || allowed.some((one) => one === value)) return undefined;
  return `${name} must be ${allowed.join(' or ')}, got ${shown(value)}`;
}

/** Returns a message if there is an unknown option, with a suggestion. */
export function notKnown(given: object, known: readonly string[]): string | undefined {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  const [near] = nearNames(unknown, known);
  return `${unknown} is unknown; ${near === undefined ? `the options are ${known.join(', ')}` : `did you mean ${near}?`}`;
}

/** Returns a message if an option is given and is not a whole number from `least` (1) to `most`. */
export function notWhole(
  name: string,
  value: unknown,
  { least = 1, most, way = '' }: { least?: number; most: number; way?: string },
): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `${name} must be a whole number from ${least} to ${most}, got ${shown(value)}${way}`;
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

/** Describes the names that {@link isGroupName} accepts, for error messages. */
export const GROUP_NAME_WORDS = 'a string of 1 to 255 characters that PostgreSQL can store';

/**
 * Returns whether a name is valid for a group. A name that PostgreSQL cannot store would look like a database outage.
 */
export function isGroupName(name: unknown): name is string {
  return typeof name === 'string' && name.trim() !== '' && name.length <= 255 && isStorableText(name);
}

import { MOST_DELIVERIES } from '../config/defaults.ts';
import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';

/** How a consumer of events wants them, as its user wrote it: JavaScript may have put anything there. */
export type ConsumingOptions = Partial<Record<'from' | 'concurrency' | 'timeoutMs' | 'maxDeliveries', unknown>>;

const MOST_AT_ONCE = 1_000;
const LONG_ENOUGH = `; ${LONGEST_TIMER_MS} is 24 days, for a consumer that may take as long as it likes`;

/**
 * What is wrong with the options of a consumer, the first of it; undefined: nothing. Unchecked they fail without a word:
 * Node makes 1 ms of a time that is too long, and of a concurrency that is no number there is never a free place.
 */
export function wrongOption({ from, concurrency, timeoutMs, maxDeliveries }: ConsumingOptions): string | undefined {
  return (
    notOneOf('from', from, ['now', 'beginning']) ??
    notWhole('concurrency', concurrency, { most: MOST_AT_ONCE }) ??
    notWhole('timeoutMs', timeoutMs, { most: LONGEST_TIMER_MS, way: LONG_ENOUGH }) ??
    notWhole('maxDeliveries', maxDeliveries, { most: MOST_DELIVERIES })
  );
}

/** Says so when an option that is given is none of these words. */
export function notOneOf(name: string, value: unknown, allowed: readonly string[]): string | undefined {
  if (value === undefined || allowed.some((one) => one === value)) return undefined;
  return `${name} must be ${allowed.join(' or ')}, got ${shown(value)}`;
}

/** Says so when an option is there that nobody reads, and which may have been meant. */
export function notKnown(given: object, known: readonly string[]): string | undefined {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  const [near] = nearNames(unknown, known);
  return `${unknown} is not known; ${near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`}`;
}

/** Says so when an option that is given is no whole number from `least` (1) to `most`. */
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

/** What {@link isGroupName} asks for, in words. */
export const GROUP_NAME_WORDS = 'a text of 1 to 255 characters that PostgreSQL can hold';

/** Whether a group may be called so. One that can't be stored would never be made, and look as if the database were away. */
export function isGroupName(name: unknown): name is string {
  return typeof name === 'string' && name.trim() !== '' && name.length <= 255 && isStorableText(name);
}

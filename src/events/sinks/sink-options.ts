import { DEFAULTS } from '../../config/defaults.ts';
import { arePatterns, PATTERNS_WORDS } from '../../config/value-forms.ts';
import { TaskerError } from '../../errors.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { GROUP_NAME_WORDS, isGroupName, notKnown, wrongOption } from '../consuming-options.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';

/** Options of all sinks. Times in milliseconds. */
export interface SinkOptions {
  /** The group, which has a position in the event log. Sinks of a group share its events, even across processes. */
  group?: string | undefined;
  /** Patterns for the names of events, with `*`, `?` and `[…]`. Default: all. */
  patterns?: readonly string[] | undefined;
  /** The start position of a new group. Default `now`. */
  from?: 'now' | 'beginning' | undefined;
  /** Maximum number of events of different tasks that this process sends at the same time. Default 10. */
  concurrency?: number | undefined;
  /** Timeout of a delivery. Default 30,000. */
  timeoutMs?: number | undefined;
  /** Maximum number of deliveries of an event before it becomes a dead delivery. Default 300, which takes about a day. */
  maxDeliveries?: number | undefined;
}

const COMMON: (keyof SinkOptions)[] = ['group', 'patterns', 'from', 'concurrency', 'timeoutMs', 'maxDeliveries'];

/** Rejects unknown options. `own` has the additional options of this sink. @throws TaskerError `config_invalid` */
export function checkKnown(who: string, options: SinkOptions, own: readonly string[]): void {
  const unknown = notKnown(options, [...own, ...COMMON]);
  demand(who, unknown === undefined, unknown ?? '');
}

/** The options of a sink as a consumer. */
type Consuming = Omit<EventConsumer, 'deliver' | 'close'>;

/** Checks the options of a sink and fills in defaults. @throws TaskerError `config_invalid` */
export function consumingAs(who: string, group: string, options: SinkOptions): Consuming {
  const { patterns = ['*'], from, concurrency, timeoutMs, maxDeliveries = DEFAULTS.sinkMaxDeliveries } = options;
  const consuming = { group, patterns, from, concurrency, timeoutMs, maxDeliveries };
  checkConsuming(who, consuming);
  return consuming;
}

/** Checks the options of a consumer. @throws TaskerError `config_invalid` */
export function checkConsuming(who: string, consuming: Partial<Consuming>): void {
  const { group, patterns } = consuming;
  demand(who, isGroupName(group), `group must be ${GROUP_NAME_WORDS}`);
  demand(who, Array.isArray(patterns) && arePatterns(patterns), `patterns must be ${PATTERNS_WORDS}`);
  const wrong = wrongOption(consuming);
  demand(who, wrong === undefined, wrong ?? '');
}

/** Asserts a condition on the options of `who`. @throws TaskerError `config_invalid` */
export function demand(who: string, holds: boolean, what: string): asserts holds {
  if (!holds) throw new TaskerError('config_invalid', `${who}: ${what}`);
}

/** Waits for a promise until the signal fires, and then rejects with the signal's reason. The work itself continues. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (await waitAtMost(Number.POSITIVE_INFINITY, work, signal)) return work;
  throw signal.reason as Error;
}

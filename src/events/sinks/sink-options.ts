import { DEFAULTS } from '../../config/defaults.ts';
import { arePatterns, PATTERNS_WORDS } from '../../config/value-forms.ts';
import { TaskerError } from '../../errors.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { GROUP_NAME_WORDS, isGroupName, notKnown, wrongOption } from '../consuming-options.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';

/** What every sink can be told. Times in milliseconds. */
export interface SinkOptions {
  /** Whose position in the log of events this is; sinks of one group, in whichever processes, share its events. */
  group?: string | undefined;
  /** Names of the events that it gets, with `*`, `?` and `[…]`. Default: all. */
  patterns?: readonly string[] | undefined;
  /** Where the group begins when it does not exist yet. Default `now`. */
  from?: 'now' | 'beginning' | undefined;
  /** Events of different tasks that are sent at once, by this process. Default 10. */
  concurrency?: number | undefined;
  /** How long one delivery may take. Default 30,000. */
  timeoutMs?: number | undefined;
  /** Deliveries of one event before it is a dead letter. Default 300, which is about a day. */
  maxDeliveries?: number | undefined;
}

const COMMON = [
  'group',
  'patterns',
  'from',
  'concurrency',
  'timeoutMs',
  'maxDeliveries',
] satisfies (keyof SinkOptions)[];

/** Refuses what no sink can be told; `own`: what this one can be told besides. @throws TaskerError `config_invalid` */
export function checkKnown(who: string, options: SinkOptions, own: readonly string[]): void {
  const unknown = notKnown(options, [...own, ...COMMON]);
  demand(who, unknown === undefined, unknown ?? '');
}

/** What a sink is as a consumer. */
type Consuming = Omit<EventConsumer, 'deliver' | 'close'>;

/** @throws TaskerError `config_invalid` */
export function consumingAs(who: string, group: string, options: SinkOptions): Consuming {
  const { patterns = ['*'], from, concurrency, timeoutMs, maxDeliveries = DEFAULTS.sinkMaxDeliveries } = options;
  const consuming = { group, patterns, from, concurrency, timeoutMs, maxDeliveries };
  checkConsuming(who, consuming);
  return consuming;
}

/** @throws TaskerError `config_invalid` */
export function checkConsuming(who: string, consuming: Partial<Consuming>): void {
  const { group, patterns } = consuming;
  demand(who, isGroupName(group), `group must be ${GROUP_NAME_WORDS}`);
  demand(who, Array.isArray(patterns) && arePatterns(patterns), `patterns must be ${PATTERNS_WORDS}`);
  const wrong = wrongOption(consuming);
  demand(who, wrong === undefined, wrong ?? '');
}

/** @throws TaskerError `config_invalid` */
export function demand(who: string, holds: boolean, what: string): asserts holds {
  if (!holds) throw new TaskerError('config_invalid', `${who}: ${what}`);
}

/** Waits for a promise until the signal fires, and then rejects with the signal's reason. The work itself continues. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (await waitAtMost(Number.POSITIVE_INFINITY, work, signal)) return work;
  throw signal.reason as Error;
}

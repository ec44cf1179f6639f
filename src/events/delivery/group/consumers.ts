import { regexOfPatterns } from '../../../model/event-pattern.ts';
import type { EventConsumer } from '../event-consumer.ts';

/** Defaults for consumers that set none: events handled at once, milliseconds for one, deliveries of one. */
export type ConsumerDefaults = Required<Pick<EventConsumer, 'concurrency' | 'timeoutMs' | 'maxDeliveries'>>;

/**
 * The consumers of one group in this process. Each event goes to one of them, the first whose patterns match: one that was
 * registered twice, or matches twice, gets it once.
 */
export class GroupConsumers {
  readonly name: string;
  readonly patterns: readonly string[];
  /** The patterns as a regular expression. */
  readonly matching: string;
  readonly from: 'now' | 'beginning';
  /** Events of different tasks that are handled at once. */
  readonly concurrency: number;
  readonly #defaults: ConsumerDefaults;
  readonly #consumers: readonly { consumer: EventConsumer; matching: RegExp }[];

  constructor(name: string, consumers: readonly EventConsumer[], defaults: ConsumerDefaults) {
    this.name = name;
    this.patterns = [...new Set(consumers.flatMap(({ patterns }) => patterns))];
    this.matching = regexOfPatterns(this.patterns);
    this.from = consumers.some(({ from }) => from === 'beginning') ? 'beginning' : 'now';
    this.concurrency = Math.max(1, ...consumers.map(({ concurrency = defaults.concurrency }) => concurrency));
    this.#defaults = defaults;
    this.#consumers = [...new Set(consumers)].map((consumer) => ({
      consumer,
      matching: new RegExp(regexOfPatterns(consumer.patterns), 's'),
    }));
  }

  /** Whether somebody here asked for events of this name. If not, another process of the group did. */
  wants(eventName: string): boolean {
    return this.#consumers.some(({ matching }) => matching.test(eventName));
  }

  /** Who gets events of this name, which somebody here must want. */
  of(eventName: string): { consumer: EventConsumer; timeoutMs: number; maxDeliveries: number } {
    const { consumer } = this.#consumers.find(({ matching }) => matching.test(eventName))!;
    const { timeoutMs = this.#defaults.timeoutMs, maxDeliveries = this.#defaults.maxDeliveries } = consumer;
    return { consumer, timeoutMs, maxDeliveries };
  }

  /** Closes what they hold open; answers why that failed where it did. */
  async close(): Promise<unknown[]> {
    const closed = await Promise.allSettled(this.#consumers.map(async ({ consumer }) => consumer.close?.()));
    return closed.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  }
}

/** Consumers by the group that they work for, in the order in which they were given. */
export function groupsOf(consumers: readonly EventConsumer[], defaults: ConsumerDefaults): GroupConsumers[] {
  const groups = new Map<string, EventConsumer[]>();
  for (const consumer of consumers) {
    const others = groups.get(consumer.group);
    if (others) others.push(consumer);
    else groups.set(consumer.group, [consumer]);
  }
  return [...groups].map(([name, members]) => new GroupConsumers(name, members, defaults));
}

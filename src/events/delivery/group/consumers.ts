import { regexOfPatterns } from '../../../model/event-pattern.ts';
import type { EventConsumer } from '../event-consumer.ts';

/** Defaults for the options of consumers. */
export type ConsumerDefaults = Required<Pick<EventConsumer, 'concurrency' | 'timeoutMs' | 'maxDeliveries'>>;

/**
 * The consumers of one group in this process. Each event goes to the first consumer whose patterns match. A consumer
 * that is registered twice, or matches several times, gets the event once.
 */
export class GroupConsumers {
  readonly name: string;
  readonly patterns: readonly string[];
  /** All patterns as one regular expression. */
  readonly matching: string;
  readonly from: 'now' | 'beginning';
  /** Maximum number of events of different tasks handled at the same time. */
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

  /**
   * Returns whether a consumer in this process wants events of this name. Otherwise another process of the group does.
   */
  wants(eventName: string): boolean {
    return this.#consumers.some(({ matching }) => matching.test(eventName));
  }

  /**
   * Returns the consumer for events of this name, and its limits. One of the consumers must want them; see {@link
   * wants}.
   */
  of(eventName: string): { consumer: EventConsumer; timeoutMs: number; maxDeliveries: number } {
    const { consumer } = this.#consumers.find(({ matching }) => matching.test(eventName))!;
    const { timeoutMs = this.#defaults.timeoutMs, maxDeliveries = this.#defaults.maxDeliveries } = consumer;
    return { consumer, timeoutMs, maxDeliveries };
  }

  /** Closes the consumers. Returns the errors of the consumers that failed to close. */
  async close(): Promise<unknown[]> {
    const closed = await Promise.allSettled(this.#consumers.map(async ({ consumer }) => consumer.close?.()));
    return closed.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  }
}

/** Groups consumers by the name of their group, in the given order. */
export function groupsOf(consumers: readonly EventConsumer[], defaults: ConsumerDefaults): GroupConsumers[] {
  const groups = new Map<string, EventConsumer[]>();
  for (const consumer of consumers) {
    const others = groups.get(consumer.group);
    if (others) others.push(consumer);
    else groups.set(consumer.group, [consumer]);
  }
  return [...groups].map(([name, members]) => new GroupConsumers(name, members, defaults));
}

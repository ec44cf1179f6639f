import { setTimeout as sleep } from 'node:timers/promises';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import { EventDelivery } from '../events/delivery/event-delivery.ts';
import type { SubscriberRegistry } from '../events/subscribing/subscriber-registry.ts';
import { SubscriberRuns, type SubscriberRunsParts } from '../events/subscribing/subscriber-runs.ts';

/** What a {@link TaskerDelivery} is made from. */
export interface TaskerDeliveryParts extends SubscriberRunsParts {
  subscribers: SubscriberRegistry;
  /** Where durable events are brought to, besides. */
  sinks: readonly EventConsumer[];
}

/** Who gets the domain events of one tasker: run from its start to its end, with or without a worker. */
export class TaskerDelivery {
  readonly #parts: TaskerDeliveryParts;
  readonly #subscribers: SubscriberRuns;
  readonly #sinks: EventDelivery;

  constructor(parts: TaskerDeliveryParts) {
    const { log, logger, metrics, delivery: options } = parts;
    this.#parts = parts;
    this.#subscribers = new SubscriberRuns(parts);
    this.#sinks = new EventDelivery({ log, consumers: parts.sinks, logger, metrics, ...(options && { options }) });
  }

  /** Resolves when new groups get all that is committed from now on. */
  async start(): Promise<void> {
    await Promise.all([this.#sinks.start(), this.#parts.subscribers.attach(this.#subscribers)]);
  }

  /** Durable events were committed, here or elsewhere. */
  heard(): void {
    this.#sinks.heard();
    this.#subscribers.heard();
  }

  /** What was told already reaches them; they may finish for so long. */
  async stop(drainTimeoutMs: number): Promise<void> {
    const until = performance.now() + drainTimeoutMs;
    const left = () => ({ drainTimeoutMs: Math.max(0, until - performance.now()) });
    const { bus, subscribers } = this.#parts;
    const sinks = this.#sinks.stop({ drainTimeoutMs });
    while (bus.waiting > 0 && performance.now() < until) await sleep(2);
    await Promise.all([sinks, subscribers.detach(this.#subscribers, left())]);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskerConfig } from '../config/config-keys.ts';
import type { EventLog } from '../engine/events/log.ts';
import type { EventConsumer, RunningConsumers } from '../events/delivery/event-consumer.ts';
import { EventDelivery } from '../events/delivery/event-delivery.ts';
import type { StopOptions } from '../events/delivery/stop-options.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { processEvents } from '../events/subscribing/polled-events.ts';
import { SubscriberRegistry } from '../events/subscribing/subscriber-registry.ts';
import { SubscriberRuns } from '../events/subscribing/subscriber-runs.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** What a {@link TaskerDelivery} is made from. */
export interface TaskerDeliveryParts {
  log: EventLog;
  bus: EventBus;
  /** The room's. */
  logger: Logger;
  metrics: Metrics;
  config: Pick<TaskerConfig, 'eventRetentionMs' | 'eventConcurrency' | 'eventTimeoutMs' | 'eventMaxDeliveries'>;
  subscribers: SubscriberRegistry;
  /** Where durable events are brought to, besides. */
  sinks: readonly EventConsumer[];
}

/** Who gets the domain events of one tasker: run from its start to its end, with or without a worker. */
export class TaskerDelivery {
  readonly #parts: TaskerDeliveryParts;
  readonly #subscribers: SubscriberRuns;
  readonly #delivery: EventDelivery;
  #sinks: RunningConsumers | undefined;
  #endPolling: () => void = () => {};

  constructor(parts: TaskerDeliveryParts) {
    this.#parts = parts;
    const { eventRetentionMs: retentionMs, eventConcurrency: concurrency } = parts.config;
    const { eventTimeoutMs: timeoutMs, eventMaxDeliveries: maxDeliveries } = parts.config;
    this.#delivery = new EventDelivery({ ...parts, options: { retentionMs, concurrency, timeoutMs, maxDeliveries } });
    this.#subscribers = new SubscriberRuns({ ...parts, delivery: this.#delivery });
  }

  /** Resolves when new groups get all that is committed from now on. */
  async start(): Promise<void> {
    const { bus, log, sinks, subscribers } = this.#parts;
    // Those subscribers may have been started with a poller, which then is where they get the events of this process from.
    if (subscribers === SubscriberRegistry.instance) this.#endPolling = processEvents.follow(bus, log);
    await this.#delivery.start();
    this.#sinks = this.#delivery.run(sinks);
    await Promise.all([this.#sinks.started, subscribers.attach(this.#subscribers)]);
  }

  /** Durable events were committed, here or elsewhere. */
  heard(): void {
    this.#delivery.heard();
  }

  /** What was told already reaches them; they may finish for so long, or until they are hurried. */
  async stop({ drainTimeoutMs, hurry }: Required<StopOptions>): Promise<void> {
    const until = performance.now() + drainTimeoutMs;
    const left = () => ({ drainTimeoutMs: Math.max(0, until - performance.now()), hurry });
    const { bus, subscribers } = this.#parts;
    const sinks = this.#sinks?.stop(left());
    while (bus.waiting > 0 && performance.now() < until && !hurry.aborted) await sleep(2);
    this.#endPolling();
    await Promise.all([sinks, this.#delivery.stop(left()), subscribers.detach(this.#subscribers, left())]);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningConsumers, StopOptions } from '../events/delivery/event-consumer.ts';
import { EventDeliverer } from '../events/delivery/event-deliverer.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { processEvents } from '../events/subscribing/polled-events.ts';
import { SubscriberRegistry } from '../events/subscribing/subscriber-registry.ts';
import { SubscriberRuns } from '../events/subscribing/subscriber-runs.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** Delivers one tasker's domain events from its start to its stop, with or without a worker. */
export class TaskerDelivery {
  readonly #parts: TaskerParts;
  readonly #bus: EventBus;
  readonly #subscribers: SubscriberRuns;
  readonly #delivery: EventDeliverer;
  #sinks: RunningConsumers | undefined;
  #endPolling: () => void = () => {};

  constructor(parts: TaskerParts, bus: EventBus) {
    const { engine, config, metrics } = parts;
    const { eventRetentionMs: retentionMs, eventConcurrency: concurrency } = config;
    const { eventTimeoutMs: timeoutMs, eventMaxDeliveries: maxDeliveries } = config;
    const shared = { log: engine.events, logger: moduleLogger(parts.logger, 'events'), metrics };
    const options = { retentionMs, concurrency, timeoutMs, maxDeliveries };
    this.#parts = parts;
    this.#bus = bus;
    this.#delivery = new EventDeliverer({ ...shared, options });
    this.#subscribers = new SubscriberRuns({ ...shared, bus, delivery: this.#delivery });
  }

  /** Starts the delivery. Once it resolves, groups that are new receive every event that is committed afterwards. */
  async start(): Promise<void> {
    const { engine, sinks, subscribers } = this.#parts;
    // These subscribers may have been started with a poller, which then delivers the events of this process to the
    // subscribers.
    if (subscribers === SubscriberRegistry.instance) this.#endPolling = processEvents.follow(this.#bus, engine.events);
    await this.#delivery.start();
    this.#sinks = this.#delivery.run(sinks);
    await Promise.all([this.#sinks.started, subscribers?.attach(this.#subscribers)]);
  }

  /** Reports that durable events were committed, in this process or another. */
  wake(): void {
    this.#delivery.heard();
  }

  /** Delivers the queued events. Waits for the subscribers for `drainTimeoutMs`, or until `hurry` fires. */
  async stop({ drainTimeoutMs, hurry }: Required<StopOptions>): Promise<void> {
    const until = performance.now() + drainTimeoutMs;
    const left = () => ({ drainTimeoutMs: Math.max(0, until - performance.now()), hurry });
    const sinks = this.#sinks?.stop(left());
    while (this.#bus.waiting > 0 && performance.now() < until && !hurry.aborted) await sleep(2);
    this.#endPolling();
    await Promise.all([sinks, this.#delivery.stop(left()), this.#parts.subscribers?.detach(this.#subscribers, left())]);
  }
}

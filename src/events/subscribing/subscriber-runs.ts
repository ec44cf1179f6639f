import type { EventLog } from '../../engine/events/log.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventDelivery } from '../delivery/event-delivery.ts';
import type { RunningConsumers } from '../delivery/running-consumers.ts';
import type { StopOptions } from '../delivery/stop-options.ts';
import { BaseSubscriber, type InProcessEventSource } from './base-subscriber.ts';
import { BusSource } from './bus-source.ts';
import type { EventBus } from './event-bus.ts';
import { subscriberConsumer } from './subscriber-consumer.ts';
import type { RunningSubscribers, SubscriberHost } from './subscriber-host.ts';

/** What {@link SubscriberRuns} are made from. */
export interface SubscriberRunsParts {
  log: EventLog;
  bus: EventBus;
  /** The room's. */
  logger: Logger;
  /** Of durable events. Whoever made it starts and stops it. */
  delivery: EventDelivery;
}

/**
 * Runs subscribers over a database and the events of one worker. Each event comes to a group once: fast ones from this
 * process, durable and broadcast ones from the log. A subscriber with `delivery.mode` `in_process` has no group: it gets
 * the fast and broadcast ones of this process.
 */
export class SubscriberRuns implements SubscriberHost {
  readonly #parts: SubscriberRunsParts;
  readonly #fast: BusSource;
  readonly #all: BusSource;

  constructor(parts: SubscriberRunsParts) {
    this.#parts = parts;
    this.#fast = new BusSource(parts, ({ deliveryMode }) => deliveryMode === 'fast');
    this.#all = new BusSource(parts);
  }

  run(
    subscribers: readonly BaseSubscriber[],
    { poller }: { poller: InProcessEventSource | undefined },
  ): RunningSubscribers {
    const { logger, delivery } = this.#parts;
    for (const subscriber of subscribers) {
      BaseSubscriber.useLogger(subscriber, logger);
      if (!poller) subscriber.start(this.#sourceOf(subscriber));
    }
    const consumers = subscribers.filter(hasGroup).map((one) => subscriberConsumer(one, logger));
    const running = delivery.run(consumers);
    return {
      started: running.started,
      stop: (stop) => this.#stop(subscribers, running, stop),
    };
  }

  async #stop(
    subscribers: readonly BaseSubscriber[],
    running: RunningConsumers,
    options: StopOptions = {},
  ): Promise<void> {
    await Promise.all([
      running.stop(options),
      ...subscribers.map((one) => one.stop({ ...options, source: this.#sourceOf(one) })),
    ]);
  }

  #sourceOf(subscriber: BaseSubscriber): BusSource {
    return hasGroup(subscriber) ? this.#fast : this.#all;
  }
}

/** Whether durable events come to it. */
export function hasGroup({ delivery }: BaseSubscriber): boolean {
  return delivery.mode !== 'in_process';
}

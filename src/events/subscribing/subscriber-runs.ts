import type { EventLog } from '../../engine/events/log.ts';
import { isTaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventConsumer, RunningConsumers, StopOptions } from '../delivery/event-consumer.ts';
import type { EventDeliverer } from '../delivery/event-deliverer.ts';
import { BaseSubscriber } from './base-subscriber.ts';
import { BusSource, filteredSource } from './bus-source.ts';
import { domainEventOf } from './domain-event.ts';
import type { EventBus } from './event-bus.ts';
import { handleEvent } from './handle-event.ts';
import type { InProcessEventSource, Subscriber } from './subscriber.ts';
import type { SubscriberHost } from './subscriber-registry.ts';

/** Dependencies of {@link SubscriberRuns}. */
export interface SubscriberRunsParts {
  log: EventLog;
  bus: EventBus;
  /** The logger of the module `events`. */
  logger: Logger;
  /** Delivers durable events. Its owner starts and stops it. */
  delivery: EventDeliverer;
}

/**
 * Runs subscribers with a database and the events of one worker. A group gets fast events from this process, and
 * durable and broadcast events from the log. A subscriber with `delivery.mode` `in_process` has no group and gets the
 * fast and broadcast events of this process.
 */
export class SubscriberRuns implements SubscriberHost {
  readonly #parts: SubscriberRunsParts;
  readonly #fast: InProcessEventSource;
  readonly #all: InProcessEventSource;

  constructor(parts: SubscriberRunsParts) {
    this.#parts = parts;
    this.#all = new BusSource(parts);
    this.#fast = filteredSource(this.#all, ({ deliveryMode }) => deliveryMode === 'fast');
  }

  run(
    subscribers: readonly BaseSubscriber[],
    { poller }: { poller: InProcessEventSource | undefined },
  ): RunningConsumers {
    const { logger, delivery } = this.#parts;
    for (const subscriber of subscribers) {
      BaseSubscriber.useLogger(subscriber, logger);
      if (!poller) subscriber.start(this.#sourceOf(subscriber));
    }
    const consumers = subscribers.filter(hasGroup).map((one) => subscriberConsumer(one, logger));
    const running = delivery.run(consumers);
    const stopAll = async (options: StopOptions = {}) => {
      await Promise.all([
        running.stop(options),
        ...subscribers.map((one) => one.stop({ ...options, source: this.#sourceOf(one) })),
      ]);
    };
    return { started: running.started, stop: stopAll };
  }

  #sourceOf(subscriber: Subscriber): InProcessEventSource {
    return hasGroup(subscriber) ? this.#fast : this.#all;
  }
}

/** Returns whether the subscriber gets durable events. */
function hasGroup({ delivery }: Subscriber): boolean {
  return delivery.mode !== 'in_process';
}

/** Returns a subscriber as a consumer of durable events, in the group of its name. */
function subscriberConsumer(subscriber: Subscriber, logger: Logger): EventConsumer {
  const { from, concurrency, timeoutMs, maxDeliveries } = subscriber.delivery;
  return {
    group: subscriber.subscriberName,
    patterns: subscriber.subscribesTo(),
    from,
    concurrency,
    timeoutMs,
    maxDeliveries,
    deliver: async (event, { attempt, replayed, halt, envelope }) => {
      const { result, settled } = handleEvent(subscriber, domainEventOf(event, envelope), {
        about: { attempt, replayed },
        halt,
        logger,
        failsBy: isTimeout,
      });
      // Waits for a subscriber that is still running after its timeout, so that the delivery is counted as late.
      await settled;
      await result;
    },
  };
}

/**
 * Returns whether a halt was a timeout. After a halt for another reason, the event goes to another process and has not
 * failed.
 */
function isTimeout(reason: unknown): boolean {
  return isTaskerError(reason) && reason.code === 'timeout';
}

import { isTaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import type { BaseSubscriber } from './base-subscriber.ts';
import { domainEventOf } from './domain-event-of.ts';
import { handleEvent } from './handle-event.ts';

/** A subscriber as the delivery of durable events sees it: a member of the group that has its name. */
export function subscriberConsumer(subscriber: BaseSubscriber, logger: Logger): EventConsumer {
  const { from, concurrency, timeoutMs, maxDeliveries } = subscriber.delivery;
  return {
    group: subscriber.subscriberName,
    patterns: subscriber.subscribesTo(),
    ...(from !== undefined && { from }),
    ...(concurrency !== undefined && { concurrency }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(maxDeliveries !== undefined && { maxDeliveries }),
    deliver: async (event, { attempt, replayed, halt, envelope }) => {
      const { result, settled } = handleEvent(subscriber, domainEventOf(event, envelope), {
        about: { attempt, replayed },
        halt,
        logger,
        failsBy: isTimeout,
      });
      // One that goes on after its time is still at work: whoever counts that must see it.
      await settled;
      await result;
    },
  };
}

/** What is taken from this process goes to another, and has not failed. */
function isTimeout(reason: unknown): boolean {
  return isTaskerError(reason) && reason.code === 'timeout';
}

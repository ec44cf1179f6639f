import { messageOf, TaskerError } from '../../errors.ts';
import { eventMatcher } from '../../model/event-pattern.ts';
import type { BaseSubscriber } from './base-subscriber.ts';
import { checkDelivery } from './check-delivery.ts';

/** Checks the name, the patterns and the `delivery` of a subscriber. @throws TaskerError `subscriber_invalid` */
export function checkSubscriber(subscriber: BaseSubscriber): void {
  checkPatterns(subscriber);
  checkDelivery(subscriber.subscriberName, subscriber.delivery);
}

function checkPatterns(subscriber: BaseSubscriber): void {
  const { subscriberName } = subscriber;
  const patterns = patternsOf(subscriber);
  const texts = Array.isArray(patterns) && patterns.every((pattern) => typeof pattern === 'string');
  if (!texts || patterns.length === 0) {
    throw new TaskerError(
      'subscriber_invalid',
      `subscriber ${subscriberName}: subscribesTo must give a list of patterns; ['*'] is all events`,
    );
  }
  try {
    eventMatcher(patterns);
  } catch (cause) {
    throw new TaskerError('subscriber_invalid', `subscriber ${subscriberName}: ${messageOf(cause)}`, { cause });
  }
}

function patternsOf(subscriber: BaseSubscriber): unknown {
  try {
    return subscriber.subscribesTo();
  } catch (cause) {
    const message = `subscriber ${subscriber.subscriberName}: subscribesTo throws: ${messageOf(cause)}`;
    throw new TaskerError('subscriber_invalid', message, { cause });
  }
}

import { messageOf, TaskerError } from '../../errors.ts';
import { eventMatcher } from '../../model/event-pattern.ts';
import { GROUP_NAME_WORDS, isGroupName, notKnown, notOneOf, wrongOption } from '../consuming-options.ts';
import type { Subscriber } from './subscriber.ts';

const KNOWN = ['mode', 'from', 'concurrency', 'timeoutMs', 'maxDeliveries'];

/** Checks the name, the patterns and the `delivery` of a subscriber. @throws TaskerError `subscriber_invalid` */
export function checkSubscriber(subscriber: Subscriber): void {
  const { subscriberName } = subscriber;
  let patterns: unknown;
  try {
    patterns = subscriber.subscribesTo();
  } catch (cause) {
    throw refusal(subscriberName, `subscribesTo throws: ${messageOf(cause)}`, cause);
  }
  const texts = Array.isArray(patterns) && patterns.every((pattern) => typeof pattern === 'string') ? patterns : [];
  if (texts.length === 0) {
    throw refusal(subscriberName, "subscribesTo must return a list of patterns; use ['*'] for all events");
  }
  checkPatterns(subscriberName, texts);
  checkDelivery(subscriberName, subscriber.delivery);
}

/** Checks the syntax of patterns. @throws TaskerError `subscriber_invalid` */
export function checkPatterns(subscriberName: string, patterns: readonly string[]): void {
  try {
    eventMatcher(patterns);
  } catch (cause) {
    throw refusal(subscriberName, messageOf(cause), cause);
  }
}

/**
 * Checks the name and the `delivery` of a subscriber, for callers without types. `besides` lists additional allowed
 * options.
 * @throws TaskerError `subscriber_invalid`
 */
export function checkDelivery(subscriberName: string, delivery: unknown, besides: readonly string[] = []): void {
  // The name of an anonymous class is ''.
  if (subscriberName !== '' && !isGroupName(subscriberName)) {
    throw refusal(shortOf(subscriberName), `its name is also the name of its group and must be ${GROUP_NAME_WORDS}`);
  }
  if (typeof delivery !== 'object' || delivery === null) {
    const way = 'delivery must be an options object such as { timeoutMs: 60_000 }';
    throw refusal(subscriberName, `${way}, got ${String(delivery)}`);
  }
  const { mode }: { mode?: unknown } = delivery;
  const wrong =
    notKnown(delivery, [...KNOWN, ...besides]) ??
    notOneOf('mode', mode, ['durable', 'in_process']) ??
    wrongOption(delivery);
  if (wrong !== undefined) throw refusal(subscriberName, `delivery option ${wrong}`);
}

/** The start of a name, for an error message. */
const shortOf = (name: unknown): string => JSON.stringify(String(name).slice(0, 40));

/** The error for an invalid subscriber. */
export function refusal(subscriberName: string, what: string, cause?: unknown): TaskerError {
  return new TaskerError('subscriber_invalid', `subscriber ${subscriberName}: ${what}`, { cause });
}

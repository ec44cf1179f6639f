import { TaskerError } from '../../errors.ts';
import { notKnown, notOneOf, wrongOption } from '../consuming-options.ts';

const KNOWN = ['mode', 'from', 'concurrency', 'timeoutMs', 'maxDeliveries'];

/**
 * Checks the `delivery` of a subscriber, which the types do where there are types. `besides`: what else may stand there.
 * @throws TaskerError `subscriber_invalid`
 */
export function checkDelivery(subscriberName: string, delivery: unknown, besides: readonly string[] = []): void {
  if (typeof delivery !== 'object' || delivery === null) {
    throw new TaskerError(
      'subscriber_invalid',
      `subscriber ${subscriberName}: delivery must be an object of options such as { timeoutMs: 60_000 }, got ${String(delivery)}`,
    );
  }
  const { mode }: { mode?: unknown } = delivery;
  const wrong =
    notKnown(delivery, [...KNOWN, ...besides]) ??
    notOneOf('mode', mode, ['durable', 'in_process']) ??
    wrongOption(delivery);
  if (wrong === undefined) return;
  throw new TaskerError('subscriber_invalid', `subscriber ${subscriberName}: delivery option ${wrong}`);
}

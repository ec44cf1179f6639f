import { TaskerError } from '../../errors.ts';
import { notOneOf, wrongOption } from '../consuming-options.ts';

/**
 * Checks the `delivery` of a subscriber, which the types do where there are types.
 * @throws TaskerError `subscriber_invalid`
 */
export function checkDelivery(subscriberName: string, delivery: unknown): void {
  if (typeof delivery !== 'object' || delivery === null) {
    throw new TaskerError(
      'subscriber_invalid',
      `subscriber ${subscriberName}: delivery must be an object of options such as { timeoutMs: 60_000 }, got ${String(delivery)}`,
    );
  }
  const { mode }: { mode?: unknown } = delivery;
  const wrong = notOneOf('mode', mode, ['durable', 'in_process']) ?? wrongOption(delivery);
  if (wrong === undefined) return;
  throw new TaskerError('subscriber_invalid', `subscriber ${subscriberName}: delivery option ${wrong}`);
}

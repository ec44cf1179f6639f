import { TaskerError } from '../../errors.ts';
import { notKnown, notOneOf, wrongOption } from '../consuming-options.ts';
import { GROUP_NAME_WORDS, isGroupName } from '../group-name.ts';

const KNOWN = ['mode', 'from', 'concurrency', 'timeoutMs', 'maxDeliveries'];

/**
 * Checks the name and the `delivery` of a subscriber, which the types do where there are types. `besides`: what else may stand there.
 * @throws TaskerError `subscriber_invalid`
 */
export function checkDelivery(subscriberName: string, delivery: unknown, besides: readonly string[] = []): void {
  // A class without a name is called ''.
  if (subscriberName !== '' && !isGroupName(subscriberName)) {
    throw new TaskerError(
      'subscriber_invalid',
      `subscriber ${shortOf(subscriberName)}: its name is its group's, and must be ${GROUP_NAME_WORDS}`,
    );
  }
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

/** As far as a message can show it. */
const shortOf = (name: unknown): string => JSON.stringify(String(name).slice(0, 40));

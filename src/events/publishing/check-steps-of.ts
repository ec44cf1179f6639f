import { messageOf, TaskerError } from '../../errors.ts';
import type { BasePublisher } from './base-publisher.ts';

/**
 * Checks what a publisher says it is for: all publishers are asked for each step whose events name none, so that one which
 * can't answer would cost the events of others.
 * @throws TaskerError `publisher_invalid`
 */
export function checkStepsOf(publisher: BasePublisher): void {
  const who = `publisher ${publisher.publisherName}`;
  let steps: unknown;
  try {
    steps = publisher.publishesFor();
  } catch (cause) {
    throw new TaskerError('publisher_invalid', `${who}: publishesFor throws: ${messageOf(cause)}`, { cause });
  }
  if (Array.isArray(steps) && steps.every((step) => typeof step === 'string')) return;
  throw new TaskerError('publisher_invalid', `${who}: publishesFor must give a list of names of steps`);
}

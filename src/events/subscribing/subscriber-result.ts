import { z } from 'zod';
import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';

/** What handling an event came to. Nothing returned means that it was handled. */
export interface SubscriberResult {
  /** False: the delivery failed, and a durable event comes again. */
  success: boolean;
  /** Why it failed. */
  error?: string | undefined;
  /** For `afterHandle`, and for whoever calls the subscriber by hand. */
  metadata?: Record<string, unknown> | undefined;
}

const Model = z.strictObject({
  success: z.boolean(),
  error: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/**
 * A {@link SubscriberResult}, checked; a plain object of that form does as well. Throws `bad_request` for what makes no
 * sense, and for any other key.
 *
 * @example
 * return SubscriberResult({ success: false, error: 'the ledger is closed' });
 */
export function SubscriberResult(result: SubscriberResult): SubscriberResult {
  const parsed = Model.safeParse(result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const said = [...(issue?.path ?? []), issue?.message].join(': ');
  throw new TaskerError('bad_request', `SubscriberResult: ${said}`, { cause: parsed.error });
}

/**
 * What a subscriber returned, as a result. Anything without `success` counts as handled: many a function returns what its
 * last call did. But who wrote `succes: false` meant to say something, and loses no event by it.
 */
export function resultOfHandling(returned: unknown): SubscriberResult {
  const said = typeof returned === 'object' && returned !== null ? (returned as Partial<SubscriberResult>) : {};
  if (said.success !== undefined) return { ...said, success: said.success === true };
  // Its first letter is hardly ever wrong, and `access` is another word.
  const denied = Object.entries(said).flatMap(([key, value]) => (value === false && /^s/i.test(key) ? [key] : []));
  const [misspelt] = nearNames('success', denied, 1);
  if (misspelt === undefined) return { success: true };
  return {
    success: false,
    error: `handle returned an object with ${misspelt} and without success; did you mean success?`,
  };
}

import { z } from 'zod';
import { TaskerError } from '../../errors.ts';

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

/** What a subscriber returned, as a result. */
export function resultOfHandling(returned: unknown): SubscriberResult {
  const said = typeof returned === 'object' && returned !== null ? (returned as Partial<SubscriberResult>) : {};
  return said.success === undefined ? { success: true } : { ...said, success: said.success === true };
}

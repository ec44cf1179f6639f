import { z } from 'zod';
import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';

/** The result of handling an event. If a subscriber returns nothing, the event is treated as handled. */
export interface SubscriberResult {
  /** False if the delivery failed. A durable event is then delivered again. */
  success: boolean;
  /** The reason for the failure. */
  error?: string | undefined;
  /** Data for `afterHandle` and for direct callers of the subscriber. */
  metadata?: Record<string, unknown> | undefined;
}

const Model = z.strictObject({
  success: z.boolean(),
  error: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Checks and returns a {@link SubscriberResult}. A plain object can be used too. Throws `bad_request` for invalid values and
 * unknown keys.
 *
 * @example
 * return SubscriberResult({ success: false, error: 'the ledger is closed' });
 */
export function SubscriberResult(result: SubscriberResult): SubscriberResult {
  const parsed = Model.safeParse(result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const problem = [...(issue?.path ?? []), issue?.message].join(': ');
  throw new TaskerError('bad_request', `SubscriberResult: ${problem}`, { cause: parsed.error });
}

/**
 * Converts the return value of a subscriber to a result. A value without `success` means that the event was handled,
 * because many functions return the value of their last call. A misspelt key such as `succes: false` is treated as a
 * failure, so that no event is lost.
 */
export function resultOfHandling(returned: unknown): SubscriberResult {
  const fields = typeof returned === 'object' && returned !== null ? (returned as Partial<SubscriberResult>) : {};
  if (fields.success !== undefined) return { ...fields, success: fields.success === true };
  // The first letter must match, because it is rarely misspelt, and `access` is a different word.
  const denied = Object.entries(fields).flatMap(([key, value]) => (value === false && /^s/i.test(key) ? [key] : []));
  const [misspelt] = nearNames('success', denied, 1);
  if (misspelt === undefined) return { success: true };
  return {
    success: false,
    error: `handle returned an object with ${misspelt} but without success; did you mean success?`,
  };
}

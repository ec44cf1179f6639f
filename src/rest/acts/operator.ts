import type { Context } from 'hono';
import { actorOf, callerOf, type Remarks } from '../caller.ts';

/** Returns the operator of an action, for the audit: the subject of the credential, or else the name in the body. */
export function operatorOf(c: Context, remarks: Remarks): { actor?: string; reason?: string } {
  return actorOf(callerOf(c), remarks);
}

/**
 * Returns the name under which a vote or a signal is recorded. Undefined if the request has neither a credential nor a
 * name.
 */
export function personOf(c: Context, by: string | undefined): string | undefined {
  return callerOf(c).subject ?? by;
}

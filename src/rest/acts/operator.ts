import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { actorOf, callerOf, type Remarks } from '../caller.ts';

/** The fields that every action's body has: the reason, and the operator. */
export const OPERATOR = {
  reason: z.string().min(1).max(4000).optional().openapi({ description: 'Kept in the history and the audit.' }),
  by: z.string().min(1).max(200).optional().openapi({
    description: 'The operator. With a credential, its subject is the operator, and this name is only a remark.',
  }),
};

/** The body of an action that has no other fields. */
export const ActBody = z.strictObject(OPERATOR).openapi('Act');

/** A JSON body that may be omitted. */
export function optionalBody<Schema extends z.ZodType>(schema: Schema) {
  return { body: { content: { 'application/json': { schema } }, required: false } } as const;
}

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

import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, callerOf } from '../caller.ts';

/** The fields of every body of an act: why, and for whom. */
export const OPERATOR = {
  reason: z.string().min(1).max(4000).optional().openapi({ description: 'Kept in the history and the audit.' }),
  by: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .openapi({ description: 'The operator. With a credential, its subject acts, and this is a remark.' }),
};

/** The body of an act that needs nothing else. */
export const ActBody = z.strictObject(OPERATOR).openapi('Act');

/** A JSON body that may be left out. */
export function optionalBody<Schema extends z.ZodType>(schema: Schema) {
  return { body: { content: { 'application/json': { schema } }, required: false } } as const;
}

/** Returns the operator of an act: the subject of the credential, or else the name in the body. */
export function operatorOf(
  c: Context,
  { by, reason }: { by?: string | undefined; reason?: string | undefined },
): { actor?: string; reason?: string } {
  const { subject } = callerOf(c);
  if (subject === undefined) return { ...(by !== undefined && { actor: by }), ...(reason !== undefined && { reason }) };
  const remark = by === undefined || by === subject ? undefined : `(by ${by})`;
  const text = [reason, remark].filter((part) => part !== undefined).join(' ');
  return { actor: subject, ...(text !== '' && { reason: text }) };
}

/** Returns the name under which a vote or a signal is recorded. Undefined: there is neither a credential nor a name. */
export function personOf(c: Context, by: string | undefined): string | undefined {
  return callerOf(c).subject ?? by;
}

/**
 * Refuses a task outside the namespaces of the caller, with the error for a task that does not exist.
 * @throws TaskerError `task_not_found`, `invalid_uuid`
 */
export async function checkTask(tasker: Tasker, c: Context, taskUuid: string): Promise<void> {
  const { namespaces } = callerOf(c);
  if (namespaces === undefined) return;
  const { namespace } = await tasker.getTask(taskUuid);
  if (!namespaces.includes(namespace)) throw new TaskerError('task_not_found', `there is no task ${taskUuid}`);
}

/** Refuses a namespace that the caller may not see. @throws TaskerError `forbidden` */
export function checkNamespace(c: Context, namespace: string): void {
  if (seesNamespace(callerOf(c), namespace)) return;
  throw new TaskerError('forbidden', `this credential is not for namespace ${namespace}`);
}

/** Returns whether a caller may see a namespace. */
export function seesNamespace({ namespaces }: Caller, namespace: string): boolean {
  return namespaces === undefined || namespaces.includes(namespace);
}

/** Refuses a caller that is limited to namespaces, for acts on what belongs to none. @throws TaskerError `forbidden` */
export function checkEverywhere(c: Context, what: string): void {
  if (callerOf(c).namespaces === undefined) return;
  throw new TaskerError('forbidden', `${what} needs a credential for all namespaces`);
}

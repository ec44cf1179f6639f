import type { Tasker } from '../app/tasker.ts';
import type { ActsOn } from '../contract/verb.ts';
import { notThere, scopeOf } from '../engine/credentials/scopes.ts';
import { ERRORS, isTaskerError, TaskerError } from '../errors.ts';
import { isUuid } from '../model/ids.ts';
import type { Caller } from './caller.ts';

/**
 * Returns whether the caller may see and change the objects in a namespace. Objects outside of namespaces need a
 * credential for all.
 */
export function maySee({ namespaces }: Caller, namespace: string | null | undefined): boolean {
  return namespaces === undefined || (namespace != null && namespaces.includes(namespace));
}

/**
 * Returns the namespaces to search: the requested one if the caller may see it, or all namespaces of the caller.
 * Undefined means all. Empty means none.
 */
export function searchedNamespaces(caller: Caller, asked: string | undefined): string | string[] | undefined {
  if (asked === undefined) return caller.namespaces && [...caller.namespaces];
  return maySee(caller, asked) ? asked : [];
}

/**
 * Throws the same error as for an unknown task if the caller may not see the namespace of a task. The caller therefore
 * cannot find out which tasks exist. @throws TaskerError `task_not_found`, `invalid_uuid`
 */
export async function checkVisible(tasker: Tasker, caller: Caller, taskUuid: string): Promise<void> {
  if (caller.namespaces === undefined) return;
  const { namespace } = await tasker.getTask(taskUuid);
  if (!maySee(caller, namespace)) throw notThere('task', taskUuid);
}

/**
 * Throws the error for something that does not exist if the caller may not see what a verb acts on. `given`: the
 * parameters of the path.
 */
export async function checkScope(
  tasker: Tasker,
  caller: Caller,
  { on, given }: { on: ActsOn; given: Readonly<Record<string, unknown>> },
): Promise<void> {
  if (caller.namespaces === undefined || on === 'visible') return;
  if (on === 'installation') return checkSeesAll(caller, 'this');
  if (on === 'namespace') {
    const { namespace, name } = given as { namespace: string; name?: string };
    return checkNamespace(
      caller,
      namespace,
      name === undefined ? `namespace ${namespace}` : `template ${namespace}/${name}`,
    );
  }
  const key = String(
    { task: given.uuid ?? given.task_uuid, dead_letter: given.dlq_entry_uuid, schedule: given.name }[on],
  );
  // The verb rejects other values.
  if (on !== 'schedule' && !isUuid(key)) return;
  if (!maySee(caller, await scopeOf(tasker.engine.database, on, key))) throw notThere(on, key);
}

/** @throws TaskerError `not_found` if the caller may not see the namespace, as if it were empty */
export function checkNamespace(caller: Caller, namespace: string | null | undefined, what: string): void {
  if (!maySee(caller, namespace)) throw new TaskerError('not_found', `${what} not found`);
}

/** Rejects callers that may not see all namespaces. @throws TaskerError `forbidden` */
export function checkSeesAll({ namespaces }: Caller, what: string, instead?: string): void {
  if (namespaces === undefined) return;
  throw new TaskerError(
    'forbidden',
    `${what} concerns all namespaces, and this credential may see only ${namespaces.join(', ')}${instead === undefined ? '' : `; use ${instead}`}`,
  );
}

/**
 * Removes the suggestions from a not-found error, because they may name items in other namespaces. This also makes it
 * identical to the error for an item in another namespace.
 */
export function withoutHints<Thrown extends Error>(error: Thrown, { namespaces }: Caller): Thrown | TaskerError {
  if (namespaces === undefined || !isTaskerError(error) || ERRORS[error.code] !== 404) return error;
  return new TaskerError(error.code, error.message.split('; ')[0]!);
}

import type { Tasker } from '../app/tasker.ts';
import { TaskerError } from '../errors.ts';
import type { Caller } from './caller.ts';

/** Whether the caller may see a namespace. */
export function maySee({ namespaces }: Caller, namespace: string): boolean {
  return namespaces?.includes(namespace) ?? true;
}

/**
 * Returns the namespaces to search: the one that was asked for, if the caller may see it, else all that it may see.
 * Undefined: all. Empty: none.
 */
export function searchedNamespaces(caller: Caller, asked: string | undefined): string | string[] | undefined {
  if (asked === undefined) return caller.namespaces && [...caller.namespaces];
  return maySee(caller, asked) ? asked : [];
}

/**
 * Throws the error of an unknown task if the caller may not see the namespace of a task, so that it cannot find out which
 * tasks exist. @throws TaskerError `task_not_found`, `invalid_uuid`
 */
export async function checkVisible(tasker: Tasker, caller: Caller, taskUuid: string): Promise<void> {
  if (caller.namespaces === undefined) return;
  const { namespace } = await tasker.getTask(taskUuid);
  if (!maySee(caller, namespace)) throw new TaskerError('task_not_found', `there is no task ${taskUuid}`);
}

/** Refuses callers that may not see all namespaces. @throws TaskerError `forbidden` */
export function checkSeesAll({ namespaces }: Caller, what: string, instead: string): void {
  if (namespaces === undefined) return;
  throw new TaskerError(
    'forbidden',
    `${what} describes all namespaces, and this credential may see only ${namespaces.join(', ')}; use ${instead}`,
  );
}

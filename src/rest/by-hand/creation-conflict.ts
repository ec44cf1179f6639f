import type { TaskHandle } from '../../app/tasker.ts';
import { GET_EXISTING } from '../../contract/schemas/idempotency-key.ts';
import { CreationConflict, existingTask, openTaskOfKey } from '../../engine/creation-conflict.ts';
import { TaskerError } from '../../errors.ts';
import type { Caller } from '../caller.ts';

/**
 * Returns the error for a task whose identity or key another task has, with what the caller can do over HTTP. The error names
 * the other task only to callers that may read it. `canReturn`: whether the route takes `on_duplicate`.
 */
export function shownConflict(thrown: Error, caller: Caller, { canReturn = false } = {}): Error {
  if (!(thrown instanceof CreationConflict)) return thrown;
  const { kind, fact, taskUuid, way } = thrown;
  const { task_uuid: _, ...details } = thrown.details;
  // The other request may be for a task in a namespace that the caller may not see.
  const isVisible = caller.allows('tasks:read') && (kind !== 'other_request' || caller.namespaces === undefined);
  if (!isVisible) {
    const own = kind === 'other_request' || kind === 'key' ? way : 'use another idempotency key';
    return new TaskerError('conflict', `${fact}; ${own}`, { details });
  }
  const ways = {
    exists: canReturn ? `${GET_EXISTING}, or use another idempotency key` : 'use another idempotency key',
    pruned: `use another idempotency key, or release this one with POST /v1/tasks/${taskUuid}/delete`,
    other_request: way,
    key: way,
  };
  return new TaskerError('conflict', `${fact}: ${taskUuid}; ${ways[kind]}`, {
    details: { task_uuid: taskUuid, ...details },
  });
}

/** Returns the error in place of an existing task that the caller may not get. */
export function notShown(
  request: { name: string; idempotencyKey?: string | undefined },
  { taskUuid, rule }: Pick<TaskHandle, 'taskUuid' | 'rule'>,
): CreationConflict {
  return rule === 'unique' ? openTaskOfKey(request, taskUuid) : existingTask(request, taskUuid, { at: 0, of: 1 });
}

/** Returns whether a caller may get an earlier task in place of a new one: it may read tasks, or created this one. */
export function mayGetExisting(caller: Caller, { createdWith }: { createdWith: string | null }): boolean {
  return caller.allows('tasks:read') || (createdWith !== null && createdWith === caller.subject);
}

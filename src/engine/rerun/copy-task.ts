import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import { noteAct } from '../../store/audit.ts';
import { copiesOfTask, markCopy } from '../../store/copies.ts';
import { getTasks } from '../../store/tasks.ts';
import { type CreatedTask, createTasks, type TaskRequest } from '../create-task.ts';
import { openTaskOfKey } from '../creation-conflict.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import type { TemplateStore } from '../template-store.ts';

/** How {@link copyTask} copies a task. */
export interface CopyOptions extends OperatorOptions {
  /** The context of the copy. Default: the context of the task. */
  context?: Record<string, unknown>;
  /**
   * A key that makes the call repeatable: only one copy with this key is created. Default: each call creates a copy.
   */
  idempotencyKey?: string;
}

interface Copying {
  database: Database;
  templates: TemplateStore;
}

/**
 * Creates a copy of a task, from the newest registration of its template's version. The link to the original task and
 * the entry in the audit are committed with it.
 *
 * @throws TaskerError `task_not_found`, `bad_request`, `invalid_context`, `conflict`
 */
export async function copyTask(
  { database, templates }: Copying,
  taskUuid: string,
  options: CopyOptions,
): Promise<CreatedTask> {
  const operator = operatorOf(options);
  const [row] = await getTasks(database, [taskUuid]);
  if (!row) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
  const { template } = await templates.newest(row.namespace, row.name, row.version);
  // Without a key, the copy may be rejected, or be a duplicate: the context may be the identity, or the template may
  // require a key.
  const own = template.identityStrategy === 'always_unique' ? undefined : `copy ${uuidV7()} of ${taskUuid}`;
  const key = options.idempotencyKey ?? own;
  const request: TaskRequest = {
    name: row.name,
    namespace: row.namespace,
    version: row.version,
    context: options.context ?? (JSON.parse(row.context) as Record<string, unknown>),
    priority: row.priority,
    tags: row.tags,
    correlationId: row.correlationId,
    ...(key !== undefined && { idempotencyKey: key }),
    ...(row.parentCorrelationId !== null && { parentCorrelationId: row.parentCorrelationId }),
    ...(row.initiator !== null && { initiator: row.initiator }),
    ...(row.sourceSystem !== null && { sourceSystem: row.sourceSystem }),
    ...(row.reason !== null && { reason: row.reason }),
  };
  const [copy] = await createTasks(database, templates, [request], {
    also: async (tx, [copyUuid]) => {
      await markCopy(tx, copyUuid!, taskUuid);
      const changed = options.context !== undefined;
      const from = { action: 'copy' as const, taskUuid, fromState: row.status, toState: row.status };
      await noteAct(tx, { ...from, details: JSON.stringify({ copy: copyUuid, context: changed }) }, operator);
      const to = { action: 'copy' as const, taskUuid: copyUuid!, toState: 'pending' };
      await noteAct(tx, { ...to, details: JSON.stringify({ copy_of: taskUuid, context: changed }) }, operator);
    },
  });
  // Nothing was copied.
  if (copy!.rule === 'unique' && !copy!.created) throw openTaskOfKey(request, copy!.taskUuid);
  return copy!;
}

/** Returns the ids of the copies of a task, newest first, at most 100. */
export function copiesOf({ database }: Copying, taskUuid: string): Promise<string[]> {
  return copiesOfTask(database, taskUuid);
}

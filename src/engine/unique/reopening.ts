import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import type { Fields } from '../../model/json.ts';
import { templatesOfTasks } from '../../store/signals/read.ts';
import { lockTaskKeys, openHolders, takeTaskKeys } from '../../store/task-keys.ts';
import { type EventTaskRow, eventTasks } from '../../store/tasks.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { TemplateStore } from '../template-store.ts';
import { keyOfTask, type TaskKey } from './key-of-task.ts';

/** The reason why a task that has ended cannot be reopened. */
export interface ReopenRefusal {
  reason: string;
  /** The open task that has its key. Undefined if the key cannot be computed. */
  holderUuid?: string;
}

/** The locked keys of tasks that may be reopened. */
export class ReopeningKeys {
  readonly #tx: Db;
  readonly #keys: ReadonlyMap<string, TaskKey | string>;
  /** The task in the row of each key, by its hash. */
  readonly #holders: Map<string, string>;

  /** @internal */
  constructor(tx: Db, keys: ReadonlyMap<string, TaskKey | string>, holders: Map<string, string>) {
    this.#tx = tx;
    this.#keys = keys;
    this.#holders = holders;
  }

  /** Returns why a task that has ended cannot be reopened. Undefined if it can, or its template has no `unique`. */
  async refusal(taskUuid: string): Promise<ReopenRefusal | undefined> {
    const key = this.#keys.get(taskUuid);
    if (key === undefined) return undefined;
    if (typeof key === 'string') return { reason: `its key cannot be computed: ${key}` };
    const holderUuid = this.#holders.get(key.hash)!;
    if (holderUuid === taskUuid) return undefined;
    const holder = (await openHolders(this.#tx, [holderUuid])).get(holderUuid);
    if (!holder) return undefined;
    const reason = `task ${holderUuid}, which is in ${holder.state}, has the same key ${key.shown} (unique)`;
    return { reason, holderUuid };
  }

  /** Takes the key for a task that is reopened. Call it if there is no {@link refusal}. */
  async take(taskUuid: string): Promise<void> {
    const key = this.#keys.get(taskUuid);
    if (typeof key !== 'object' || this.#holders.get(key.hash) === taskUuid) return;
    await takeTaskKeys(this.#tx, [{ hash: key.hash, taskUuid }]);
    this.#holders.set(key.hash, taskUuid);
  }
}

/**
 * Locks the keys of tasks that an action may reopen. Reads nothing but the templates, unless one has `unique`. Call it before
 * lockTasks, because keys are locked before tasks.
 */
export async function lockReopeningKeys(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  taskUuids: readonly string[],
): Promise<ReopeningKeys> {
  const keys = new Map<string, TaskKey | string>();
  const tasks = await templatesOfTasks(tx, taskUuids);
  await templates.load(new Set(tasks.map(({ templateId }) => templateId)), tx);
  const templateOf = new Map<string, TaskTemplate>();
  for (const { taskUuid, templateId } of tasks) {
    // The action itself reports a template that cannot be read.
    const template = templates.has(templateId) ? templates.get(templateId).template : undefined;
    if (template?.unique) templateOf.set(taskUuid, template);
  }
  if (templateOf.size === 0) return new ReopeningKeys(tx, keys, new Map());
  const first = new Map<string, string>();
  for (const task of await eventTasks(tx, [...templateOf.keys()])) {
    const key = keyOf(templateOf.get(task.taskUuid)!, task);
    if (key === undefined) continue;
    keys.set(task.taskUuid, key);
    if (typeof key === 'object' && !first.has(key.hash)) first.set(key.hash, task.taskUuid);
  }
  const rows = [...first].map(([hash, taskUuid]) => ({ hash, taskUuid }));
  return new ReopeningKeys(tx, keys, rows.length > 0 ? await lockTaskKeys(tx, rows) : new Map());
}

function keyOf(template: TaskTemplate, { context, tags, priority, correlationId }: EventTaskRow) {
  return keyOfTask(template, { context: JSON.parse(context) as Fields, tags, priority, correlationId });
}

/** Returns the error for an action that would reopen a task whose key another open task has. `done`: such as `run again`. */
export function keyTaken(taskUuid: string, done: string, { reason, holderUuid }: ReopenRefusal): TaskerError {
  const way = holderUuid === undefined ? 'create a copy instead' : 'wait until that task has ended, or cancel it';
  return new TaskerError('conflict', `task ${taskUuid} cannot be ${done}: ${reason}; ${way}`, {
    details: { task_uuid: taskUuid, rule: 'unique', ...(holderUuid !== undefined && { holder_uuid: holderUuid }) },
  });
}

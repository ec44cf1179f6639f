import type { Database } from '../../db/database.ts';
import { childrenOfTask, countOpenChildren, parentOfTask } from '../../store/child-tasks.ts';
import { getTasks } from '../../store/tasks.ts';

/** Maximum number of children that are listed. */
const MOST_LISTED = 100;

/** A task above or below another. Times are ISO 8601. */
export interface RelatedTask {
  taskUuid: string;
  /** The step of the parent that started the child. */
  step: string;
  namespace: string;
  /** The name of its template, and its version. */
  name: string;
  version: string;
  status: string;
  createdAt: string;
  completedAt: string | null;
}

/** A child task. */
export interface ChildTask extends RelatedTask {
  /** Whether the step waits for it. A later start of the step has another child. */
  awaited: boolean;
  /** The key with which the handler of the step started it. Null for a step of the type `task`. */
  key: string | null;
}

/** The parent and the children of a task. */
export interface TaskFamily {
  /** The task that started it. Null if there is none, or it was deleted. */
  parent: RelatedTask | null;
  /** The task without a parent, above all others. Null for a task without a parent. */
  rootTaskUuid: string | null;
  /** Its children, newest first, at most 100. */
  children: ChildTask[];
  /** Number of its children that have not ended. */
  openChildren: number;
}

/** Returns the parent and the children of a task. */
export async function familyOf(database: Database, taskUuid: string): Promise<TaskFamily> {
  const [above, below, openChildren] = await Promise.all([
    parentOfTask(database, taskUuid),
    childrenOfTask(database, taskUuid, MOST_LISTED),
    countOpenChildren(database, taskUuid),
  ]);
  const ids = [...below.map((child) => child.taskUuid), ...(above ? [above.taskUuid] : [])];
  if (ids.length === 0) return { parent: null, rootTaskUuid: null, children: [], openChildren };
  const rows = await getTasks(database, ids);
  const byId = new Map(rows.map((row) => [row.taskUuid, row]));
  const related = (id: string, step: string): RelatedTask[] => {
    const row = byId.get(id);
    if (!row) return [];
    const { namespace, name, version, status, createdAt, completedAt } = row;
    return [{ taskUuid: id, step, namespace, name, version, status, createdAt, completedAt }];
  };
  return {
    parent: above ? (related(above.taskUuid, above.step)[0] ?? null) : null,
    rootTaskUuid: above?.rootUuid ?? null,
    children: below.flatMap(({ taskUuid: id, step, awaited, key }) =>
      related(id, step).map((task) => ({ ...task, awaited, key })),
    ),
    openChildren,
  };
}

import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

// A statement of its own: in READ COMMITTED the statements after it see what earlier holders of the locks committed.
// With the lock in a CTE of the writing statement, the snapshot is older than the wait, and decrements are lost.
const LOCK_TASKS = sql('lock_tasks')`
with locked as materialized (
  select task_uuid, revision from tasker.task where task_uuid = any ($1::uuid[]) order by task_uuid for update)
select task_uuid "taskUuid", revision from locked where revision > 0`;

/** How often an operator changed a result of a task. */
export interface TaskRevision {
  taskUuid: string;
  revision: number;
}

/**
 * Locks tasks, in the order of their ids: the first statement of every transaction but the claim. Answers with the
 * tasks whose results were changed by an operator, so that nobody goes on with an old copy.
 */
export async function lockTasks(db: Db, taskUuids: readonly string[]): Promise<TaskRevision[]> {
  return (await db.query<TaskRevision>(LOCK_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

const LOCK_FREE_TASKS = sql('lock_free_tasks')`
select task_uuid from tasker.task where task_uuid = any ($1::uuid[]) order by task_uuid for update skip locked`;

/** Locks those of the tasks that nobody holds, for housekeeping that comes again: one locked task must not hold it up. */
export async function lockFreeTasks(db: Db, taskUuids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ task_uuid: string }>(LOCK_FREE_TASKS, [`{${taskUuids.join(',')}}`]);
  return rows.map((row) => row.task_uuid);
}

import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

const MARK_COPY = sql('mark_copy')`update tasker.task set copy_of = $2 where task_uuid = $1`;

/** Links a new task to the task that it is a copy of. Call it in the transaction that creates it. */
export async function markCopy(db: Db, taskUuid: string, original: string): Promise<void> {
  await db.query(MARK_COPY, [taskUuid, original]);
}

const COPIES_OF_TASK = sql('copies_of_task')`
select task_uuid from tasker.task where copy_of = $1 order by task_uuid desc limit 100`;

/** Returns the copies of a task, newest first, at most 100. */
export async function copiesOfTask(db: Db, taskUuid: string): Promise<string[]> {
  return (await db.query<{ task_uuid: string }>(COPIES_OF_TASK, [taskUuid])).rows.map((row) => row.task_uuid);
}

import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { COUNT } from './aggregate.ts';
import { COUNTED, COUNTING_LOCK, uncounted, uncountedOf } from './uncounted.ts';

// A process with analytics turned off counts nothing. If no process has counted for a week, analytics is off in all of
// them.
const FIND_UNCOUNTED = sql('find_uncounted_tasks')`
with ${COUNTED}
select d.task_uuid "taskUuid" from counted c cross join unnest($1::uuid[]) d (task_uuid)
 where c.counted_at > now() - interval '7 days' and (
   exists (select 1 from tasker.history h where h.task_uuid = d.task_uuid and ${uncounted('h.tx')} offset 0)
   or exists (select 1 from tasker.operator_action o where o.task_uuid = d.task_uuid and ${uncounted('o.tx')} offset 0))`;

// Hash joins, as in the regular pass, because the planner cannot estimate how many rows there are.
const LOCK = sql('lock_counting')`
select pg_advisory_xact_lock(${COUNTING_LOCK}), set_config('enable_nestloop', 'off', true)`;
const PLAN_AS_BEFORE = sql('plan_as_before_counting')`select set_config('enable_nestloop', 'on', true)`;

const COUNT_TASKS = sql('count_attempts_of_tasks')`
with ${COUNTED},
${uncountedOf('unnest($1::uuid[]) d (task_uuid)')},
${COUNT}
select count(*)::int attempts from a`;

/**
 * Counts the attempts and ends of tasks that are not counted yet, before their rows are deleted. Call it in the
 * transaction that deletes them, after lockTasks and before the first row is deleted. Nothing is counted twice: until
 * that transaction ends, no other process counts, unless everything was counted before.
 */
export async function countBeforeDelete(db: Db, taskUuids: readonly string[]): Promise<void> {
  const found = await db.query<{ taskUuid: string }>(FIND_UNCOUNTED, [`{${taskUuids.join(',')}}`]);
  if (found.rows.length === 0) return;
  await db.query(LOCK);
  // A separate statement, so that it sees what the previous holder of the lock counted.
  await db.query(COUNT_TASKS, [`{${found.rows.map((row) => row.taskUuid).join(',')}}`]);
  await db.query(PLAN_AS_BEFORE);
}

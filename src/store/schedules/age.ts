import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const AGE_SCHEDULES = sql('age_schedules')`
update tasker.schedule
   set anchor = anchor - d.by, passed_at = passed_at - d.by, next_due = next_due - d.by, wake_at = wake_at - d.by,
       queued_due = queued_due - d.by, paused_at = paused_at - d.by
  from (select $1 * interval '1 ms' by) d`;
// Rows are updated in an order in which no two of them ever have the same key.
const AGE_FIRINGS = sql('age_firings')`
with old as (delete from tasker.schedule_firing returning *)
insert into tasker.schedule_firing (schedule_id, due_at, until, cause, outcome, task_uuid, reason, at)
select schedule_id, due_at - $1 * interval '1 ms', until - $1 * interval '1 ms', cause, outcome, task_uuid, reason,
       at - $1 * interval '1 ms' from old`;
// A due time that is moved back may coincide with a due time at which the schedule already fired.
const RELEASE_FIRED = sql('release_fired_identities')`
delete from tasker.task_identity i using tasker.scheduled_task s where i.task_uuid = s.task_uuid`;

/** Moves all schedules back in time, for tests: as if this many milliseconds had passed. */
export async function ageSchedules(db: Db, ms: number): Promise<void> {
  await db.query(AGE_SCHEDULES, [ms]);
  await db.query(RELEASE_FIRED);
  await db.query(AGE_FIRINGS, [ms]);
}

import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

const DUE_TASKS = sql('due_tasks')`
select distinct task_uuid from (select task_uuid from tasker.timer where due_at <= now() order by due_at limit 500) t`;

/** Tasks with a retry that is due, some hundreds at a time. */
export async function dueTasks(db: Db): Promise<string[]> {
  return (await db.query<{ task_uuid: string }>(DUE_TASKS)).rows.map((row) => row.task_uuid);
}

// A timer whose step was cancelled, resolved or reset meanwhile is thrown away here. The step keeps the time at which it
// was due: that is when its task moved last.
const PROMOTE = sql('promote_retries')`
with due as (
  delete from tasker.timer where task_uuid = any ($1::uuid[]) and due_at <= now() returning task_uuid, idx, template_id, rank),
u as (
  update tasker.step s set state = 'enqueued'
    from (select due.*, x.tid from due cross join lateral (
            select ctid tid from tasker.step x where x.task_uuid = due.task_uuid and x.idx = due.idx
               and x.state = 'waiting_for_retry' and x.next_at <= now() offset 0) x) due
   where s.ctid = due.tid
  returning s.task_uuid, s.idx, due.template_id, due.rank),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select (select namespace_id from tasker.template m where m.id = u.template_id), rank, task_uuid, idx, template_id from u),
t as (
  update tasker.task set n_active = n_active + c.n, n_retry = n_retry - c.n
    from (select task_uuid, count(*)::int n from u group by 1) c where task.task_uuid = c.task_uuid)
select count(*)::int promoted from u`;

/** Puts due retries into the queue. After lockTasks. */
export async function promoteRetries(db: Db, taskUuids: readonly string[]): Promise<number> {
  return (await db.query<{ promoted: number }>(PROMOTE, [`{${taskUuids.join(',')}}`])).rows[0]!.promoted;
}

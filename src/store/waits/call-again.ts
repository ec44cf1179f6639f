import type { Db } from '../../db/statement.ts';
import { queueIdOf } from '../queue-id.ts';
import { columns, sql } from '../sql.ts';
import type { StepKey } from '../step-key.ts';

// A start whose handler asked to be called again does not count as an attempt.
const CALL_AGAIN = sql('call_again')`
with s as (
  update tasker.step s set state = 'enqueued', spared = s.spared + 1
    from (
      select d.*, x.tid, y.wait_tid, t.*
        from unnest($1::uuid[], $2::int[], $3::int[]) with ordinality d (task_uuid, idx, attempt, ord)
       cross join lateral (
         select ctid tid from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'waiting' offset 0) x
       cross join lateral (
         select ctid wait_tid from tasker.wait x
          where x.task_uuid = d.task_uuid and x.idx = d.idx and x.attempt = d.attempt and x.ended_at is null offset 0) y
       cross join lateral (
         select ctid task_tid, template_id, rank from tasker.task x
          where x.task_uuid = d.task_uuid and x.done_at is null offset 0) t) d
   where s.ctid = d.tid
  returning s.task_uuid, s.idx, d.ord, d.wait_tid, d.task_tid, d.template_id, d.rank),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = 'elapsed'
    from s where w.ctid = s.wait_tid returning s.ord, w.ended_at),
t as (
  update tasker.task t set n_active = t.n_active + c.n, n_wait = t.n_wait - c.n
    from (select task_tid, count(*)::int n from s group by 1) c where t.ctid = c.task_tid),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 's.template_id', task: 's.task_uuid' })}, rank, task_uuid, idx, template_id from s)
select s.ord::int, tasker.iso(w.ended_at) "endedAt" from s join w on w.ord = s.ord`;

/**
 * Queues steps whose handlers asked to be called again, and returns when their waits ended, by their index in the list.
 * Call it after lockTasks.
 */
export async function callAgain(
  db: Db,
  waits: readonly (StepKey & { attempt: number })[],
): Promise<Map<number, string>> {
  const { rows } = await db.query<{ ord: number; endedAt: string }>(
    CALL_AGAIN,
    columns(waits, 'taskUuid', 'idx', 'attempt'),
  );
  return new Map(rows.map(({ ord, endedAt }) => [ord - 1, endedAt]));
}

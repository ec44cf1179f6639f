import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

const QUEUE_CHECK_TURN = sql('queue_check_turn')`
select case when (select min(id) from tasker.worker where state = 'alive' and lease_until > now()) = any ($1::bigint[])
            then pg_try_advisory_xact_lock(7303014005) else false end mine`;

/**
 * Returns whether one of these workers is the oldest live worker and no other transaction checks the queue. The lock is
 * held until the transaction ends.
 */
export async function takeQueueCheckTurn(db: Db, workerIds: readonly number[]): Promise<boolean> {
  return (await db.query<{ mine: boolean }>(QUEUE_CHECK_TURN, [`{${workerIds.join(',')}}`])).rows[0]!.mine;
}

// The queue has no index by step, because each step would pay for it. So a slice of the open tasks is compared with the
// queue's rows in the same range of ids, which are read once. Counters are compared first: a task whose active steps
// (ready or running) are all in the queue needs no check of its steps. The steps of the other tasks are compared one by
// one. Both sides are united and grouped, not joined, so that no statistics can lead to a comparison of all rows with
// all. A step that waits for a place in its batch is pending, and one that waits for a retry is not active. Neither is
// found. A row whose step was completed by hand or cancelled can hide one missing row of the same task until a claim
// removes it.
const FIND_UNQUEUED = sql('find_unqueued_steps')`
with t as materialized (
  select task_uuid, n_active n from tasker.task where done_at is null and task_uuid > $1 order by task_uuid limit $2),
e as materialized (
  select coalesce((select task_uuid from t offset $2::int - 1 limit 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff') last_uuid),
g as materialized (
  select task_uuid
    from (select task_uuid, n from t where n > 0
          union all
          select task_uuid, -1 from tasker.queue where task_uuid > $1 and task_uuid <= (select last_uuid from e)) x
   group by 1 having sum(n) <> 0 and max(n) > 0),
s as materialized (
  select g.task_uuid, x.idx from g cross join lateral (
    select idx from tasker.step x where x.task_uuid = g.task_uuid and x.state = 'enqueued' offset 0) x),
m as (
  select task_uuid, idx
    from (select task_uuid, idx, 1 n from s
          union all
          select task_uuid, idx, 0 from tasker.queue
           where exists (select 1 from s) and task_uuid > $1 and task_uuid <= (select last_uuid from e)) x
   group by 1, 2 having min(n) = 1 limit $3)
select last_uuid "taskUuid", null::int idx from e
union all
select task_uuid, idx from m`;

/** The ids at which a scan of the open tasks begins and ends. */
export const FIRST_TASK = '00000000-0000-0000-0000-000000000000';
export const LAST_TASK = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * Returns at most `steps` ready steps that are missing from the queue, from the next `tasks` open tasks after an id.
 * `last`: the id at which the next slice begins.
 */
export async function findUnqueued(
  db: Db,
  { after, tasks, steps }: { after: string; tasks: number; steps: number },
): Promise<{ last: string; unqueued: StepKey[] }> {
  const { rows } = await db.query<StepKey | { taskUuid: string; idx: null }>(FIND_UNQUEUED, [after, tasks, steps]);
  const last = rows.find((row) => row.idx === null)!.taskUuid;
  return { last, unqueued: rows.filter((row) => row.idx !== null) };
}

// Checks again under the lock: a step may have been queued, cancelled or completed since it was found.
const REQUEUE_STEPS = sql('requeue_steps')`
with s as materialized (
  select d.task_uuid, d.idx from unnest($1::uuid[], $2::int[]) d (task_uuid, idx) cross join lateral (
    select 1 from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'enqueued' offset 0) x),
m as materialized (
  select task_uuid, idx
    from (select task_uuid, idx, 1 n from s
          union all
          select task_uuid, idx, 0 from tasker.queue where task_uuid between $3 and $4) x
   group by 1, 2 having min(n) = 1)
insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
select (select namespace_id from tasker.template x where x.id = t.template_id), t.rank, m.task_uuid, m.idx, t.template_id
  from m cross join lateral (
    select rank, template_id from tasker.task x where x.task_uuid = m.task_uuid and x.done_at is null offset 0) t
 order by m.task_uuid, m.idx
returning task_uuid "taskUuid", idx`;

/** Queues the steps that are ready and still missing from the queue, and returns them. Call it after lockTasks. */
export async function requeueSteps(db: Db, steps: readonly StepKey[]): Promise<StepKey[]> {
  const ids = steps.map((step) => step.taskUuid).sort();
  const values = [...columns(steps, 'taskUuid', 'idx'), ids[0], ids.at(-1)];
  return (await db.query<StepKey>(REQUEUE_STEPS, values)).rows;
}

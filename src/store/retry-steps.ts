import type { Db } from '../db/statement.ts';
import type { Operator } from './operator-actions.ts';
import { queueIdOf } from './queue-id.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// The step keeps its number of attempts, and its place in a batch, where a waiting step is treated as active. The timer
// is deleted, because it would wake a worker unnecessarily.
const RETRY_WAITING_STEP = sql('retry_waiting_step')`
with o as materialized (
  select s.next_at, t.template_id, t.rank from tasker.step s join tasker.task t on t.task_uuid = s.task_uuid
   where s.task_uuid = $1 and s.idx = $2 and s.state = 'waiting_for_retry' and t.done_at is null),
u as (
  update tasker.step s set state = 'enqueued', next_at = null
   where s.task_uuid = $1 and s.idx = $2 and exists (select 1 from o)),
g as (
  delete from tasker.timer x where x.due_at = (select next_at from o) and x.task_uuid = $1 and x.idx = $2),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 'o.template_id', task: '$1' })}, rank, $1, $2, template_id from o),
a as (
  insert into tasker.operator_action (task_uuid, idx, at, action, from_state, to_state, actor, reason, door, bulk_id)
  select $1, $2, statement_timestamp(), 'retry', 'waiting_for_retry', 'enqueued', $3, $4, $5, $6 from o),
t as (
  update tasker.task set n_active = n_active + 1, n_retry = n_retry - 1
   where task_uuid = $1 and exists (select 1 from o))
select 1 from o`;

/** Queues a step that is waiting for a retry. Returns false if it is not. Call it after lockTasks. */
export async function retryWaitingStep(db: Db, { taskUuid, idx }: StepKey, operator: Operator): Promise<boolean> {
  const { actor, reason, door, bulkId } = operator;
  return (await db.query(RETRY_WAITING_STEP, [taskUuid, idx, actor, reason, door, bulkId])).rows.length > 0;
}

const FAILING_STEPS = sql('failing_steps')`
select d.task_uuid "taskUuid", s.idx, s.state::text, s.attempts
  from unnest($1::uuid[]) d (task_uuid) cross join lateral (
    select idx, state, attempts from tasker.step x
     where x.task_uuid = d.task_uuid and x.state in ('error', 'waiting_for_retry') offset 0) s
 order by 1, 2`;

/** A step that failed, or that waits for a retry. */
export interface FailingStepRow extends StepKey {
  state: 'error' | 'waiting_for_retry';
  attempts: number;
}

/** Returns the steps of tasks that failed or wait for a retry. */
export async function failingSteps(db: Db, taskUuids: readonly string[]): Promise<FailingStepRow[]> {
  return (await db.query<FailingStepRow>(FAILING_STEPS, [`{${taskUuids.join(',')}}`])).rows;
}

// Like `reset_step`, for many steps that are not batch workers. A separate statement for each step would take a third
// of a millisecond.
const RESET_PLAIN_STEPS = sql('reset_plain_steps')`
with u as (
  update tasker.step s set state = 'enqueued', spared = s.attempts, reset_attempts = s.attempts, done_at = null, next_at = null
    from (select x.tid, t.template_id, t.rank
            from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
            cross join lateral (
              select ctid tid from tasker.step y
               where y.task_uuid = d.task_uuid and y.idx = d.idx and y.state = 'error' and y.idx < 131072 offset 0) x
            cross join lateral (
              select template_id, rank from tasker.task y where y.task_uuid = d.task_uuid and y.done_at is null offset 0) t) p
   where s.ctid = p.tid
  returning s.task_uuid, s.idx, p.template_id, p.rank),
t as (
  update tasker.task t set n_error = n_error - c.n, n_active = n_active + c.n
    from (select task_uuid, count(*)::int n from u group by 1) c where t.task_uuid = c.task_uuid),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 'u.template_id', task: 'u.task_uuid' })}, rank, task_uuid, idx, template_id
    from u order by task_uuid, idx),
a as (
  insert into tasker.operator_action (task_uuid, idx, at, action, from_state, to_state, actor, reason, door, bulk_id)
  select task_uuid, idx, statement_timestamp(), 'reset', 'error', 'enqueued', $3, $4, $5, $6 from u order by task_uuid, idx)
select task_uuid "taskUuid", idx from u`;

/**
 * Returns failed steps that are not batch workers to the queue with all their attempts, and returns the steps that were
 * reset. Call it after lockTasks.
 */
export async function resetPlainSteps(db: Db, steps: readonly StepKey[], operator: Operator): Promise<StepKey[]> {
  const { actor, reason, door, bulkId } = operator;
  return (
    await db.query<StepKey>(RESET_PLAIN_STEPS, [...columns(steps, 'taskUuid', 'idx'), actor, reason, door, bulkId])
  ).rows;
}

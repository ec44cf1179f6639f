import type { Db } from '../db/statement.ts';
import { queueIdOf } from './queue-id.ts';
import { sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// The statement may wait for a worker that is claiming a step. So `greatest` keeps a cancelled attempt from ending before
// its start.
/** The parts of a statement that cancel the open steps of a task, if it is in `target`, and end their waits. */
export const cancelOpen = (endedBy: string, task = '$1'): string => `
old as (
  select s.idx, s.state, s.attempts, s.spared, s.claim, s.started_at from tasker.step s
   where s.task_uuid = (select task_uuid from target)
     and s.state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting', 'error') for update),
s as (
  update tasker.step s set state = 'cancelled', done_at = statement_timestamp(), next_at = null from old
   where s.task_uuid = ${task} and s.idx = old.idx),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select ${task}, idx, attempts, nullif(attempts - spared, attempts), claim >> 24, 'cancelled', 'cancelled', started_at, greatest(statement_timestamp(), started_at)
    from old where state in ('in_progress', 'waiting')),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = ${endedBy}
   where w.task_uuid = (select task_uuid from target) and w.ended_at is null)`;

const END_TASK = sql('cancel_task')`
with target as (
  select task_uuid, state from tasker.task where task_uuid = $1 and verdict is null and done_at is null),
${cancelOpen(`case $6 when 'cancel' then 'cancel' else 'operator' end`)},
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door, bulk_id)
  select task_uuid, statement_timestamp(), $6, state::text, $7, $2, $3, $4, $5 from target),
t as (
  update tasker.task set verdict = $7::tasker.task_state, n_open = 0, n_active = 0, n_retry = 0, n_error = 0, n_wait = 0,
         done_at = statement_timestamp()
   where task_uuid = (select task_uuid from target) returning task_uuid)
select (select count(*)::int from old where state = 'in_progress') running from t`;

/** The actor of an action, its reason, and where it came from, as the audit stores them. */
export interface Operator {
  actor: string;
  reason: string | null;
  /** `library`, `cli`, `rest` or `lifecycle`. */
  door: string;
  /** The bulk action that this action is a part of. */
  bulkId: number | null;
}

/** How an operator can end a task, with the resulting state. */
export const ENDINGS = { cancel: 'cancelled', resolve: 'resolved_manually' } as const;

/**
 * Ends a task and cancels its open steps. Returns undefined if it does not exist or has ended. Call it after lockTasks.
 */
export async function endTask(
  db: Db,
  { taskUuid, action }: { taskUuid: string; action: keyof typeof ENDINGS },
  { actor, reason, door, bulkId }: Operator,
): Promise<{ running: number } | undefined> {
  const values = [taskUuid, actor, reason, door, bulkId, action, ENDINGS[action]];
  return (await db.query<{ running: number }>(END_TASK, values)).rows[0];
}

// A reset gives the step all its attempts again: earlier attempts no longer count towards its limit. A batch worker
// whose failure is tolerated is already treated as ended. So it can be reset only while the steps that join its batch
// are still waiting.
const RESET_STEP = sql('reset_step')`
with b as (
  select b.worker_idx, b.next_idx, b.n_active >= b.parallelism full_up, b.failure_strategy <> 'fail_fast' tolerant,
         not exists (
           select 1 from tasker.task t join tasker.template_edge e on e.template_id = t.template_id and e.parent = b.worker_idx
             join tasker.step c on c.task_uuid = t.task_uuid and c.idx = e.child
            where t.task_uuid = $1 and c.state <> 'pending') open
    from tasker.batch b where $2 >= 131072 and b.task_uuid = $1 and b.worker_idx = tasker.template_idx($2)),
u as (
  update tasker.step s set
    state = case when exists (select 1 from b where full_up) then 'pending'::tasker.step_state else 'enqueued' end,
    spared = s.attempts, reset_attempts = s.attempts, done_at = null, next_at = null
   where s.task_uuid = $1 and s.idx = $2 and s.state = 'error'
     and exists (select 1 from tasker.task t where t.task_uuid = $1 and t.done_at is null)
     and not exists (select 1 from b where tolerant and not open)
  returning s.task_uuid, s.idx, s.state),
t as (
  update tasker.task set
    n_error = n_error - case when (select tolerant from b) then 0 else 1 end,
    n_open = n_open + case when (select tolerant from b) then 1 else 0 end,
    n_active = n_active + (select count(*)::int from u where state = 'enqueued')
   where task_uuid = (select task_uuid from u) returning template_id, rank),
bu as (
  update tasker.batch x set n_active = x.n_active + (select count(*)::int from u where state = 'enqueued'),
         next_idx = case when b.full_up then least(x.next_idx, $2) else x.next_idx end
    from b where x.task_uuid = (select task_uuid from u) and x.worker_idx = b.worker_idx),
k as (
  update tasker.step c set remaining = c.remaining + 1
    from b, t, tasker.template_edge e
   where b.tolerant and e.template_id = t.template_id and e.parent = b.worker_idx and c.task_uuid = $1 and c.idx = e.child),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 't.template_id', task: '$1' })}, t.rank, $1, $2, t.template_id from t
   where exists (select 1 from u where state = 'enqueued')),
a as (
  insert into tasker.operator_action (task_uuid, idx, at, action, from_state, to_state, actor, reason, door, bulk_id)
  select $1, $2, statement_timestamp(), 'reset', 'error', u.state::text, $3, $4, $5, $6 from u)
select idx from u`;

/**
 * Returns a failed step to the queue with all its attempts. Returns false if it cannot be reset. Call it after
 * lockTasks.
 */
export async function resetStep(db: Db, { taskUuid, idx }: StepKey, operator: Operator): Promise<boolean> {
  const { actor, reason, door, bulkId } = operator;
  return (await db.query(RESET_STEP, [taskUuid, idx, actor, reason, door, bulkId])).rows.length > 0;
}

// Finishes a step by hand and advances the task, as a recording does. A result that replaces an earlier result
// increments the task's revision, so that workers with a copy reload it. A failed worker whose failure is tolerated is
// treated as finished, because no step waits for it.
const SETTLE_STEP = sql('settle_step')`
with old as (
  select s.idx, s.state, s.attempts, s.spared, s.claim, s.started_at, t.template_id, t.rank,
         s.state in ('complete', 'resolved_manually') or (s.state = 'error' and coalesce(b.failure_strategy <> 'fail_fast', false)) finished
    from tasker.step s join tasker.task t on t.task_uuid = s.task_uuid
    left join tasker.batch b on s.idx >= 131072 and b.task_uuid = s.task_uuid and b.worker_idx = tasker.template_idx(s.idx)
   where s.task_uuid = $1 and s.idx = $2 and t.verdict is null and s.state = any ($4::tasker.step_state[]) for update of s),
s as (
  update tasker.step s set state = $3::tasker.step_state, result = coalesce($5::jsonb, case when old.finished then s.result end),
         done_at = greatest(statement_timestamp(), old.started_at), next_at = null
    from old where s.task_uuid = $1 and s.idx = old.idx returning s.idx),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select $1, idx, attempts, nullif(attempts - spared, attempts), claim >> 24, 'cancelled', $3::tasker.step_state, started_at, greatest(statement_timestamp(), started_at)
    from old where state in ('in_progress', 'waiting')),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = 'operator'
    from old where old.state = 'waiting' and w.task_uuid = $1 and w.idx = old.idx and w.ended_at is null),
a as (
  insert into tasker.operator_action (task_uuid, idx, at, action, from_state, to_state, actor, reason, door, bulk_id, details)
  select $1, $2, statement_timestamp(), $6, state::text, $3, $7, $8, $9, $10, $11::jsonb from old),
child as (
  select old.template_id, old.rank, coalesce(w.idx, e.child) idx, coalesce(w.gated, false) gated
    from old join tasker.template_edge e on e.template_id = old.template_id and e.parent = tasker.template_idx(old.idx)
    left join lateral (
      select ((b.worker_idx + 1) << 17) + g idx, ((b.worker_idx + 1) << 17) + g >= b.next_idx gated
        from tasker.batch b cross join lateral generate_series(0, b.size - 1) g
       where b.task_uuid = $1 and b.worker_idx = e.child) w on true
   where not old.finished),
k as (
  update tasker.step c set remaining = c.remaining - 1,
         state = case when c.remaining > 1 or child.gated then 'pending'::tasker.step_state else 'enqueued' end
    from child where c.task_uuid = $1 and c.idx = child.idx and c.state = 'pending'
  returning c.idx, c.state, child.template_id, child.rank),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 'k.template_id', task: '$1' })}, rank, $1, idx, template_id
    from k where state = 'enqueued'),
t as (
  update tasker.task t set
    n_open = n_open - case when old.finished then 0 else 1 end,
    n_active = n_active - case when old.state in ('enqueued', 'in_progress') then 1 else 0 end
             + (select count(*)::int from k where state = 'enqueued'),
    n_retry = n_retry - case when old.state = 'waiting_for_retry' then 1 else 0 end,
    n_wait = n_wait - case when old.state = 'waiting' then 1 else 0 end,
    n_error = n_error - case when old.state = 'error' and not old.finished then 1 else 0 end,
    revision = revision + case when old.finished then 1 else 0 end,
    done_at = case when old.finished then done_at when n_open = 1 then statement_timestamp() end
    from old where t.task_uuid = $1 returning t.state::text)
select (select state from t) "taskState", (select count(*)::int from k where state = 'enqueued') queued from s`;

/** A step to finish by hand. */
export interface Settlement extends StepKey {
  action: 'resolve' | 'complete';
  toState: 'resolved_manually' | 'complete';
  fromStates: readonly string[];
  /** JSON text, or null to keep the stored result. */
  result: string | null;
  /** JSON text of further details for the audit, or null. */
  details: string | null;
}

/** Finishes a step by hand. Returns undefined if its state does not allow that. Call it after lockTasks. */
export async function settleStep(
  db: Db,
  settlement: Settlement,
  { actor, reason, door, bulkId }: Operator,
): Promise<{ taskState: string; queued: number } | undefined> {
  const { taskUuid, idx, toState, fromStates, result, action, details } = settlement;
  const values = [taskUuid, idx, toState, fromStates, result, action, actor, reason, door, bulkId, details];
  return (await db.query<{ taskState: string; queued: number }>(SETTLE_STEP, values)).rows[0];
}

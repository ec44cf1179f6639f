import type { Db } from '../db/statement.ts';
import { WORKER_IS_OVER } from './expand-tasks.ts';
import { endPausesOfEnded } from './pauses/pauses.ts';
import { queueIdOf } from './queue-id.ts';
import { sql } from './sql.ts';
import { BEGUN_AT } from './waits/start-tasks.ts';

// A claim locks steps, and so does a handler that saves progress. This statement waits for both, so that later
// statements see the resulting states. Claims skip the locked steps.
export const LOCK_RERUN_STEPS = sql('lock_rerun_steps')`
select count(*) from (
  select 1 from tasker.step where task_uuid = $1 and state in ('enqueued', 'in_progress') for update) s`;

const RERUN_TASK = sql('rerun_task')`
select t.template_id "templateId", t.rank, t.state::text, t.done_at is not null ended, t.verdict is not null "hasVerdict", t.undo_at is not null "isUndone",
       coalesce(t.reruns, 0) reruns
  from tasker.task t where t.task_uuid = $1`;

// A batch worker that its batch cancelled was cancelled before its task ended. All other cancelled steps were cancelled
// with the task.
const RERUN_STEPS = sql('rerun_steps')`
select s.idx, tasker.step_name(bw.name, ts.name, s.idx) name, ts.name "templateName", s.state::text, s.attempts, s.retryable,
       e.with_task "endedWithTask", coalesce(s.rerun, 0) rerun, ended.failed "hadFailed",
       case when s.idx < 131072 then s.state in ('complete', 'resolved_manually')
            else (select ${WORKER_IS_OVER} from (select s.state) p) and not e.with_task end as over
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
 cross join lateral (
   select t.verdict is not null and s.state = 'cancelled' and (s.idx < 131072 or s.done_at >= t.done_at) with_task) e
 cross join lateral (
   select e.with_task and s.attempts > s.spared and exists (
     select 1 from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx and h.attempt = s.attempts and h.state = 'error') failed) ended
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
  left join tasker.batch_worker bw on bw.task_uuid = s.task_uuid and bw.idx = s.idx
  left join tasker.batch b on s.idx >= 131072 and b.task_uuid = s.task_uuid and b.worker_idx = tasker.template_idx(s.idx)
 where t.task_uuid = $1
 order by s.idx`;

/** A task that is about to be rerun from a step. */
export interface RerunTaskRow {
  templateId: number;
  rank: number;
  state: string;
  ended: boolean;
  /** Whether the task was cancelled, or ended in another way before its steps were done. */
  hasVerdict: boolean;
  /** Whether it is being undone, or was. */
  isUndone: boolean;
  /** Number of earlier reruns. */
  reruns: number;
}

/** A step of this task. */
export interface RerunStepRow {
  idx: number;
  name: string;
  /** The name of the template step. Differs from `name` for a batch worker. */
  templateName: string;
  state: string;
  attempts: number;
  retryable: boolean;
  /** Whether it was cancelled because its task ended. */
  endedWithTask: boolean;
  /** Whether it had failed permanently before that. */
  hadFailed: boolean;
  /** The number of the rerun that it belongs to. 0 is the first run. */
  rerun: number;
  /** Whether the steps after it no longer wait for it. */
  over: boolean;
}

/** Reads a task and its steps. Undefined if the task does not exist. Call it after lockTasks. */
export async function readForRerun(
  db: Db,
  taskUuid: string,
): Promise<{ task: RerunTaskRow; steps: RerunStepRow[] } | undefined> {
  await db.query(LOCK_RERUN_STEPS, [taskUuid]);
  const [tasks, steps] = await Promise.all([
    db.query<RerunTaskRow>(RERUN_TASK, [taskUuid]),
    db.query<RerunStepRow>(RERUN_STEPS, [taskUuid]),
  ]);
  const [task] = tasks.rows;
  return task && { task, steps: steps.rows };
}

const MAKER_RESULTS = sql('maker_results')`
select idx, result::text from tasker.step
 where task_uuid = $1 and idx = any ($2::int[]) and state in ('complete', 'resolved_manually') and result is not null`;

/** Returns the results of finished decisions as JSON text, by step. */
export async function makerResults(db: Db, taskUuid: string, idxs: readonly number[]): Promise<Map<number, string>> {
  const { rows } = await db.query<{ idx: number; result: string }>(MAKER_RESULTS, [taskUuid, `{${idxs.join(',')}}`]);
  return new Map(rows.map((row) => [row.idx, row.result]));
}

const KEEP_EARLIER = sql('keep_earlier_steps')`
insert into tasker.earlier_step (task_uuid, idx, rerun, replaced_by, name, state, attempts, number, claim, result, done_at)
select $1, s.idx, coalesce(s.rerun, 0), $3, w.name, case when s.state in ('in_progress', 'waiting') then 'cancelled' else s.state end, s.attempts,
       nullif(s.attempts - s.spared, s.attempts), s.claim, s.result, s.done_at
  from unnest($2::int[]) d (idx)
 cross join lateral (
   select * from tasker.step x where x.task_uuid = $1 and x.idx = d.idx
      and (x.attempts > coalesce(x.earlier_attempts, 0) or x.state in ('complete', 'resolved_manually')) offset 0) s
  left join lateral (
    select name from tasker.batch_worker x where x.task_uuid = $1 and x.idx = d.idx offset 0) w on true`;

const END_RUNS = sql('end_runs')`
with d as materialized (
  select s.* from unnest($2::int[]) w (idx) cross join lateral (
    select x.* from tasker.step x where x.task_uuid = $1 and x.idx = w.idx offset 0) s),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select task_uuid, idx, attempts, nullif(attempts - spared, attempts), claim >> 24, 'cancelled', 'cancelled', started_at, greatest(statement_timestamp(), started_at)
    from d where state in ('in_progress', 'waiting')),
c as (delete from tasker.checkpoint where task_uuid = $1 and idx = any ($2)),
w as (delete from tasker.wait where task_uuid = $1 and idx = any ($2)),
t as (
  delete from tasker.timer where ctid = any (array(
    select x.tid from d cross join lateral (
      select ctid tid from tasker.timer y where y.due_at = d.next_at and y.task_uuid = $1 and y.idx = d.idx offset 0) x
     where d.state = 'waiting_for_retry')))
select (count(*) filter (where state = 'in_progress'))::int running, (count(*) filter (where state = 'enqueued'))::int queued from d`;

// The queue has no index by step. A claim would drop the rows of these steps too, but only when it reaches them.
const DROP_QUEUED = sql('drop_queued_steps')`delete from tasker.queue where task_uuid = $1 and idx = any ($2::int[])`;

const REMOVE_STEPS = sql('remove_steps')`
with w as (delete from tasker.batch_worker where task_uuid = $1 and idx = any ($2::int[])),
b as (delete from tasker.batch where task_uuid = $1 and worker_idx = any ($3::int[]))
delete from tasker.step where task_uuid = $1 and idx = any ($2)`;

// A step without a fence rejects results from the worker that ran it.
const RUN_AGAIN = sql('run_again')`
update tasker.step set
  state = 'pending', result = null, claim = null, next_at = null, started_at = null, done_at = statement_timestamp(), spared = attempts,
  earlier_attempts = attempts, rerun = $3
 where task_uuid = $1 and idx = any ($2::int[])`;

// A step may have been cancelled between two calls of its handler. The count of its calls then starts again.
const RETURN_CANCELLED = sql('return_cancelled_steps')`
with w as (delete from tasker.wait where task_uuid = $1 and idx = any ($2::int[]) and kind = 'call')
update tasker.step set state = 'pending', spared = attempts, reset_attempts = attempts, done_at = statement_timestamp(), next_at = null
 where task_uuid = $1 and idx = any ($2::int[]) and state = 'cancelled'`;

// The failure itself is in the history.
const RETURN_FAILED = sql('return_failed_steps')`
update tasker.step s set state = 'error', next_at = null,
       done_at = (select h.ended_at from tasker.history h where h.task_uuid = $1 and h.idx = s.idx and h.attempt = s.attempts)
 where s.task_uuid = $1 and s.idx = any ($2::int[]) and s.state = 'cancelled'`;

/** The steps of a task that a rerun changes, grouped by the change. */
export interface RerunChange {
  taskUuid: string;
  /** The number of the rerun. */
  rerun: number;
  /** Steps that run again. */
  again: readonly number[];
  /** Steps that are removed. */
  removed: readonly number[];
  /** The template steps whose batches are removed. */
  batches: readonly number[];
  /** Steps that were cancelled with the task and continue. */
  returned: readonly number[];
  /** Steps that were cancelled with the task after they had failed, and stay failed. */
  handled: readonly number[];
}

/**
 * Resets and removes the steps that a rerun covers, and keeps their results in `earlier_step`. A pause of the task has
 * ended if the task had. {@link restartTask} then lets the steps run. Returns the number of steps that were running.
 * Call it after lockTasks.
 */
export async function putBack(db: Db, change: RerunChange): Promise<{ running: number }> {
  const { taskUuid, rerun } = change;
  const list = (idxs: readonly number[]) => `{${idxs.join(',')}}`;
  const covered = list([...change.again, ...change.removed]);
  await endPausesOfEnded(db, taskUuid);
  await db.query(KEEP_EARLIER, [taskUuid, covered, rerun]);
  const ended = (await db.query<{ running: number; queued: number }>(END_RUNS, [taskUuid, covered])).rows[0]!;
  if (ended.queued > 0) await db.query(DROP_QUEUED, [taskUuid, covered]);
  if (change.removed.length > 0) await db.query(REMOVE_STEPS, [taskUuid, list(change.removed), list(change.batches)]);
  await db.query(RUN_AGAIN, [taskUuid, list(change.again), rerun]);
  if (change.returned.length > 0) await db.query(RETURN_CANCELLED, [taskUuid, list(change.returned)]);
  if (change.handled.length > 0) await db.query(RETURN_FAILED, [taskUuid, list(change.handled)]);
  return { running: ended.running };
}

// In a batch that still waits for its parents, the first workers already have a place, just as when the batch was
// created. In other batches, waiting workers are queued up to the parallelism by releaseWorkers.
const PLACE_WORKERS = sql('place_workers')`
update tasker.batch b set next_idx = x.next_idx
  from (select b.worker_idx,
               case when min(s.remaining) > 0 then ((b.worker_idx + 1) << 17) + least(b.parallelism, b.size)
                    else least(b.next_idx, min(s.idx)) end next_idx
          from tasker.batch b join tasker.step s on s.task_uuid = b.task_uuid and s.idx >= (b.worker_idx + 1) << 17
           and s.idx < ((b.worker_idx + 1) << 17) + b.size
         where b.task_uuid = $1 and s.state = 'pending' group by b.worker_idx, b.parallelism, b.size, b.next_idx) x
 where b.task_uuid = $1 and b.worker_idx = x.worker_idx and b.next_idx <> x.next_idx`;

const QUEUE_READY = sql('queue_ready_steps')`
with r as (
  update tasker.step set state = 'enqueued'
   where task_uuid = $1 and idx < 131072 and state = 'pending' and remaining = 0
     and not exists (select 1 from tasker.wait w where w.task_uuid = $1 and w.idx = -1 and w.ended_at is null) returning idx)
insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
select ${queueIdOf({ template: 't.template_id', task: 't.task_uuid' })}, t.rank, t.task_uuid, r.idx, t.template_id
  from r cross join tasker.task t
 where t.task_uuid = $1 order by r.idx`;

// The end of the task is kept in `earlier_end`, because the statistics may not have counted it yet. The schedule of the
// task counts it as open again, for its overlap.
const RESTART_TASK = sql('restart_task')`
with earlier as (
  insert into tasker.earlier_end (task_uuid, done_at, state, took_us)
  select task_uuid, done_at, state, (extract(epoch from done_at - ${BEGUN_AT}) * 1000000)::bigint
    from tasker.task t where task_uuid = $1 and done_at is not null
  on conflict do nothing),
watched as (update tasker.scheduled_task set open = true where task_uuid = $1)
update tasker.task t set
  verdict = null, done_at = null, n_open = c.open, n_active = c.active, n_retry = c.retry, n_error = c.error,
  n_wait = c.waits + (select count(*)::int from tasker.wait w where w.task_uuid = $1 and w.idx = -1 and w.ended_at is null),
  revision = revision + 1, reruns = coalesce(reruns, 0) + 1, rerun_at = statement_timestamp()
  from (
    select (count(*) filter (where not s.is_over))::int open,
           (count(*) filter (where s.state in ('enqueued', 'in_progress')))::int active,
           (count(*) filter (where s.state = 'waiting_for_retry'))::int retry,
           (count(*) filter (where s.state = 'waiting'))::int waits,
           (count(*) filter (where s.state = 'error' and not s.is_over))::int error
      from (
        select p.state, p.state in ('complete', 'resolved_manually', 'cancelled')
                 or (p.state = 'error' and coalesce(b.failure_strategy <> 'fail_fast', false)) is_over
          from tasker.step p
          left join tasker.batch b on p.idx >= 131072 and b.task_uuid = p.task_uuid and b.worker_idx = tasker.template_idx(p.idx)
         where p.task_uuid = $1) s) c
 where t.task_uuid = $1`;

/** Places the batch workers, after the parents of all steps were recounted. Call it after {@link putBack}. */
export async function placeWorkers(db: Db, taskUuid: string): Promise<void> {
  await db.query(PLACE_WORKERS, [taskUuid]);
}

/**
 * Queues the steps that are ready and recounts the task, which is now open again. Batch workers are released
 * afterwards.
 */
export async function restartTask(db: Db, taskUuid: string): Promise<void> {
  await db.query(QUEUE_READY, [taskUuid]);
  await db.query(RESTART_TASK, [taskUuid]);
}

const EARLIER_STEPS = sql('earlier_steps')`
select e.idx, tasker.step_name(e.name, ts.name, e.idx) name, e.rerun, e.replaced_by "replacedBy", e.state::text, coalesce(e.number, e.attempts) number, e.result,
       tasker.iso(e.done_at) "doneAt"
  from tasker.task t join tasker.earlier_step e on e.task_uuid = t.task_uuid
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(e.idx)
 where t.task_uuid = $1
 order by e.idx, e.rerun`;

/** An earlier run of a step. */
export interface EarlierStepRow {
  idx: number;
  name: string;
  rerun: number;
  replacedBy: number;
  state: string;
  /** The number of its last attempt. */
  number: number;
  /** JSON text. */
  result: string | null;
  doneAt: string | null;
}

/** Returns the earlier runs of all steps of a task. */
export async function earlierSteps(db: Db, taskUuid: string): Promise<EarlierStepRow[]> {
  return (await db.query<EarlierStepRow>(EARLIER_STEPS, [taskUuid])).rows;
}

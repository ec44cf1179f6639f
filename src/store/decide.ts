import type { Db } from '../db/statement.ts';
import { HELD, type StepNow } from '../model/routes.ts';
import { queueIdOf } from './queue-id.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// The steps of elements are decided apart, because there may be many. Other templates have only the consequences that the
// recording itself computes. The steps of a task that has not
// started must not become ready.
const ROUTED_TASKS = sql('routed_tasks')`
select t.task_uuid "taskUuid", t.template_id "templateId", t.state::text, t.undo_at is not null "isUndone",
       array_agg(s.idx)::text idxs, array_agg(s.state::text)::text states, array_agg(s.remaining)::text remaining,
       case when t.reruns > 0 then array_agg(coalesce(s.rerun, 0))::text end reruns
  from tasker.task t join tasker.template m on m.id = t.template_id and m.routed
 cross join lateral (
   select idx, state, remaining, rerun from tasker.step x where x.task_uuid = t.task_uuid and x.idx < 131072
   union all
   select x.idx, x.state, x.remaining, x.rerun from tasker.batch b
    cross join lateral (
      select * from tasker.step y where y.task_uuid = b.task_uuid and y.idx >= (b.worker_idx + 1) << 17
         and y.idx < ((b.worker_idx + 1) << 17) + b.size offset 0) x
    where b.task_uuid = t.task_uuid offset 0) s
 where t.task_uuid = any ($1::uuid[]) and t.verdict is null
   and not exists (select 1 from tasker.wait w where w.task_uuid = t.task_uuid and w.idx = -1 and w.ended_at is null)
 group by t.task_uuid order by t.task_uuid`;

const BATCHES_OF = sql('batches_of_tasks')`
select task_uuid "taskUuid", worker_idx "workerIdx", failure_strategy "failureStrategy", next_idx "nextIdx"
  from tasker.batch where task_uuid = any ($1::uuid[])`;

/** A task whose template has conditions or routes, with the states of its steps. */
export interface RoutedTask {
  taskUuid: string;
  templateId: number;
  /** As stored, before anything is decided. */
  state: string;
  /** Whether it is being undone, or was. */
  isUndone: boolean;
  steps: StepNow[];
}

/**
 * Returns the open or complete tasks among these whose templates have conditions or routes, with the states of their steps.
 * Call it after lockTasks.
 */
export async function routedTasks(db: Db, taskUuids: readonly string[]): Promise<RoutedTask[]> {
  type Row = Omit<RoutedTask, 'steps'> & {
    idxs: string;
    states: string;
    remaining: string;
    reruns: string | null;
  };
  const { rows } = await db.query<Row>(ROUTED_TASKS, [`{${taskUuids.join(',')}}`]);
  const numbers = (list: string) => list.slice(1, -1).split(',').map(Number);
  return rows.map(({ idxs, states, remaining, reruns, ...task }) => {
    const counts = numbers(remaining);
    const names = states.slice(1, -1).split(',');
    const runs = reruns === null ? undefined : numbers(reruns);
    const steps = numbers(idxs).map((idx, i) => {
      return { idx, state: names[i]!, remaining: counts[i]!, rerun: runs?.[i] ?? 0 };
    });
    return { ...task, steps };
  });
}

/** A batch of a task. */
export interface BatchOfTask {
  taskUuid: string;
  workerIdx: number;
  failureStrategy: string;
  nextIdx: number;
}

/** Returns the batches of tasks. */
export async function batchesOfTasks(db: Db, taskUuids: readonly string[]): Promise<BatchOfTask[]> {
  return (await db.query<BatchOfTask>(BATCHES_OF, [`{${taskUuids.join(',')}}`])).rows;
}

const DECIDE_STEPS = sql('decide_steps')`
with s as (
  update tasker.step s set state = d.state, remaining = d.remaining,
         done_at = case d.state when 'skipped' then statement_timestamp() else s.done_at end
    from unnest($1::uuid[], $2::int[], $3::tasker.step_state[], $4::int[]) d (task_uuid, idx, state, remaining)
   where s.task_uuid = any (array[d.task_uuid]) and s.idx = d.idx and s.state in ('pending', 'skipped')
  returning s.task_uuid, s.idx, s.state)
insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
select ${queueIdOf({ template: 't.template_id', task: 't.task_uuid' })}, t.rank, t.task_uuid, s.idx, t.template_id
  from s cross join lateral (select * from tasker.task x where x.task_uuid = s.task_uuid offset 0) t
 where s.state = 'enqueued' order by t.task_uuid, s.idx`;

/** The new state of a step that was `pending`, or `skipped` before its parents changed. */
export interface DecidedStep extends StepKey {
  state: 'skipped' | 'enqueued' | 'pending';
  remaining: number;
}

/** Writes what was decided about steps, and queues the steps that became ready. Call it after lockTasks. */
export async function decideSteps(db: Db, steps: readonly DecidedStep[]): Promise<void> {
  await db.query(DECIDE_STEPS, columns(steps, 'taskUuid', 'idx', 'state', 'remaining'));
}

// A worker may be claiming one of the steps. The statement waits for it, and sees the state that it left.
const STOP_STEPS = sql('stop_steps')`
with old as (
  select s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.claim, s.started_at
    from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
    join tasker.step s on s.task_uuid = any (array[d.task_uuid]) and s.idx = d.idx
   where s.state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting') for update of s),
u as (
  update tasker.step s set done_at = statement_timestamp(), next_at = null, remaining = 0,
         state = case when old.state in ('pending', 'enqueued') then 'skipped'::tasker.step_state else 'cancelled' end
    from old where s.task_uuid = any (array[old.task_uuid]) and s.idx = old.idx),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select task_uuid, idx, attempts, nullif(attempts - spared, attempts), claim >> 24, 'cancelled', 'cancelled', started_at, greatest(statement_timestamp(), started_at)
    from old where state in ('in_progress', 'waiting')),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = 'cancel' from old
   where old.state = 'waiting' and w.task_uuid = any (array[old.task_uuid]) and w.idx = old.idx and w.ended_at is null)
update tasker.task t set n_active = t.n_active - x.active, n_retry = t.n_retry - x.retry, n_wait = t.n_wait - x.waits
  from (select task_uuid, (count(*) filter (where state in ('enqueued', 'in_progress')))::int active,
               (count(*) filter (where state = 'waiting_for_retry'))::int retry, (count(*) filter (where state = 'waiting'))::int waits,
               (count(*) filter (where state = 'in_progress'))::int running
          from old group by 1) x
 where t.task_uuid = any (array[x.task_uuid])
returning t.task_uuid "taskUuid", x.running`;

/**
 * Stops open steps: a step that has not started is skipped, others are cancelled. Returns the tasks in which one was
 * running. Call it after lockTasks, and before {@link countDecided}.
 */
export async function stopSteps(db: Db, steps: readonly StepKey[]): Promise<string[]> {
  const { rows } = await db.query<{ taskUuid: string; running: number }>(STOP_STEPS, columns(steps, 'taskUuid', 'idx'));
  return rows.filter(({ running }) => running > 0).map(({ taskUuid }) => taskUuid);
}

// A task ends when the attempt or the action ended that decided its last steps: statistics find its end by that time.
const COUNT_DECIDED = sql('count_decided')`
update tasker.task t set n_open = c.open, n_error = c.blocking, n_active = t.n_active + c.ready,
       done_at = case when c.open = 0 then coalesce(
         t.done_at,
         greatest((select max(h.ended_at) from tasker.history h where h.task_uuid = t.task_uuid and h.tx = txid_current()),
                  (select max(a.at) from tasker.operator_action a where a.task_uuid = t.task_uuid and a.tx = txid_current())),
         statement_timestamp()) end
  from unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) c (task_uuid, open, blocking, ready)
 where t.task_uuid = any (array[c.task_uuid])
returning t.task_uuid "taskUuid", t.state::text, tasker.shown_state(t.state, t.n_wait)::text shown, t.n_wait waits,
          round(extract(epoch from statement_timestamp() - t.created_at) * 1000)::float8 ms`;

/** The counters of a task, after its steps were decided. */
export interface DecidedCounts {
  taskUuid: string;
  open: number;
  blocking: number;
  /** Number of steps that became ready. */
  ready: number;
}

/** A task after its steps were decided. */
export interface CountedTask {
  taskUuid: string;
  state: string;
  /** The state in which it is shown. */
  shown: string;
  /** Number of steps that wait. */
  waits: number;
  /** Milliseconds since its creation. */
  ms: number;
}

/** Writes the counters of tasks. Call it after {@link decideSteps}. */
export async function countDecided(db: Db, tasks: readonly DecidedCounts[]): Promise<CountedTask[]> {
  return (await db.query<CountedTask>(COUNT_DECIDED, columns(tasks, 'taskUuid', 'open', 'blocking', 'ready'))).rows;
}

// Steps that were just created, or recounted, lack the part of the counter that keeps them from becoming ready.
const HOLD_ROUTES = sql('hold_routes')`
update tasker.step s set remaining = s.remaining + ${HELD}
  from tasker.task t, tasker.template_step ts
 where t.task_uuid = any ($1::uuid[]) and s.task_uuid = t.task_uuid and s.state = 'pending' and s.remaining < ${HELD}
   and ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx) and ts.parents >= ${HELD}`;

/** Holds the pending steps of tasks that run only after a failure. Call it after their parents were recounted. */
export async function holdRoutes(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(HOLD_ROUTES, [`{${taskUuids.join(',')}}`]);
}

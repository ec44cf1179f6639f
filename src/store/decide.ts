import type { Db } from '../db/statement.ts';
import { HELD } from '../model/routes.ts';
import { queueIdOf } from './queue-id.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// Other templates have only the consequences that the recording itself computes. The steps of a task that has not
// started must not become ready.
const ROUTED_TASKS = sql('routed_tasks')`
select t.task_uuid "taskUuid", t.template_id "templateId", t.state::text,
       array_agg(s.idx)::text idxs, array_agg(s.state::text)::text states, array_agg(s.remaining)::text remaining
  from tasker.task t join tasker.template m on m.id = t.template_id and m.routed
 cross join lateral (select idx, state, remaining from tasker.step x where x.task_uuid = t.task_uuid offset 0) s
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
  steps: { idx: number; state: string; remaining: number }[];
}

/**
 * Returns the open or complete tasks among these whose templates have conditions or routes, with the states of their steps.
 * Call it after lockTasks.
 */
export async function routedTasks(db: Db, taskUuids: readonly string[]): Promise<RoutedTask[]> {
  type Row = Omit<RoutedTask, 'steps'> & { idxs: string; states: string; remaining: string };
  const { rows } = await db.query<Row>(ROUTED_TASKS, [`{${taskUuids.join(',')}}`]);
  return rows.map(({ idxs, states, remaining, ...task }) => {
    const [indexes, counts] = [idxs, remaining].map((list) => list.slice(1, -1).split(',').map(Number));
    const names = states.slice(1, -1).split(',');
    return { ...task, steps: indexes!.map((idx, i) => ({ idx, state: names[i]!, remaining: counts![i]! })) };
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
   where s.task_uuid = any (array[d.task_uuid]) and s.idx = d.idx and s.state = 'pending'
  returning s.task_uuid, s.idx, s.state)
insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
select ${queueIdOf({ template: 't.template_id', task: 't.task_uuid' })}, t.rank, t.task_uuid, s.idx, t.template_id
  from s cross join lateral (select * from tasker.task x where x.task_uuid = s.task_uuid offset 0) t
 where s.state = 'enqueued' order by t.task_uuid, s.idx`;

/** The new state of a step that was `pending`. */
export interface DecidedStep extends StepKey {
  state: 'skipped' | 'enqueued' | 'pending';
  remaining: number;
}

/** Writes what was decided about steps, and queues the steps that became ready. Call it after lockTasks. */
export async function decideSteps(db: Db, steps: readonly DecidedStep[]): Promise<void> {
  await db.query(DECIDE_STEPS, columns(steps, 'taskUuid', 'idx', 'state', 'remaining'));
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

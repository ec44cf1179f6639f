import type { Db } from '../db/statement.ts';
import { firstStartOf } from './first-start.ts';
import { queueIdOf } from './queue-id.ts';
import { BUILT_IN_HANDLERS, sql } from './sql.ts';
import type { HeldKey, StepKey } from './step-key.ts';

const DECLARE_DEAD = sql('declare_dead')`
update tasker.worker set state = 'dead' where id in (
  select id from tasker.worker where state = 'alive' and lease_until < now()
     and pg_postmaster_start_time() < now() - $1 * interval '1 ms' for update skip locked) returning id, name`;

/** A dead worker that may still hold steps. */
export interface DeadWorkerRow {
  id: number;
  name: string;
}

/**
 * Declares workers dead whose lease expired. Call it in a separate transaction: none of their claims can commit after
 * it. Declares none for `leaseMs` after the server starts, because workers could not send heartbeats while it was down.
 */
export async function declareDead(db: Db, leaseMs: number): Promise<DeadWorkerRow[]> {
  return (await db.query<DeadWorkerRow>(DECLARE_DEAD, [leaseMs])).rows;
}

const DEAD_WORKERS = sql('dead_workers')`
select id, name, case when announces_all then callables end callables from tasker.worker where state = 'dead' order by id`;

/** A dead worker that is not buried. */
export interface UnburiedWorkerRow extends DeadWorkerRow {
  /** The handlers that it announced, if it starts no others. Null if it may start others too. */
  callables: string[] | null;
}

/**
 * Returns every dead worker that is not buried. With these, the next sweep finishes the work of a sweeper that died.
 */
export async function deadWorkers(db: Db): Promise<UnburiedWorkerRow[]> {
  return (await db.query<UnburiedWorkerRow>(DEAD_WORKERS)).rows;
}

const HELD_HANDLERS = sql('handlers_of_held_steps')`
select distinct h.worker_id "workerId", h.template_id "templateId", h.idx, s.callable, s.resolver
  from (
    select x.claim >> 24 worker_id, t.template_id, tasker.template_idx(x.idx) idx
      from tasker.task t cross join lateral (
        select claim, idx from tasker.step x
         where x.task_uuid = t.task_uuid and x.state = 'in_progress' and (x.claim >> 24) = any ($2::bigint[]) offset 0) x
     where t.task_uuid = any ($1::uuid[])) h
  join tasker.template_step s on s.template_id = h.template_id and s.idx = h.idx`;

/** The handler of steps that a worker holds. */
export interface HeldHandlerRow {
  workerId: number;
  templateId: number;
  idx: number;
  callable: string;
  resolver: string | null;
}

/** Returns the handlers of the steps that workers hold in these tasks. */
export async function heldHandlers(
  db: Db,
  taskUuids: readonly string[],
  workerIds: readonly number[],
): Promise<HeldHandlerRow[]> {
  const values = [`{${taskUuids.join(',')}}`, `{${workerIds.join(',')}}`];
  return (await db.query<HeldHandlerRow>(HELD_HANDLERS, values)).rows;
}

// Reads only tasks with ready or running steps, each by key. The other tasks, possibly millions, are not read.
const TASKS_OF_DEAD = sql('tasks_of_dead')`
select t.task_uuid from (select task_uuid from tasker.task where state in ('steps_in_process', 'undoing') and done_at is null offset 0) t
 cross join lateral (
   select 1 from tasker.step s where s.task_uuid = t.task_uuid and s.state = 'in_progress' and (s.claim >> 24) = any ($1::bigint[])
    limit 1) s
 limit 500`;

/** Returns tasks in which dead workers hold running steps, at most 500 at a time. */
export async function tasksOfDead(db: Db, workerIds: readonly number[]): Promise<string[]> {
  const { rows } = await db.query<{ task_uuid: string }>(TASKS_OF_DEAD, [`{${workerIds.join(',')}}`]);
  return rows.map((row) => row.task_uuid);
}

// An attempt that saved a checkpoint made progress, so it does not count towards max_attempts. An attempt of a step
// that only waits has no effect before the wait begins, and an attempt whose handler the worker lacks has none at all. So
// the attempt does not count either, and the step runs again in any case. A batch worker that fails permanently is not
// changed here, nor is a step of an element. Others may start, so its failure is recorded like every other failure. If the clock of
// the server was set back, `greatest` keeps the attempt from ending before its start.
const TAKE_BACK = sql('take_back')`
with held as (
  select s.task_uuid, s.idx, s.ctid tid, s.claim, s.attempts, greatest(c.saved, w.idle::int) saved, w.missed,
         w.idle or s.retryable and s.attempts - s.spared - c.saved < least(s.max_attempts, w.lost_attempts) and not w.late again,
         s.retryable and coalesce(w.lost_attempts, 1) > 0 retryable, w.late
    from tasker.step s cross join lateral (
      select (exists (select 1 from tasker.checkpoint c
                where c.task_uuid = s.task_uuid and c.idx = s.idx and c.attempt = s.attempts))::int saved) c
   cross join lateral (
      select x.callable in (${BUILT_IN_HANDLERS}) or y.missed idle, y.missed, x.lost_attempts,
             x.retry_ms is not null and statement_timestamp() > ${firstStartOf('s')} + x.retry_ms * interval '1 ms' late
        from tasker.task t cross join lateral (
               select callable, lost_attempts, retry_ms from tasker.template_step x
                where x.template_id = t.template_id and x.idx = tasker.template_idx(s.idx) offset 0) x
       cross join lateral (
               select (s.claim >> 24) || ':' || t.template_id || ':' || tasker.template_idx(s.idx) = any ($4::text[]) missed) y
       where t.task_uuid = s.task_uuid) w
   where s.task_uuid = any ($1::uuid[]) and s.state = 'in_progress' and (s.claim >> 24) = any ($2::bigint[])
     and ($3::text[] is null or s.claim || ':' || s.idx || ':' || s.task_uuid = any ($3))),
lost as (
  update tasker.step s set
    state = case when h.again then 'enqueued'::tasker.step_state else 'error' end, spared = s.spared + h.saved,
    done_at = greatest(statement_timestamp(), s.started_at)
    from held h where s.ctid = h.tid and (h.again or h.idx < 131072)
  returning s.task_uuid, s.idx, s.state, s.attempts, s.attempts - s.spared + h.saved number, s.started_at, s.claim, h.retryable, h.missed, h.late),
placed as (
  select l.*, t.template_id, t.rank from lost l join tasker.task t on t.task_uuid = l.task_uuid),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 'placed.template_id', task: 'placed.task_uuid' })}, rank, task_uuid, idx, template_id
    from placed where state = 'enqueued'),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at, detail)
  select task_uuid, idx, attempts, nullif(number, attempts), claim >> 24, 'worker_lost', state, started_at, greatest(statement_timestamp(), started_at),
         jsonb_build_object('error', jsonb_build_object('error_type', 'worker_lost', 'retryable', retryable, 'message',
           case when missed then 'the worker was lost while the step waited for its handler; it runs again'
                when state = 'enqueued' then 'the worker was lost while the step ran; it runs again'
                when retryable and late then 'the worker was lost while the step ran, and the time for its attempts is over'
                when retryable then 'the worker was lost while the step ran, and its attempts are used up'
                else 'the worker was lost while it held the step; the step is not retryable and may have run, so check its effect before you retry or resolve it' end))
    from lost),
n as (
  update tasker.task set n_active = n_active - c.err, n_error = n_error + c.err
    from (select task_uuid, count(*)::int err from lost where state = 'error' group by 1) c
   where task.task_uuid = c.task_uuid returning task.task_uuid, tasker.shown_state(task.state, task.n_wait)::text state)
select l.task_uuid "taskUuid", l.idx, l.state::text, l.attempts, l.claim >> 24 "workerId", n.state "taskState",
       null::bigint claim, l.template_id "templateId", null::smallint rank, l.retryable, l.late
  from placed l left join n on n.task_uuid = l.task_uuid
union all
select h.task_uuid, h.idx, 'failing', h.attempts, h.claim >> 24, null, h.claim, t.template_id, t.rank, h.retryable, h.late
  from held h join tasker.task t on t.task_uuid = h.task_uuid
 where not h.again and h.idx >= 131072`;

/** A step that was taken from a lost worker. `failing`: it must still be recorded as a permanent failure. */
export interface TakenBackRow extends StepKey {
  state: 'enqueued' | 'error' | 'failing';
  attempts: number;
  workerId: number;
  taskState: string | null;
  claim: number | null;
  templateId: number;
  rank: number | null;
  /** Whether the step may run again after the loss of a worker. */
  retryable: boolean;
  /** Whether the time for its attempts is over. */
  late: boolean;
}

/** The steps to take. */
export interface Takeback {
  tasks: readonly string[];
  workerIds: readonly number[];
  /** Takes only these steps. */
  only?: readonly HeldKey[] | undefined;
  /** Steps that their workers cannot have started, because they lack the handlers. */
  missed: readonly HeldHandlerRow[];
}

/**
 * Takes the steps of workers in these tasks: to the queue or to `error`, by the retry policy. Call it after lockTasks.
 */
export async function takeBack(db: Db, { tasks, workerIds, only, missed }: Takeback): Promise<TakenBackRow[]> {
  const values = [tasks, workerIds].map((ids) => `{${ids.join(',')}}`);
  const keys = only?.map(({ claim, idx, taskUuid }) => `${claim}:${idx}:${taskUuid}`) ?? null;
  const kinds = missed.map(({ workerId, templateId, idx }) => `${workerId}:${templateId}:${idx}`);
  return (await db.query<TakenBackRow>(TAKE_BACK, [...values, keys, kinds])).rows;
}

const BURY = sql('bury_workers')`
update tasker.worker set state = 'buried' where id = any ($1::bigint[]) and state = 'dead'`;

/** Buries dead workers that no longer hold any steps. */
export async function buryWorkers(db: Db, workerIds: readonly number[]): Promise<void> {
  await db.query(BURY, [`{${workerIds.join(',')}}`]);
}

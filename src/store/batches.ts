import type { Db } from '../db/statement.ts';
import { queueIdOf } from './queue-id.ts';
import type { ResultRow } from './read-steps.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// Steps and workers are looked up individually (lateral, offset 0). With an unrestricted join, each failure would read
// all steps of its task, and a batch has thousands.
const CANCEL_REST = sql('cancel_rest_of_batch')`
with f as (
  select distinct on (d.task_uuid, b.worker_idx) d.task_uuid, b.worker_idx, b.size, b.analyzer_idx, w.name, t.template_id
    from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
    cross join lateral (
      select 1 from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'error' offset 0) s
    cross join lateral (
      select * from tasker.batch x where x.task_uuid = d.task_uuid and x.worker_idx = tasker.template_idx(d.idx)
         and x.failure_strategy = 'fail_fast' offset 0) b
    cross join lateral (
      select name from tasker.batch_worker x where x.task_uuid = d.task_uuid and x.idx = d.idx offset 0) w
    join tasker.task t on t.task_uuid = d.task_uuid),
old as (
  select s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.claim, s.started_at, f.worker_idx, f.template_id
    from f join tasker.step s on s.task_uuid = f.task_uuid and s.idx >= (f.worker_idx + 1) << 17
     and s.idx < ((f.worker_idx + 1) << 17) + f.size
   where s.state in ('pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting') for update of s),
u as (
  update tasker.step s set state = 'cancelled', done_at = statement_timestamp(), next_at = null from old
   where s.task_uuid = old.task_uuid and s.idx = old.idx),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at)
  select task_uuid, idx, attempts, nullif(attempts - spared, attempts), claim >> 24, 'cancelled', 'cancelled', started_at, greatest(statement_timestamp(), started_at)
    from old where state in ('in_progress', 'waiting')),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = 'cancel' from old
   where old.state = 'waiting' and w.task_uuid = old.task_uuid and w.idx = old.idx and w.ended_at is null),
c as (
  select task_uuid, worker_idx, template_id, count(*)::int n,
         (count(*) filter (where state in ('enqueued', 'in_progress')))::int active,
         (count(*) filter (where state = 'waiting_for_retry'))::int retry,
         (count(*) filter (where state = 'waiting'))::int waits,
         (count(*) filter (where state = 'in_progress'))::int running
    from old group by 1, 2, 3),
a as (
  insert into tasker.operator_action (task_uuid, idx, at, action, from_state, to_state, actor, door, reason)
  select f.task_uuid, f.analyzer_idx, statement_timestamp(), 'cancel_batch', 'steps_in_process', 'cancelled', 'fail_fast', 'lifecycle',
         f.name || ' failed: the other ' || c.n || ' workers of its batch that had not ended are cancelled'
    from f join c on c.task_uuid = f.task_uuid and c.worker_idx = f.worker_idx),
k as (
  update tasker.step s set remaining = s.remaining - x.n
    from (select c.task_uuid, e.child, sum(c.n)::int n
            from c join tasker.template_edge e on e.template_id = c.template_id and e.parent = c.worker_idx group by 1, 2) x
   where s.task_uuid = x.task_uuid and s.idx = x.child and s.state = 'pending'),
b as (
  update tasker.batch b set n_active = 0, next_idx = ((b.worker_idx + 1) << 17) + b.size
    from f where b.task_uuid = f.task_uuid and b.worker_idx = f.worker_idx)
update tasker.task t set n_open = n_open - x.n, n_active = n_active - x.active, n_retry = n_retry - x.retry,
       n_wait = n_wait - x.waits
  from (select task_uuid, sum(n)::int n, sum(active)::int active, sum(retry)::int retry, sum(waits)::int waits, sum(running)::int running
          from c group by 1) x
 where t.task_uuid = x.task_uuid
returning t.task_uuid "taskUuid", x.running, tasker.shown_state(t.state, t.n_wait)::text state, round(extract(epoch from statement_timestamp() - t.created_at) * 1000)::float8 ms`;

/** A task in which the rest of a batch was cancelled. */
export interface CancelledRest {
  taskUuid: string;
  /** Number of workers that were running. */
  running: number;
  state: string;
  /** Milliseconds since the creation of the task. */
  ms: number;
}

/**
 * Cancels the remaining workers of `fail_fast` batches in which one of these workers is in `error`. The failed worker
 * blocks the steps after the batch until an operator settles it. Call it after lockTasks and the recording of the failure.
 */
export async function cancelRestOfBatches(db: Db, failed: readonly StepKey[]): Promise<CancelledRest[]> {
  return (await db.query<CancelledRest>(CANCEL_REST, columns(failed, 'taskUuid', 'idx'))).rows;
}

const RELEASE_WORKERS = sql('release_workers')`
with b as (
  select task_uuid, worker_idx, ((worker_idx + 1) << 17) + size end_idx, parallelism - n_active free, next_idx
    from tasker.batch where task_uuid = any ($1::uuid[]) and n_active < parallelism
     and next_idx < ((worker_idx + 1) << 17) + size),
p as (
  select b.task_uuid, b.worker_idx, s.idx, s.tid from b cross join lateral (
    select idx, ctid tid from tasker.step x
     where x.task_uuid = b.task_uuid and x.idx >= b.next_idx and x.idx < b.end_idx and x.state = 'pending' and x.remaining = 0
     order by idx limit b.free) s),
u as (
  update tasker.step s set state = 'enqueued' from p where s.ctid = p.tid),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 't.template_id', task: 't.task_uuid' })}, t.rank, p.task_uuid, p.idx, t.template_id
    from p join tasker.task t on t.task_uuid = p.task_uuid
   order by p.task_uuid, p.idx),
c as (select task_uuid, worker_idx, count(*)::int n, max(idx) last_idx from p group by 1, 2),
bu as (
  update tasker.batch b set n_active = b.n_active + c.n, next_idx = c.last_idx + 1
    from c where b.task_uuid = c.task_uuid and b.worker_idx = c.worker_idx),
t as (
  update tasker.task t set n_active = t.n_active + x.n
    from (select task_uuid, sum(n)::int n from c group by 1) x where t.task_uuid = x.task_uuid)
select task_uuid "taskUuid", sum(n)::int released from c group by 1`;

/** Queues waiting batch workers of these tasks up to `parallelism`. Returns their number by task. Call it after lockTasks. */
export async function releaseWorkers(db: Db, taskUuids: readonly string[]): Promise<Map<string, number>> {
  type Row = { taskUuid: string; released: number };
  const { rows } = await db.query<Row>(RELEASE_WORKERS, [`{${taskUuids.join(',')}}`]);
  return new Map(rows.map(({ taskUuid, released }) => [taskUuid, released]));
}

const RECOUNT_BATCHES = sql('recount_batches')`
update tasker.batch b set n_active = x.n
  from (select b.task_uuid, b.worker_idx, (
               select count(*)::int from tasker.step s
                where s.task_uuid = b.task_uuid and s.idx >= (b.worker_idx + 1) << 17
                  and s.idx < ((b.worker_idx + 1) << 17) + b.size
                  and s.state in ('enqueued', 'in_progress', 'waiting_for_retry', 'waiting')) n
          from tasker.batch b where b.task_uuid = any ($1::uuid[])) x
 where b.task_uuid = x.task_uuid and b.worker_idx = x.worker_idx and b.n_active <> x.n`;

/**
 * Recounts the active workers of the tasks' batches after an operator changed the states of some. Call it after
 * lockTasks.
 */
export async function recountBatches(db: Db, taskUuids: readonly string[]): Promise<void> {
  await db.query(RECOUNT_BATCHES, [`{${taskUuids.join(',')}}`]);
}

// Looked up individually. In a join, a table that was empty at its last ANALYZE would be scanned for each row.
const BATCH_WORKERS = sql('batch_workers')`
select d.task_uuid "taskUuid", d.idx, w.name, w.cursor, b.no_op "noOp"
  from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
 cross join lateral (
   select name, x.cursor::text cursor from tasker.batch_worker x
    where x.task_uuid = d.task_uuid and x.idx = d.idx offset 0) w
 cross join lateral (
   select no_op from tasker.batch x
    where x.task_uuid = d.task_uuid and x.worker_idx = tasker.template_idx(d.idx) offset 0) b`;

/** The part of a batch worker. */
export interface BatchWorkerRow extends StepKey {
  name: string;
  /** JSON text. */
  cursor: string;
  noOp: boolean;
}

/** Returns the parts of these batch workers. */
export async function batchWorkers(db: Db, steps: readonly StepKey[]): Promise<BatchWorkerRow[]> {
  return (await db.query<BatchWorkerRow>(BATCH_WORKERS, columns(steps, 'taskUuid', 'idx'))).rows;
}

const BATCH_RESULTS = sql('batch_results')`
select task_uuid "taskUuid", idx, name, state, size, case when total <= $3 then result end result, total > $3 withheld, detail
  from (
    select y.*, sum(y.size) over (rows unbounded preceding) total
      from (
        select s.task_uuid, s.idx, w.name, s.state::text, s.result,
               case when s.result is null then 0
                 when pg_column_size(s.result) <= 2048 and pg_column_compression(s.result) is null then pg_column_size(s.result)
                 else length(s.result::text) end size,
               case when s.state = 'error' then (
                 select h.detail::text from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx
                  order by h.attempt desc limit 1) end detail
          from unnest($1::uuid[], $2::int[]) d (task_uuid, worker_idx)
          cross join lateral (
            select * from tasker.batch x where x.task_uuid = d.task_uuid and x.worker_idx = d.worker_idx offset 0) b
          join tasker.step s on s.task_uuid = b.task_uuid and s.idx >= (b.worker_idx + 1) << 17
           and s.idx < ((b.worker_idx + 1) << 17) + b.size
          cross join lateral (
            select name from tasker.batch_worker x where x.task_uuid = s.task_uuid and x.idx = s.idx offset 0) w
         where s.state in ('complete', 'resolved_manually') or (s.state = 'error' and b.failure_strategy = 'continue_on_failure')
         order by s.task_uuid, s.idx) y) z`;

/** The outcome of one batch worker. */
export interface BatchResultRow extends Omit<ResultRow, 'state'> {
  name: string;
  state: ResultRow['state'] | 'error';
  /** JSON text of the failure; null if the worker is not in `error`. */
  detail: string | null;
}

/**
 * Returns the outcomes of batch workers, with at most `maxSize` characters of results. Includes failed workers if the
 * batch has `continue_on_failure`, but not if it has `isolate`.
 */
export async function batchResults(
  db: Db,
  batches: readonly { taskUuid: string; workerIdx: number }[],
  maxSize: number,
): Promise<BatchResultRow[]> {
  const values = [...columns(batches, 'taskUuid', 'workerIdx'), maxSize];
  return (await db.query<BatchResultRow>(BATCH_RESULTS, values)).rows;
}

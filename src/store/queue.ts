import type { Db } from '../db/statement.ts';
import { laneOf, partsOf, queueIdOf } from './queue-id.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// The lanes are empty unless templates of the namespaces have steps that wait.
const PEEK = sql('peek')`
select exists (select 1 from tasker.queue where namespace_id = any ($1::int[])) ready,
       (select (extract(epoch from least(
          (select min(due_at) from tasker.timer),
          (select min(due_at) from tasker.wait where ended_at is null and due_at is not null)) - now()) * 1000)::float8) "dueMs",
       (select array_agg(n.id)::text from unnest($1::int[], $2::int[]) n (id, lane)
         where exists (select 1 from tasker.queue q where q.namespace_id = n.lane)) waits,
       exists (select 1 from tasker.signal_inbox where done_at is null) "hasSignals",
       (select (extract(epoch from min(wake_at) - now()) * 1000)::float8 from tasker.schedule) "scheduleMs",
       exists (select 1 from tasker.flow_limit) "hasLimits"`;

/** Whether the queue has steps, and the milliseconds until a retry or a wait is due, or null if there is none. */
export interface QueuePeek {
  ready: boolean;
  dueMs: number | null;
  /** Milliseconds until a schedule is due. */
  scheduleMs: number | null;
  /** The namespaces with ready steps of templates that contain waiting steps. */
  namespacesWithWaits: number[];
  /** Whether templates have limits. */
  hasLimits: boolean;
  /** Whether callers have sent signals in their own transactions that are not used yet. */
  hasSignals: boolean;
}

/** Checks the queue without writing. */
export async function peek(db: Db, namespaceIds: readonly number[]): Promise<QueuePeek> {
  const values = [`{${namespaceIds.join(',')}}`, `{${namespaceIds.map(laneOf).join(',')}}`];
  type Row = Omit<QueuePeek, 'namespacesWithWaits'> & { waits: string | null };
  const { waits, ready, dueMs, scheduleMs, hasSignals, hasLimits } = (await db.query<Row>(PEEK, values)).rows[0]!;
  const namespacesWithWaits = waits === null ? [] : (JSON.parse(`[${waits.slice(1, -1)}]`) as number[]);
  return { ready: ready || waits !== null, dueMs, scheduleMs, namespacesWithWaits, hasSignals, hasLimits };
}

/** Steps are counted up to this number, because counting all of a long queue takes too long. */
const COUNTED = 100_000;

const QUEUE_DEPTHS = sql('queue_depths')`
select n.name, x.depth
  from tasker.namespace n
 cross join lateral (
   select count(*)::int depth
     from (select 1 from tasker.queue q where q.namespace_id = any (${partsOf('n.id')}) limit ${COUNTED}) y) x
 where n.name = any ($1::text[])`;

/** Returns the number of queued steps by namespace, counted up to 100,000. Unknown namespaces are omitted. */
export async function queueDepths(db: Db, namespaces: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await db.query<{ name: string; depth: number }>(QUEUE_DEPTHS, [namespaces]);
  return new Map(rows.map(({ name, depth }) => [name, depth]));
}

const NOTIFY = sql('notify')`select pg_notify($1, payload) from unnest($2::text[]) payload`;

/** Notifies listeners of a channel. Not used in recordings, because a commit with a notification costs three times as much. */
export async function notify(db: Db, channel: string, payloads: readonly string[]): Promise<void> {
  await db.query(NOTIFY, [channel, payloads]);
}

const DUE_TASKS = sql('due_tasks')`
select distinct task_uuid from (select task_uuid from tasker.timer where due_at <= now() order by due_at limit 500) t`;

/** Returns tasks with due retries, at most 500 retries at a time. */
export async function dueTasks(db: Db): Promise<string[]> {
  return (await db.query<{ task_uuid: string }>(DUE_TASKS)).rows.map((row) => row.task_uuid);
}

// Deletes the timer of a step that has since been cancelled, resolved or reset. The step keeps its due time, because
// its task last made progress then.
const PROMOTE = sql('promote_retries')`
with due as (
  delete from tasker.timer where task_uuid = any ($1::uuid[]) and due_at <= statement_timestamp() returning task_uuid, idx, template_id, rank),
u as (
  update tasker.step s set state = 'enqueued'
    from due where s.task_uuid = any (array[due.task_uuid]) and s.idx = due.idx
     and s.state = 'waiting_for_retry' and s.next_at <= statement_timestamp()
  returning s.task_uuid, s.idx, due.template_id, due.rank),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select ${queueIdOf({ template: 'u.template_id', task: 'u.task_uuid' })}, rank, task_uuid, idx, template_id from u),
t as (
  update tasker.task set n_active = n_active + c.n, n_retry = n_retry - c.n
    from (select task_uuid, count(*)::int n from u group by 1) c where task.task_uuid = any (array[c.task_uuid]))
select count(*)::int promoted from u`;

/** Queues due retries and returns their number. Call it after lockTasks. */
export async function promoteRetries(db: Db, taskUuids: readonly string[]): Promise<number> {
  return (await db.query<{ promoted: number }>(PROMOTE, [`{${taskUuids.join(',')}}`])).rows[0]!.promoted;
}

const QUEUE_BLOAT = sql('queue_bloat')`
select n_dead_tup::int dead, n_live_tup::int live from pg_stat_all_tables where relid = 'tasker.queue'::regclass`;

/** Returns the approximate numbers of dead and live rows in the queue, from the server's statistics. */
export async function queueBloat(db: Db): Promise<{ dead: number; live: number }> {
  const { rows } = await db.query<{ dead: number; live: number }>(QUEUE_BLOAT);
  return rows[0] ?? { dead: 0, live: 0 };
}

const TRY_COMPACTING = sql('try_compacting')`select pg_try_advisory_xact_lock(7303014003) mine`;

/** Locks the compaction until the transaction ends. Returns false if another worker is compacting. */
export async function tryCompacting(db: Db): Promise<boolean> {
  return (await db.query<{ mine: boolean }>(TRY_COMPACTING)).rows[0]!.mine;
}

const LOCK_QUEUE = sql('lock_queue')`lock table tasker.queue in access exclusive mode`;
const SET_ASIDE = sql('set_queue_aside')`
create temp table tasker_queue_kept on commit drop as select * from tasker.queue`;
const TRUNCATE = sql('truncate_queue')`truncate tasker.queue`;
const PUT_BACK = sql('put_queue_back')`
insert into tasker.queue overriding system value select * from tasker_queue_kept`;

/** Rewrites the queue with only its live rows. Removes dead rows that an old transaction keeps from being vacuumed. */
export async function compactQueue(db: Db): Promise<void> {
  for (const statement of [LOCK_QUEUE, SET_ASIDE, TRUNCATE, PUT_BACK]) await db.query(statement);
}

const QUEUE_CHECK_TURN = sql('queue_check_turn')`
select case when (select min(id) from tasker.worker where state = 'alive' and lease_until > now()) = any ($1::bigint[])
            then pg_try_advisory_xact_lock(7303014005) else false end mine`;

/**
 * Locks the check of the queue until the transaction ends. Returns false if another transaction has the lock, or none
 * of these workers is the oldest live worker.
 */
export async function takeQueueCheckTurn(db: Db, workerIds: readonly number[]): Promise<boolean> {
  return (await db.query<{ mine: boolean }>(QUEUE_CHECK_TURN, [`{${workerIds.join(',')}}`])).rows[0]!.mine;
}

// The queue has no index by step, because that would make every step more expensive. So a slice of the open tasks is
// compared with the queue's rows in the same range of ids, which are read once. Counters are compared first: a task
// whose active steps (ready or running) are all in the queue needs no check of its steps. The steps of the other tasks
// are compared individually. Both sides are concatenated and grouped instead of joined, so that even wrong statistics
// cannot lead to a comparison of all pairs of rows. A step that waits for a place in its batch is pending, and a step
// that waits for a retry is not active. So neither is reported as missing. A row whose step was completed by hand or
// cancelled can hide one missing row of the same task until a claim removes it.
const FIND_UNQUEUED = sql('find_unqueued_steps')`
with t as materialized (
  select x.* from unnest('{steps_in_process,undoing}'::tasker.task_state[]) y (state) cross join lateral (
    select task_uuid, n_active n from tasker.task z where z.state = y.state and z.done_at is null and z.task_uuid > $1
     order by task_uuid limit $2) x
   order by task_uuid limit $2),
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
k as materialized (
  select task_uuid, idx
    from (select task_uuid, idx, 1 n from s
          union all
          select task_uuid, idx, 0 from tasker.queue where task_uuid between $3 and $4) x
   group by 1, 2 having min(n) = 1)
insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
select ${queueIdOf({ template: 't.template_id', task: 'k.task_uuid' })}, t.rank, k.task_uuid, k.idx, t.template_id
  from k cross join lateral (
    select rank, template_id from tasker.task x where x.task_uuid = k.task_uuid and x.done_at is null offset 0) t
 order by k.task_uuid, k.idx
returning task_uuid "taskUuid", idx`;

/** Queues the steps that are ready and still missing from the queue, and returns them. Call it after lockTasks. */
export async function requeueSteps(db: Db, steps: readonly StepKey[]): Promise<StepKey[]> {
  const ids = steps.map((step) => step.taskUuid).sort();
  const values = [...columns(steps, 'taskUuid', 'idx'), ids[0], ids.at(-1)];
  return (await db.query<StepKey>(REQUEUE_STEPS, values)).rows;
}

import type { Db } from '../../db/statement.ts';
import { READY_SINCE } from '../search/projection.ts';
import { sql } from '../sql.ts';

/** Rows of one kind are counted up to this number, so that a count takes a bounded time. */
export const COUNTED = 100_000;

/** The names of groups `g` of steps, by `template_id` and `idx`. */
export const STEP_NAMES = `
n.name namespace, m.name, m.version, d.name step, d.callable handler,
       m.definition #>> array['steps', g.idx::text, 'handler', 'resolver'] resolver`;
export const JOIN_NAMES = `
  join tasker.template m on m.id = g.template_id join tasker.namespace n on n.id = m.namespace_id
  join tasker.template_step d on d.template_id = g.template_id and d.idx = g.idx`;

/** Ready steps of one step of a template. */
export interface ReadyRow {
  namespace: string;
  name: string;
  version: string;
  step: string;
  /** The callable, and the resolver that the template names. */
  handler: string;
  resolver: string | null;
  count: number;
  /** When the first of them became ready, if that was asked for. */
  first: string | null;
}

// Per namespace, because a limit on all rows could hide a namespace behind a long queue.
const QUEUED_STEPS = sql('status_queued_steps')`
with g as materialized (
  select x.template_id, x.idx, count(*)::int n
    from tasker.namespace n cross join lateral (
      select q.template_id, tasker.template_idx(q.idx) idx from tasker.queue q where q.namespace_id = n.id
       limit ${COUNTED}) x
   group by 1, 2)
select ${STEP_NAMES}, g.n count, null first from g ${JOIN_NAMES}`;

/** Returns the queued steps of all namespaces by the step of their template; up to 100,000 of a namespace are counted. */
export async function queuedSteps(db: Db): Promise<ReadyRow[]> {
  return (await db.query<ReadyRow>(QUEUED_STEPS)).rows;
}

// A row of the queue has no time. Rows of one priority are in the order in which they came, so that the oldest steps are
// the first of each. A row whose step was cancelled is skipped.
const QUEUE_HEADS = sql('status_queue_heads')`
with recursive r as (
  (select namespace_id, rank from tasker.queue order by namespace_id, rank, id limit 1)
  union all
  select x.* from r cross join lateral (
    select q.namespace_id, q.rank from tasker.queue q where (q.namespace_id, q.rank) > (r.namespace_id, r.rank)
     order by q.namespace_id, q.rank, q.id limit 1) x),
head as materialized (
  select r.namespace_id, q.task_uuid, q.idx from r cross join lateral (
    select q.task_uuid, q.idx from tasker.queue q where q.namespace_id = r.namespace_id and q.rank = r.rank
     order by q.id limit 10) q limit 5000)
select n.name namespace, tasker.iso(min(x.since)) "oldestAt"
  from head join tasker.namespace n on n.id = head.namespace_id
 cross join lateral (
   select greatest(${READY_SINCE}, (
            select max(a.at) from tasker.operator_action a where a.task_uuid = s.task_uuid and a.idx = s.idx)) since
     from tasker.step s cross join lateral (select * from tasker.task t where t.task_uuid = s.task_uuid offset 0) t
     left join lateral (
       select h.ended_at from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx
        order by h.attempt desc limit 1) h on true
    where s.task_uuid = head.task_uuid and s.idx = head.idx and s.state = 'enqueued' offset 0) x
 group by 1`;

/** When the oldest queued step of a namespace became ready. */
export interface QueueHead {
  namespace: string;
  oldestAt: string;
}

/** Returns the oldest queued steps by namespace. */
export async function queueHeads(db: Db): Promise<QueueHead[]> {
  return (await db.query<QueueHead>(QUEUE_HEADS)).rows;
}

const RUNNING_STEPS = sql('status_running_steps')`
select n.name namespace, w.name worker, g.count from (
    select q.template_id, q.worker_id, count(*)::int from (
      select template_id, worker_id from tasker.step_search where state = 'in_progress' limit ${COUNTED}) q
     group by 1, 2) g
  join tasker.template m on m.id = g.template_id join tasker.namespace n on n.id = m.namespace_id
  left join tasker.worker w on w.id = g.worker_id`;

/** Running steps of one namespace and worker. */
export interface RunningRow {
  namespace: string;
  /** Null: the worker is gone. */
  worker: string | null;
  count: number;
}

/** Returns the running steps by namespace and worker, a second old at most. */
export async function runningSteps(db: Db): Promise<RunningRow[]> {
  return (await db.query<RunningRow>(RUNNING_STEPS)).rows;
}

/** One count for each state, because each reads a range of an index. */
const openCount = (state: string) => `
select '${state}' state, count(*)::int from (
  select 1 from tasker.task_search where state = '${state}' limit ${COUNTED * 10}) x`;

const OPEN_TASKS = sql('status_open_tasks')`
${['steps_in_process', 'waiting_for_retry', 'blocked_by_failures', 'waiting_for_dependencies'].map(openCount).join('\nunion all')}`;

/** Returns the number of open tasks by state; up to a million of each are counted. */
export async function openTasks(db: Db): Promise<{ state: string; count: number }[]> {
  return (await db.query<{ state: string; count: number }>(OPEN_TASKS)).rows;
}

const ATTENTION = sql('attention')`
select (select count(*)::int from (select 1 from tasker.task_watch where rule is not null limit ${COUNTED}) x) stale,
       (select count(*)::int from (select 1 from tasker.event_dead limit ${COUNTED}) x) "deadDeliveries",
       tasker.iso(now()) now`;

/** Numbers that need an operator, apart from blocked tasks. */
export interface Attention {
  stale: number;
  deadDeliveries: number;
  /** The time of the database. */
  now: string;
}

/** Counts the tasks that exceed a limit of their lifecycle, and the deliveries that were given up. */
export async function attention(db: Db): Promise<Attention> {
  return (await db.query<Attention>(ATTENTION)).rows[0]!;
}

/** The newest rows that rates are computed from, and the tasks among them whose attempts are counted. */
const NEWEST = 20_000;
const SAMPLED = 1_000;

const RATES = sql('rates')`
with since as (select now() - $1::int * interval '1 second' as at),
created as (
  select count(*)::int n, min(at) first from (
    select created_at as at from tasker.task_search where created_at > (select at from since)
     order by created_at desc limit ${NEWEST}) x),
ended as (
  select count(*)::int n, min(at) first from (
    select done_at as at from tasker.task_search where done_at > (select at from since)
     order by done_at desc limit ${NEWEST}) x),
changed as materialized (
  select task_uuid, updated_at as at from tasker.task_search where updated_at > (select at from since)
   order by updated_at desc limit ${NEWEST}),
sample as materialized (
  select task_uuid from (select task_uuid, row_number() over () i from changed) x
   where i % (select count(*) / ${SAMPLED} + 1 from changed) = 0),
attempts as (
  select count(*)::int n, (count(*) filter (where h.outcome in ('failed', 'worker_lost')))::int failed
    from sample cross join lateral (
      select h.outcome from tasker.history h where h.task_uuid = sample.task_uuid and h.ended_at > (select at from since)
      offset 0) h)
select c.n created, e.n ended, a.n attempts, a.failed, s.n sampled, u.n changed,
       case when c.n < ${NEWEST} then $1::int else extract(epoch from now() - c.first) end::float8 "createdSeconds",
       case when e.n < ${NEWEST} then $1::int else extract(epoch from now() - e.first) end::float8 "endedSeconds",
       case when u.n < ${NEWEST} then $1::int else extract(epoch from now() - u.first) end::float8 "changedSeconds"
  from created c, ended e, attempts a, (select count(*)::int n from sample) s,
       (select count(*)::int n, min(at) first from changed) u`;

/** Recent activity. Each count has the number of seconds that it covers. */
export interface Rates {
  created: number;
  createdSeconds: number;
  ended: number;
  endedSeconds: number;
  /** Attempts of the sampled tasks, and how many of them failed. */
  attempts: number;
  failed: number;
  /** Tasks that changed, and how many of them were sampled. */
  sampled: number;
  changed: number;
  changedSeconds: number;
}

/** Returns how much happened in the last seconds. If it was too much to count, in fewer seconds. */
export async function rates(db: Db, seconds: number): Promise<Rates> {
  return (await db.query<Rates>(RATES, [seconds])).rows[0]!;
}

import type { Db } from '../../db/statement.ts';
import { pausedPartsOf, unpausedPartsOf } from '../queue-id.ts';
import { columns, sql } from '../sql.ts';

/**
 * Steps of a namespace, and waiting retries, are counted up to this number, because counting all of a long queue takes
 * too long.
 */
export const MOST_COUNTED = 100_000;

const QUEUED_STEPS = sql('queued_steps')`
select n.id "namespaceId", n.name namespace, c.template_id "templateId", c.idx, c.steps, m.name template, m.version,
       s.name step, s.callable, s.resolver, p.paused
  from tasker.namespace n
 cross join lateral (
   select count(*)::int paused from (
     select 1 from tasker.queue q where q.namespace_id = any (${pausedPartsOf('n.id')}) limit ${MOST_COUNTED}) x) p
  left join lateral (
    select template_id, tasker.template_idx(idx) idx, count(*)::int steps
      from (select template_id, idx from tasker.queue q where q.namespace_id = any (${unpausedPartsOf('n.id')}) limit ${MOST_COUNTED}) q
     group by 1, 2) c on true
  left join tasker.template m on m.id = c.template_id
  left join tasker.template_step s on s.template_id = c.template_id and s.idx = c.idx
 order by n.name, c.steps desc`;

/** The queued steps that belong to one template step. Null in a namespace without queued steps. */
export interface QueuedStepsRow {
  namespaceId: number;
  namespace: string;
  templateId: number | null;
  idx: number | null;
  steps: number | null;
  template: string | null;
  version: string | null;
  step: string | null;
  callable: string | null;
  resolver: string | null;
  /** Queued steps of the namespace that a pause holds back, counted up to 100,000. */
  paused: number;
}

/** Counts the queued steps of every namespace by step of their template, up to 100,000 in a namespace. */
export async function queuedSteps(db: Db): Promise<QueuedStepsRow[]> {
  return (await db.query<QueuedStepsRow>(QUEUED_STEPS)).rows;
}

/**
 * When a queued step `q` with the row `s` of the task `t` became ready. The queue stores no times, because that would make
 * every step more expensive. The time follows from the task, the parents, the last attempt and the actions on the step.
 */
const READY_AT = `greatest(
               t.created_at, s.done_at, case when s.next_at <= now() then s.next_at end,
               (select max(p.done_at) from tasker.template_edge e join tasker.step p
                    on p.task_uuid = q.task_uuid and tasker.template_idx(p.idx) = e.parent
                 where e.template_id = q.template_id and e.child = tasker.template_idx(q.idx)),
               (select max(w.ended_at) from tasker.wait w where w.task_uuid = q.task_uuid and w.idx in (-1, q.idx)),
               (select max(a.at) from tasker.operator_action a where a.task_uuid = q.task_uuid and a.idx = q.idx))`;

// Sampled by hash, because the ids may have a pattern: the steps of one kind may have every second id.
const LOOK_AT_QUEUED = sql('look_at_queued_steps')`
select q.namespace_id "namespaceId", q.template_id "templateId", q.template_idx idx, count(*)::int looked,
       count(s.ready_at)::int live, tasker.iso(min(s.ready_at)) "firstAt"
  from unnest($1::int[], $2::int[]) n (namespace_id, every)
 cross join lateral (
   select n.namespace_id, id, task_uuid, idx, template_id, tasker.template_idx(idx) template_idx
     from (select * from tasker.queue q where q.namespace_id = any (${unpausedPartsOf('n.namespace_id')}) limit ${MOST_COUNTED}) x
    where abs(hashint8(id)::bigint) % n.every = 0 offset 0) q
  left join lateral (
   select ${READY_AT} ready_at
     from tasker.step s cross join lateral (select created_at from tasker.task x where x.task_uuid = s.task_uuid offset 0) t
    where s.task_uuid = q.task_uuid and s.idx = q.idx and s.state = 'enqueued' offset 0) s on true
 where (q.template_id::bigint << 32) | q.template_idx = any ($3::bigint[])
 group by 1, 2, 3`;

/** A sample of the queued steps that belong to one template step. */
export interface LookedAtRow {
  namespaceId: number;
  templateId: number;
  idx: number;
  /** Size of the sample. */
  looked: number;
  /** Number of live steps in the sample. The others were cancelled or resolved, and no claim has removed them yet. */
  live: number;
  /** When the first of them became ready. Null if there is none. */
  firstAt: string | null;
}

/** Samples the queued steps of these kinds: one of every `every` steps in each namespace. */
export async function lookAtQueued(
  db: Db,
  namespaces: readonly { namespaceId: number; every: number }[],
  kinds: readonly { templateId: number; idx: number }[],
): Promise<LookedAtRow[]> {
  const keys = kinds.map(({ templateId, idx }) => (BigInt(templateId) << 32n) | BigInt(idx));
  const values = [...columns(namespaces, 'namespaceId', 'every'), `{${keys.join(',')}}`];
  return (await db.query<LookedAtRow>(LOOK_AT_QUEUED, values)).rows;
}

// The ids of the queue ascend, so the first row of each priority has waited the longest. Rows of cancelled steps are
// skipped.
const QUEUE_HEADS = sql('queue_heads')`
with recursive ranks as (
  select n.id namespace_id, p.id part, (select min(rank) from tasker.queue q where q.namespace_id = p.id) rank
    from tasker.namespace n cross join lateral unnest(${unpausedPartsOf('n.id')}) p (id)
  union all
  select r.namespace_id, r.part, (select min(rank) from tasker.queue q where q.namespace_id = r.part and q.rank > r.rank)
    from ranks r where r.rank is not null),
heads as (
  select r.namespace_id, r.rank, h.ready_at
    from ranks r cross join lateral (
      select ${READY_AT} ready_at
        from (select id, task_uuid, idx, template_id from tasker.queue x
               where x.namespace_id = r.part and x.rank = r.rank order by x.id limit 1000) q
       cross join lateral (
         select done_at, next_at from tasker.step x
          where x.task_uuid = q.task_uuid and x.idx = q.idx and x.state = 'enqueued' offset 0) s
       cross join lateral (select created_at from tasker.task x where x.task_uuid = q.task_uuid offset 0) t
       order by q.id limit 1) h
   where r.rank is not null)
select namespace_id "namespaceId", -min(rank) priority, tasker.iso(min(ready_at)) "oldestAt",
       (extract(epoch from now() - min(ready_at)) * 1000)::float8 "oldestMs"
  from heads group by 1`;

/** The first steps of a namespace's queue. */
export interface QueueHeadRow {
  namespaceId: number;
  /** The highest priority of the waiting steps. */
  priority: number;
  /** When the step that has waited the longest became ready. */
  oldestAt: string;
  oldestMs: number;
}

/** Returns the highest priority and the longest wait of each namespace that has queued steps. */
export async function queueHeads(db: Db): Promise<QueueHeadRow[]> {
  return (await db.query<QueueHeadRow>(QUEUE_HEADS)).rows;
}

const WAITING_RETRIES = sql('waiting_retries')`
select m.namespace_id "namespaceId", sum(c.retries)::int retries, tasker.iso(min(c.due_at)) "nextAt",
       (extract(epoch from min(c.due_at) - now()) * 1000)::float8 "nextMs"
  from (select template_id, count(*) retries, min(due_at) due_at
          from (select template_id, due_at from tasker.timer order by due_at limit ${MOST_COUNTED}) x group by 1) c
  join tasker.template m on m.id = c.template_id
 group by 1`;

/** The waiting retries of a namespace. */
export interface WaitingRetriesRow {
  namespaceId: number;
  retries: number;
  nextAt: string;
  nextMs: number;
}

/**
 * Counts the waiting retries by namespace, up to 100,000 in all namespaces together, in the order in which they are
 * due.
 */
export async function waitingRetries(db: Db): Promise<WaitingRetriesRow[]> {
  return (await db.query<WaitingRetriesRow>(WAITING_RETRIES)).rows;
}

const TEMPLATE_NAMESPACES = sql('template_namespaces')`
select id, namespace_id "namespaceId" from tasker.template where id = any ($1::int[])`;

/** Returns the namespaces of templates. */
export async function templateNamespaces(db: Db, ids: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await db.query<{ id: number; namespaceId: number }>(TEMPLATE_NAMESPACES, [`{${ids.join(',')}}`]);
  return new Map(rows.map(({ id, namespaceId }) => [id, namespaceId]));
}

const OPEN_TASKS = sql('open_tasks')`
select n.name namespace, c.state::text, sum(c.tasks)::int tasks
  from (select template_id, state, count(*) tasks from tasker.task_search where done_at is null group by 1, 2) c
  join tasker.template m on m.id = c.template_id
  join tasker.namespace n on n.id = m.namespace_id
 group by 1, 2`;

/** The number of open tasks of a namespace in one state. */
export interface OpenTasksRow {
  namespace: string;
  state: string;
  tasks: number;
}

/** Counts the open tasks by namespace and state, from the search tables. */
export async function openTasks(db: Db): Promise<OpenTasksRow[]> {
  return (await db.query<OpenTasksRow>(OPEN_TASKS)).rows;
}

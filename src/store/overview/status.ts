import type { Db } from '../../db/statement.ts';
import { MOST_UNBEGUN, unbegun } from '../shown-state.ts';
import { sql } from '../sql.ts';

/** Rows of each kind are counted up to this number, so that a count takes a bounded time. */
export const COUNTED = 100_000;

/** The names of groups `g` of steps, by `template_id` and `idx`. */
export const STEP_NAMES = `
n.name namespace, m.name, m.version, d.name step, d.callable handler, d.resolver`;
export const JOIN_NAMES = `
  join tasker.template m on m.id = g.template_id join tasker.namespace n on n.id = m.namespace_id
  join tasker.template_step d on d.template_id = g.template_id and d.idx = g.idx`;

/** Ready steps that belong to one template step. */
export interface ReadyRow {
  namespace: string;
  name: string;
  version: string;
  step: string;
  /** The callable, and the resolver if the template names one. */
  handler: string;
  resolver: string | null;
  count: number;
  /** When the first of them became ready. Null if that was not requested. */
  first: string | null;
}

/**
 * Tasks that wait are counted up to this number, because there may be millions, and none of them needs a person. The metrics count
 * more of them.
 */
export const MOST_WAITING = 10_000;

/** One count for each state, because each count reads a range of an index in each template. */
const openCount = (state: string) => `
select '${state}' state, count(*)::int from (
  select 1 from tasker.template m cross join lateral (
    select 1 from tasker.task_search x where x.template_id = m.id and x.state = '${state}' limit ${mostOf(state)} offset 0) x
   limit ${mostOf(state)}) x`;

function mostOf(state: string): number {
  return state === 'waiting' || state === 'pending' ? MOST_WAITING : COUNTED * 10;
}

// The newest tasks, because older ones have probably begun.
const UNBEGUN = `
select 'unbegun' state, count(*)::int from (
  select x.task_uuid from tasker.template m cross join lateral (
    select x.task_uuid from tasker.task_search x where x.template_id = m.id and x.state = 'steps_in_process'
     order by x.created_at desc limit ${MOST_UNBEGUN} offset 0) x
   limit ${MOST_UNBEGUN}) x
 where ${unbegun('x.task_uuid')}`;

const OPEN_TASKS = sql('count_open_tasks')`
${['steps_in_process', 'waiting_for_retry', 'waiting', 'blocked_by_failures', 'waiting_for_dependencies', 'pending', 'undoing'].map(openCount).join('\nunion all')}
union all${UNBEGUN}`;

/**
 * Returns the number of open tasks by state, counting up to a million of each, and up to 10,000 that wait. Tasks without a
 * claimed step are `pending`: up to 10,000, the others are in `steps_in_process`. `exact` is false for a lower bound.
 */
export async function openTasks(db: Db): Promise<OpenTasksRow[]> {
  const { rows } = await db.query<{ state: string; count: number }>(OPEN_TASKS);
  const unbegun = rows.find(({ state }) => state === 'unbegun')!.count;
  const moved: Record<string, number> = { pending: unbegun, steps_in_process: -unbegun };
  return rows
    .filter(({ state }) => state !== 'unbegun')
    .map(({ state, count }) => {
      const all = count + (moved[state] ?? 0);
      return { state, count: Math.min(mostOf(state), Math.max(0, all)), exact: Math.max(count, all) < mostOf(state) };
    });
}

/** The open tasks in one state. */
export interface OpenTasksRow {
  state: string;
  count: number;
  /** False if there may be more. */
  exact: boolean;
}

const ATTENTION = sql('attention')`
select (select count(*)::int from (
          select 1 from tasker.task_watch w where w.rule is not null and exists (
            select 1 from tasker.task t where t.task_uuid = w.task_uuid and t.done_at is null offset 0) limit ${COUNTED}) x) stale,
       (select count(*)::int from (select 1 from tasker.event_dead limit ${COUNTED}) x) "deadDeliveries",
       (select count(*)::int from (select 1 from tasker.dead_letter where status = 'pending' limit ${COUNTED}) x) "deadLetters",
       tasker.iso(now()) now`;

/** Counts of problems that need an operator, except blocked tasks. */
export interface Attention {
  stale: number;
  deadDeliveries: number;
  deadLetters: number;
  /** The time of the database. */
  now: string;
}

/** Counts the tasks that exceed a limit of their lifecycle, the dead letters, and the dead deliveries of events. */
export async function attention(db: Db): Promise<Attention> {
  return (await db.query<Attention>(ATTENTION)).rows[0]!;
}

/**
 * Maximum number of the newest rows from which rates are computed, and of the tasks among them whose attempts are
 * counted.
 */
const NEWEST = 20_000;
const SAMPLED = 1_000;

const RATES = sql('rates')`
with created as (
  select count(*)::int n, min(at) first from (
    select created_at as at from tasker.task_search where created_at > now() - $1::int * interval '1 second'
     order by created_at desc limit ${NEWEST}) x),
ended as (
  select count(*)::int n, min(at) first from (
    select done_at as at from tasker.task_search where done_at > now() - $1::int * interval '1 second'
     order by done_at desc limit ${NEWEST}) x),
changed as materialized (
  select task_uuid, at from (
    (select task_uuid, done_at as at from tasker.task_search where done_at > now() - $1::int * interval '1 second'
      order by done_at desc limit ${NEWEST})
    union all
    (select task_uuid, updated_at from tasker.task_search where done_at is null and updated_at > now() - $1::int * interval '1 second'
      order by updated_at desc limit ${NEWEST})) x
   order by at desc limit ${NEWEST}),
sample as materialized (
  select task_uuid from (select task_uuid, row_number() over () i from changed) x
   where i % (select count(*) / ${SAMPLED} + 1 from changed) = 0),
attempts as (
  select count(*)::int n, (count(*) filter (where h.outcome in ('failed', 'worker_lost')))::int failed
    from sample cross join lateral (
      select h.outcome from tasker.history h where h.task_uuid = sample.task_uuid and h.ended_at > now() - $1::int * interval '1 second'
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
  /** Number of tasks that changed, and the number of tasks that were sampled. */
  sampled: number;
  changed: number;
  changedSeconds: number;
}

/** Returns the activity of the last `seconds`. Covers fewer seconds if there is too much to count. */
export async function rates(db: Db, seconds: number): Promise<Rates> {
  return (await db.query<Rates>(RATES, [seconds])).rows[0]!;
}

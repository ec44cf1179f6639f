import type { Db } from '../../db/statement.ts';
import type { Bucket } from '../../model/duration-histogram.ts';
import type { Periods } from '../../model/periods.ts';
import { columns, sql } from '../sql.ts';
import { ALL_STEPS_IDX, TASKS_IDX } from './aggregate.ts';

const STATE = sql('analytics_state')`
select tasker.iso(clock_timestamp()) now, tasker.iso(since) since, tasker.iso(counted_at) "countedAt" from tasker.analytics_state`;

/** The extent of the statistics. */
export interface AnalyticsState {
  /** The time of the database. */
  now: string;
  /** When counting began. */
  since: string;
  /** Everything that was committed before this time is counted. */
  countedAt: string;
}

/** Returns the extent of the statistics. */
export async function analyticsState(db: Db): Promise<AnalyticsState> {
  return (await db.query<AnalyticsState>(STATE)).rows[0]!;
}

const STEPS = sql('analytics_steps')`
select m.id "templateId", n.name namespace, m.name, m.version, d.idx, d.name step, d.callable handler
  from tasker.template m join tasker.namespace n on n.id = m.namespace_id
  join tasker.template_step d on d.template_id = m.id
 where ($1::text is null or n.name = $1) and ($2::text is null or m.name = $2)`;

/** A step of a snapshot. */
export interface SnapshotStep {
  templateId: number;
  namespace: string;
  name: string;
  version: string;
  idx: number;
  step: string;
  handler: string;
}

/** Returns the steps of all snapshots in a namespace or with a name. */
export async function snapshotSteps(
  db: Db,
  { namespace, name }: { namespace: string | null; name: string | null },
): Promise<SnapshotStep[]> {
  return (await db.query<SnapshotStep>(STEPS, [namespace, name])).rows;
}

// Reads the single days of a ten-day period that is not summed yet. The statement checks this, because a standby may
// not have the sums.
const periodsWhere = (
  condition: string,
) => `unnest($1::smallint[], $2::timestamptz[], $3::timestamptz[]) g (minutes, first, last)
  cross join lateral (
    select * from tasker.analytics x
     where x.minutes = case when g.minutes < 14400 or g.last <= (select ten_days_until from tasker.analytics_state)
                            then g.minutes else 1440 end
       and x.at >= g.first and x.at < g.last
       and ($4::int[] is null or x.template_id = any ($4)) and ${condition} offset 0) o`;
const PERIODS = periodsWhere('true');

const SUMS = sql('analytics_sums')`
select o.template_id "templateId", o.idx, sum(completed)::bigint completed, sum(failed)::bigint failed, sum(lost)::bigint lost,
       sum(cancelled)::bigint cancelled, sum(resolved)::bigint resolved, sum(released)::bigint released,
       sum(retried)::bigint retried, sum(gave_up)::bigint "gaveUp",
       sum(run_count)::bigint "runCount", sum(run_us)::bigint "runUs", min(run_min_us) "runMin", max(run_max_us) "runMax",
       sum(wait_count)::bigint "waitCount", sum(wait_us)::bigint "waitUs", min(wait_min_us) "waitMin", max(wait_max_us) "waitMax",
       tasker.iso(max(last_at)) "lastAt"
  from ${PERIODS} group by 1, 2`;

/** The sums of a step, of all steps of a template (`idx` -2), or of its tasks (-1). */
export interface SumsRow {
  templateId: number;
  idx: number;
  completed: number;
  failed: number;
  lost: number;
  cancelled: number;
  resolved: number;
  released: number;
  retried: number;
  gaveUp: number;
  runCount: number;
  runUs: number;
  runMin: number | null;
  runMax: number | null;
  waitCount: number;
  waitUs: number;
  waitMin: number | null;
  waitMax: number | null;
  lastAt: string;
}

/** The rows to read: periods, with each ten-day period listed separately, and templates (null means all). */
export interface AnalyticsPart {
  periods: readonly Periods[];
  templateIds: readonly number[] | null;
}

function values({ periods, templateIds }: AnalyticsPart): (string | null)[] {
  const iso = (time: number) => new Date(time).toISOString();
  return [
    ...columns(
      periods.map(({ minutes, from, to }) => ({ minutes, from: `"${iso(from)}"`, to: `"${iso(to)}"` })),
      'minutes',
      'from',
      'to',
    ),
    templateIds && `{${templateIds.join(',')}}`,
  ];
}

/** Returns the sums of some periods. */
export async function analyticsSums(db: Db, part: AnalyticsPart): Promise<SumsRow[]> {
  return (await db.query<SumsRow>(SUMS, values(part))).rows;
}

// Grouped by a single number, which is a third faster than grouping by part, kind and bucket. The lists are unnested in
// the select list, which is a fifth faster than a join. The slowest task is looked up here, because sorting all rows of
// the sums by their longest duration would take as long as the sums.
const HISTOGRAMS = sql('analytics_histograms')`
with o as materialized (
  select k.part, o.run_hist, o.wait_hist, case when o.run_max_us = k.run_max then o.slowest end slowest
    from ${PERIODS}
    join unnest($5::int[], $6::int[], $7::int[], $8::bigint[]) k (template_id, idx, part, run_max)
      on k.template_id = o.template_id and k.idx = o.idx)
select (key >> 10)::int part, case when key & 512 = 0 then 'run' else 'wait' end what, (key & 511)::int bucket,
       sum(e >> 9)::bigint count, null::uuid slowest
  from (select (part::bigint << 10) | (e & 511) key, e from (select part, unnest(run_hist) e from o offset 0) x
        union all
        select (part::bigint << 10) | 512 | (e & 511), e from (select part, unnest(wait_hist) e from o offset 0) x) x
 group by key
union all
select part, 'slowest', 0, 0, max(slowest::text)::uuid from o where slowest is not null group by part
 order by part, what, bucket`;

/** A row of statistics whose histogram is needed. The histograms of rows with the same `part` are summed. */
export interface HistogramKey {
  templateId: number;
  idx: number;
  part: number;
  /** The longest duration in the part, as in the sums. */
  runMax: number | null;
}

/** The histograms of one part, and the task of its longest duration. */
export interface HistogramPart {
  run: Bucket[];
  wait: Bucket[];
  slowest: string | null;
}

interface HistogramRow extends Bucket {
  part: number;
  what: 'run' | 'wait' | 'slowest';
  slowest: string | null;
}

/** Returns histograms by part. */
export async function analyticsHistograms(
  db: Db,
  part: AnalyticsPart,
  keys: readonly HistogramKey[],
): Promise<Map<number, HistogramPart>> {
  const { rows } = await db.query<HistogramRow>(HISTOGRAMS, [
    ...values(part),
    ...columns(keys, 'templateId', 'idx', 'part', 'runMax'),
  ]);
  const found = new Map<number, HistogramPart>();
  for (const { part, what, bucket, count, slowest } of rows) {
    const one = found.get(part) ?? { run: [], wait: [], slowest: null };
    found.set(part, one);
    if (what === 'slowest') one.slowest = slowest;
    else one[what].push({ bucket, count });
  }
  return found;
}

const TIMELINE = sql('analytics_timeline')`
select tasker.iso(o.at) at,
       coalesce(sum(completed + resolved) filter (where idx = ${TASKS_IDX}), 0)::bigint "tasksCompleted",
       coalesce(sum(failed + cancelled) filter (where idx = ${TASKS_IDX}), 0)::bigint "tasksNotCompleted",
       coalesce(sum(completed) filter (where idx = ${ALL_STEPS_IDX}), 0)::bigint "attemptsCompleted",
       coalesce(sum(failed + lost) filter (where idx = ${ALL_STEPS_IDX}), 0)::bigint "attemptsFailed"
  from ${periodsWhere('x.idx < 0')} group by o.at`;

/** The sums of a period. */
export interface TimelineRow {
  at: string;
  tasksCompleted: number;
  tasksNotCompleted: number;
  attemptsCompleted: number;
  attemptsFailed: number;
}

/** Returns the sums of each period. */
export async function analyticsTimeline(db: Db, part: AnalyticsPart): Promise<TimelineRow[]> {
  return (await db.query<TimelineRow>(TIMELINE, values(part))).rows;
}

/**
 * Open tasks are counted up to one of these numbers for each template and state. The limit is lower if there are many
 * templates.
 */
const MOST_OPEN = 10_000;
const LEAST_OPEN = 1_000;
/** Number of open tasks of one state to count in all templates together, if that allows more than `LEAST_OPEN` of each. */
const OPEN_OF_ALL = 50_000;

// One count for each template and state, because each reads a range of an index. The order makes the planner use it.
const OPEN = sql('analytics_open_tasks')`
select m.id "templateId", s.state::text, c.n::int count
  from unnest($1::int[]) m (id)
 cross join unnest('{pending,steps_in_process,waiting_for_retry,waiting,blocked_by_failures,undoing}'::tasker.task_state[]) s (state)
 cross join lateral (
   select count(*) n from (
     select 1 from tasker.task_search x where x.template_id = m.id and x.state = s.state
      order by x.created_at, x.task_uuid limit $2::int) y) c
 where c.n > 0`;

/** Number of open tasks of a template in a state. */
export interface OpenCount {
  templateId: number;
  state: 'pending' | 'steps_in_process' | 'waiting_for_retry' | 'waiting' | 'blocked_by_failures' | 'undoing';
  count: number;
  /** False if there are at least `count`. */
  isExact: boolean;
}

/**
 * Returns the number of open tasks of templates: at most 10,000 of each state, or fewer if there are many templates.
 */
export async function openTasksOf(db: Db, templateIds: readonly number[]): Promise<OpenCount[]> {
  const share = Math.floor(OPEN_OF_ALL / Math.max(1, templateIds.length));
  const most = Math.min(MOST_OPEN, Math.max(LEAST_OPEN, share));
  const { rows } = await db.query<Omit<OpenCount, 'isExact'>>(OPEN, [`{${templateIds.join(',')}}`, most]);
  return rows.map((row) => ({ ...row, isExact: row.count < most }));
}

/** Running attempts are read up to this number of a template, and in all templates together, the oldest first. */
const MOST_RUNNING = 1_000;
const MOST_RUNNING_OF_ALL = 10_000;

// The search tables list the running steps, and may be behind. Each row is therefore compared with the step.
const RUNNING = sql('analytics_running_attempts')`
select q.template_id "templateId", tasker.template_idx(q.idx) idx, q.task_uuid "taskUuid",
       (extract(epoch from now() - s.started_at) * 1000000)::bigint us
  from (
    select r.* from tasker.template m cross join lateral (
      select x.template_id, x.task_uuid, x.idx from tasker.step_search x
       where x.template_id = m.id and x.state = 'in_progress' order by x.since limit ${MOST_RUNNING} offset 0) r
     where $1::int[] is null or m.id = any ($1) limit ${MOST_RUNNING_OF_ALL}) q
 cross join lateral (
   select started_at from tasker.step x
    where x.task_uuid = q.task_uuid and x.idx = q.idx and x.state = 'in_progress' offset 0) s`;

/** An attempt that runs now. */
export interface RunningAttempt {
  templateId: number;
  idx: number;
  taskUuid: string;
  /** How long it has been running, in microseconds. */
  us: number;
}

/** Returns the running attempts of templates; null means of all. */
export async function runningAttempts(db: Db, templateIds: readonly number[] | null): Promise<RunningAttempt[]> {
  const { rows } = await db.query<RunningAttempt>(RUNNING, [templateIds && `{${templateIds.join(',')}}`]);
  return rows;
}

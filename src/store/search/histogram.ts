import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';
import { type TaskSearch, taskConditions, Values } from './conditions.ts';
import { failureTimes } from './summarize.ts';

/** The text of this statement is built for each search. */
const TASK_HISTOGRAM = sql('task_histogram')``;

/** Seconds that a bucket may have: round numbers of a clock, up to a year of 52 weeks. */
const WIDTHS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400,
  172_800, 604_800, 2_419_200, 31_449_600,
];

/** The subject, the buckets and the time of a histogram. */
export interface HistogramSlice {
  /** Tasks by their creation, or failed steps by the time of their failure. */
  by: 'created' | 'failed';
  buckets: number;
  /** Maximum number of the newest items to count. */
  most: number;
  /**
   * The limits of the time range. Null means the oldest counted item, and now. The search of tasks has the same
   * conditions.
   */
  after: string | null;
  before: string | null;
}

/** The number of tasks or steps in a part of the time range. */
export interface HistogramRow {
  /** The beginning of the bucket. Null if nothing was found, and the row has only the other columns. */
  at: string | null;
  total: number;
  failed: number;
  open: number;
  widthSeconds: number;
  from: string;
  to: string;
  /** Total number of tasks or steps found. */
  found: number;
}

/** Counts by time. Empty buckets are omitted. */
export async function taskHistogram(db: Db, search: TaskSearch, slice: HistogramSlice): Promise<HistogramRow[]> {
  const values = new Values();
  const source =
    slice.by === 'failed'
      ? `select f.at, true failed, false open from (${failureTimes(search, values)}) f where ${within(slice, values)}`
      : `select p.created_at at, p.state in ('error', 'blocked_by_failures') failed,
                p.done_at is null and p.state <> 'blocked_by_failures' open
           from tasker.task_search p where ${conditionsOf(search, values)}`;
  const buckets = values.add(slice.buckets, 'int');
  const text = `
with found as materialized (${source} order by at desc limit ${slice.most}),
span as (
  select count(*)::int found, coalesce(${values.add(slice.after, 'timestamptz')}, min(at), now() - interval '1 hour') lo,
         coalesce(${values.add(slice.before, 'timestamptz')}, now()) hi from found),
width as (
  select s.*, coalesce((select min(w) from unnest(${values.numbers(WIDTHS, 'int[]')}) w
                         where w::float8 * (${buckets} - 1) >= extract(epoch from s.hi - s.lo)), ${WIDTHS.at(-1)}) w from span s),
counted as (
  select date_bin(make_interval(secs => x.w), f.at, timestamptz '2001-01-01 00:00Z') at, count(*)::int total,
         count(*) filter (where f.failed)::int failed, count(*) filter (where f.open)::int open
    from found f cross join width x group by 1)
select tasker.iso(c.at) at, coalesce(c.total, 0) total, coalesce(c.failed, 0) failed, coalesce(c.open, 0) open,
       x.w "widthSeconds", tasker.iso(date_bin(make_interval(secs => x.w), x.lo, timestamptz '2001-01-01 00:00Z')) "from",
       tasker.iso(x.hi) "to", x.found
  from width x left join counted c on true order by c.at`;
  return (await db.query<HistogramRow>(made(TASK_HISTOGRAM, text), values.list)).rows;
}

function conditionsOf(search: TaskSearch, values: Values): string {
  return [...taskConditions(search, values).values()].map((condition) => condition()).join(' and ') || 'true';
}

function within({ after, before }: HistogramSlice, values: Values): string {
  const ends = [];
  if (after !== null) ends.push(`f.at >= ${values.add(after, 'timestamptz')}`);
  if (before !== null) ends.push(`f.at < ${values.add(before, 'timestamptz')}`);
  return ends.join(' and ') || 'true';
}

import { isStatementTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { TaskSearch } from '../../store/search/conditions.ts';
import { type HistogramRow, type HistogramSlice, taskHistogram } from '../../store/search/histogram.ts';
import { clockFor } from './clock.ts';
import { readTaskFilter, type SearchTime, type TaskFilter, timeOf } from './filter.ts';

/** The options of a histogram. */
export interface HistogramOptions {
  /** `created`: tasks by their creation. `failed`: failed steps of open tasks by the time of their failure. */
  by: 'created' | 'failed';
  /** Maximum number of buckets. */
  buckets: number;
  /** With `failed`: only failures since then. */
  since?: SearchTime | undefined;
}

/** Numbers of tasks or failed steps by time. */
export interface Histogram {
  from: string;
  to: string;
  bucketMs: number;
  /** False if only tasks since `from` are counted, although there are earlier ones. */
  complete: boolean;
  total: number;
  /** Empty buckets are omitted. */
  buckets: { at: string; total: number; failed: number; open: number }[];
}

/** Counts at most this many of the newest tasks. Counting them takes about 0.1 s. */
const MOST = 100_000;
const STATEMENT_MS = 1_000;
const READING = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  work_mem: '32MB',
  max_parallel_workers_per_gather: '0',
  statement_timeout: `${STATEMENT_MS}ms`,
});
/** The periods that are counted if counting all takes too long. */
const SMALLER = [24 * 3_600_000, 3_600_000, 300_000];

/** Counts the tasks that a filter finds by time. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function histogramOf(
  database: Database,
  filter: TaskFilter,
  { by, buckets, since }: HistogramOptions,
): Promise<Histogram> {
  const now = await clockFor(database, since);
  const after = by === 'failed' ? timeOf(since, 'since', now) : null;
  const search = await readTaskFilter(database, filter);
  const time = new Date(now).toISOString();
  const nothing = { from: after ?? time, to: time, bucketMs: 1000, complete: true, total: 0, buckets: [] };
  if (!search) return nothing;
  const slice: HistogramSlice =
    by === 'failed'
      ? { by, buckets, most: MOST + 1, after, before: null }
      : { by, buckets, most: MOST + 1, after: search.createdAfter, before: search.createdBefore };
  for (const ms of [undefined, ...SMALLER]) {
    const rows = await read(
      database,
      search,
      ms === undefined ? slice : { ...slice, after: later(slice.after, now - ms) },
    );
    if (rows) return viewOf(rows, ms === undefined);
  }
  return { ...nothing, complete: false };
}

function later(time: string | null, ms: number): string {
  return time !== null && Date.parse(time) > ms ? time : new Date(ms).toISOString();
}

/** Returns null if the query took too long. */
async function read(database: Database, search: TaskSearch, slice: HistogramSlice): Promise<HistogramRow[] | null> {
  const own = slice.by === 'created' ? { ...search, createdAfter: slice.after } : search;
  try {
    return await database.pipeline(READING, (tx) => taskHistogram(tx, own, slice));
  } catch (error) {
    if (isStatementTimeout(error)) return null;
    throw error;
  }
}

function viewOf(rows: readonly HistogramRow[], whole: boolean): Histogram {
  const { from, to, widthSeconds, found } = rows[0]!;
  return {
    from,
    to,
    bucketMs: widthSeconds * 1000,
    complete: whole && found <= MOST,
    total: Math.min(found, MOST),
    buckets: rows.flatMap(({ at, total, failed, open }) => (at === null ? [] : [{ at, total, failed, open }])),
  };
}

import { isStatementTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { ENDED_STATES, TASK_STATES } from '../../model/states.ts';
import type { ReadyRow } from '../../store/overview/status.ts';
import type { TaskSearch } from '../../store/search/conditions.ts';
import { searchLag } from '../../store/search/projection.ts';
import { type SnapshotName, templateIds } from '../../store/search/search-facts.ts';
import {
  countByState,
  countUnbegun,
  groupSteps,
  type StateCount,
  type StepGroupRow,
} from '../../store/search/summarize.ts';
import type { TaskState } from '../task-view.ts';
import { clockFor } from './clock.ts';
import { readTaskFilter, type SearchTime, type TaskFilter, timeOf } from './filter.ts';
import { filterOfGroup } from './group-filter.ts';

/** Options of a summary. */
export interface SummaryOptions {
  /**
   * Ended tasks are counted only if they ended since then: ISO 8601, or an age such as `24h`. Default: all are counted.
   */
  endedSince?: SearchTime | undefined;
  /** Maximum number of groups of each kind, from 1 to 1000. Default 100. */
  groups?: number | undefined;
}

/** Number of tasks by state. States without tasks are omitted. */
export type StateCounts = Partial<Record<TaskState, number>>;

/** The tasks of one template version. */
export interface TemplateCounts {
  namespace: string;
  name: string;
  version: string;
  counts: StateCounts;
}

/** Steps that failed in the same way, or that wait for a retry after the same failure. */
export interface FailureGroup {
  namespace: string;
  name: string;
  version: string;
  step: string;
  handler: string;
  /** Number of steps. */
  count: number;
  errorType: string | null;
  /** The first line of the error with `*` in place of numbers, ids and quoted text. */
  pattern: string | null;
  /** The first line of the error of `taskUuid`. */
  error: string | null;
  /** One of the tasks. */
  taskUuid: string;
  /**
   * For failed steps: when the first and the last of them failed. For steps that wait: when the first and the last
   * retry are due.
   */
  firstAt: string;
  lastAt: string;
  /** The filter that finds the tasks of this group, for lists and bulk actions. */
  filter: TaskFilter;
}

/** The largest groups of steps. */
export interface StepGroups<Group> {
  /** Number of steps in all groups. */
  steps: number;
  groups: Group[];
  /** Number of groups that are not listed. */
  moreGroups: number;
  /** True if grouping took too long. Then no groups are known. */
  timedOut: boolean;
}

/** The part of a summary that comes from the database. */
export interface SummaryFacts {
  templates: TemplateCounts[];
  /** Totals of all templates. */
  states: StateCounts;
  /**
   * The time since which tasks are counted: open ones by their creation, others by their end. Null if all are counted.
   */
  openSince: string | null;
  endedSince: string | null;
  failed: StepGroups<FailureGroup>;
  waitingForRetry: StepGroups<FailureGroup>;
  /** Null if grouping took too long. */
  ready: ReadyRow[] | null;
  lagMs: number;
}

/** If a part takes longer than this, it is tried again for a shorter period, or omitted. */
const STATEMENT_MS = 1_000;
/** The periods that are counted if counting all takes too long. */
const SMALLER = [24 * 3_600_000, 3_600_000];
const COUNTING = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  // There are fewer groups than the planner expects, so hashing them is faster.
  enable_incremental_sort: 'off',
  work_mem: '32MB',
  // A summary must not take the processors that the workers need.
  max_parallel_workers_per_gather: '0',
  statement_timeout: `${STATEMENT_MS}ms`,
});
const ENDED: ReadonlySet<string> = new Set(ENDED_STATES);

/** Counts the tasks that a filter finds, and groups their failures. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function summarize(
  database: Database,
  filter: TaskFilter,
  { endedSince, groups = 100 }: SummaryOptions = {},
): Promise<SummaryFacts> {
  if (!Number.isInteger(groups) || groups < 1 || groups > 1000) {
    throw new TaskerError('bad_request', `groups must be a whole number from 1 to 1000, got ${groups}`);
  }
  const since = timeOf(endedSince, 'endedSince', await clockFor(database, endedSince));
  const [lagMs, names, search] = await Promise.all([
    searchLag(database),
    templateIds(database, { namespace: null, name: null }),
    readTaskFilter(database, filter),
  ]);
  if (!search) return { ...EMPTY, lagMs };
  const which = kindsOf(search);
  // The longest query first, because a command has only two connections.
  const [steps, open, ended] = await Promise.all([
    bounded(database, (tx) => groupSteps(tx, search, { ended: !which.open, limit: groups })),
    which.open ? countOpen(database, { ...search, ended: false }) : NOTHING,
    which.ended ? count(database, endedAfter(search, since), 'endedAfter') : NOTHING,
  ]);
  const templates = byTemplate([...open.counts, ...ended.counts], names);
  const grouping = { filter, names, timedOut: steps === null };
  const inState = (state: StepGroupRow['state']) => (steps ?? []).filter((row) => row.state === state);
  return {
    templates,
    states: totalsOf(templates),
    openSince: open.since,
    endedSince: ended.since ?? (which.ended ? since : null),
    failed: groupsOf(inState('error'), grouping),
    waitingForRetry: groupsOf(inState('waiting_for_retry'), grouping),
    ready: steps === null ? null : inState('enqueued'),
    lagMs,
  };
}

const NO_GROUPS = { steps: 0, groups: [], moreGroups: 0, timedOut: false };
const EMPTY = {
  templates: [],
  states: {},
  openSince: null,
  endedSince: null,
  failed: NO_GROUPS,
  waitingForRetry: NO_GROUPS,
  ready: [],
};

/** Returns whether the search can find open tasks, and whether it can find ended tasks. */
function kindsOf({ ended, states, stale, endedAfter, endedBefore }: TaskSearch): { open: boolean; ended: boolean } {
  const byEnd = endedAfter !== null || endedBefore !== null;
  return {
    open: ended !== true && !byEnd && (states?.some((state) => !ENDED.has(state)) ?? true),
    ended: ended !== false && !stale && (states?.some((state) => ENDED.has(state)) ?? true),
  };
}

/** Adds the known limit on the end of a task, so that the scan of the index by end stops there. */
function endedAfter(search: TaskSearch, since: string | null): TaskSearch {
  return { ...search, ended: true, endedAfter: latest(search.endedAfter, search.createdAfter, since) };
}

function latest(...times: readonly (string | null)[]): string | null {
  return times.reduce((a, b) => (a === null || (b !== null && Date.parse(b) > Date.parse(a)) ? b : a), null);
}

interface Counted {
  counts: readonly StateCount[];
  /** Only tasks since then are counted, because counting more would take too long. Null if all are counted. */
  since: string | null;
}

const NOTHING: Counted = { counts: [], since: null };

/** Counts open tasks by state. A task of which no step has been claimed counts as `pending`, as in lists. */
async function countOpen(database: Database, search: TaskSearch): Promise<Counted> {
  const counted = await count(database, search, 'createdAfter');
  if (!counted.counts.some(({ state }) => state === 'steps_in_process')) return counted;
  const among = { ...search, createdAfter: latest(search.createdAfter, counted.since) };
  const unbegun = (await bounded(database, (tx) => countUnbegun(tx, among))) ?? [];
  const moved = unbegun.flatMap(({ templateId, count }): StateCount[] => [
    { templateId, state: 'steps_in_process', count: -count },
    { templateId, state: 'pending', count },
  ]);
  return { ...counted, counts: [...counted.counts, ...moved] };
}

/** Counts all tasks of a search, or only those of the last day or hour if that takes too long. */
async function count(database: Database, search: TaskSearch, by: 'createdAfter' | 'endedAfter'): Promise<Counted> {
  const counts = await bounded(database, (tx) => countByState(tx, search));
  if (counts) return { counts, since: null };
  const now = Date.now();
  for (const ms of SMALLER) {
    const since = latest(search[by], new Date(now - ms).toISOString());
    const some = await bounded(database, (tx) => countByState(tx, { ...search, [by]: since }));
    if (some) return { counts: some, since };
  }
  return { counts: [], since: new Date(now).toISOString() };
}

/** Returns null if the query took too long. */
async function bounded<Rows>(database: Database, run: (tx: Db) => Promise<Rows>): Promise<Rows | null> {
  try {
    return await database.pipeline(COUNTING, run);
  } catch (error) {
    if (isStatementTimeout(error)) return null;
    throw error;
  }
}

function byTemplate(counts: readonly StateCount[], names: readonly SnapshotName[]): TemplateCounts[] {
  const nameOf = new Map(names.map((name) => [name.id, name]));
  const found = new Map<string, TemplateCounts>();
  for (const { templateId, state, count } of counts) {
    const snapshot = nameOf.get(templateId);
    if (!snapshot || count === 0) continue;
    const { namespace, name, version } = snapshot;
    const key = `${namespace}/${name}@${version}`;
    const row = found.get(key) ?? { namespace, name, version, counts: {} };
    found.set(key, row);
    row.counts[state as TaskState] = (row.counts[state as TaskState] ?? 0) + count;
  }
  const blocked = (row: TemplateCounts) => row.counts.blocked_by_failures ?? 0;
  const all = ({ counts }: TemplateCounts) => Object.values(counts).reduce((sum, number) => sum + number, 0);
  for (const { counts } of found.values()) {
    // A task may have begun between the two counts.
    for (const state of TASK_STATES) if ((counts[state] ?? 0) <= 0) delete counts[state];
  }
  return [...found]
    .sort(([a, x], [b, y]) => blocked(y) - blocked(x) || all(y) - all(x) || (a < b ? -1 : 1))
    .map(([, row]) => row);
}

function totalsOf(templates: readonly TemplateCounts[]): StateCounts {
  const totals: StateCounts = {};
  for (const { counts } of templates) {
    for (const [state, number] of Object.entries(counts)) {
      totals[state as TaskState] = (totals[state as TaskState] ?? 0) + number;
    }
  }
  return totals;
}

/** The context of groups, apart from their rows. */
interface Grouping {
  filter: TaskFilter;
  names: readonly SnapshotName[];
  timedOut: boolean;
}

function groupsOf(rows: readonly StepGroupRow[], { filter, names, timedOut }: Grouping): StepGroups<FailureGroup> {
  const [first] = rows;
  if (!first) return { ...NO_GROUPS, timedOut };
  const groups = rows.map((row): FailureGroup => {
    const { namespace, name, version, step, handler, count, errorType, pattern, error, taskUuid } = row;
    const own = { namespace, name, version, step, handler, count, errorType, pattern, error, taskUuid };
    return { ...own, firstAt: row.first, lastAt: row.last, filter: filterOfGroup(row, { filter, names, rows }) };
  });
  return { steps: first.total, groups, moreGroups: first.groups - rows.length, timedOut };
}

import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { type Durations, PERCENTILE_ERROR } from '../../model/duration-histogram.ts';
import { nearNames } from '../../model/near-names.ts';
import { periodsOf, pointAt, pointsOf, type StatisticsWindow, windowOf } from '../../model/periods.ts';
import {
  type AnalyticsState,
  analyticsHistograms,
  analyticsState,
  analyticsSums,
  analyticsTimeline,
  openTasksOf,
  runningAttempts,
  type SnapshotStep,
  snapshotSteps,
} from '../../store/analytics/read.ts';
import { OVERVIEW_PLANS } from '../../store/planner.ts';
import { type SearchTime, timeOf } from '../search/filter.ts';
import { versionMatcher } from '../search/version-range.ts';
import {
  type AnalyticsSort,
  layoutOf,
  numbersOf,
  type OpenTasks,
  type StepAnalytics,
  type StepNumbers,
  type TaskNumbers,
  type TemplateAnalytics,
} from './numbers.ts';
import { recommend } from './recommend.ts';
import { addRunning, longRunning, withRunning } from './still-running.ts';

export type { AnalyticsSort, Durations, OpenTasks, StepAnalytics, StepNumbers, TaskNumbers, TemplateAnalytics };

const SORTS: readonly AnalyticsSort[] = ['time', 'duration', 'queueing', 'failures', 'count'];
const OPTIONS = [
  'namespace',
  'namespaces',
  'name',
  'templateVersion',
  'step',
  'since',
  'until',
  'sort',
  'limit',
] as const;

/** Which statistics to return. */
export interface AnalyticsOptions {
  namespace?: string | undefined;
  /** Only these namespaces. */
  namespaces?: readonly string[] | undefined;
  /** The name of a template. */
  name?: string | undefined;
  /** A version, or a range such as `1.x` or `>=1.2.0 <2.0.0`. */
  templateVersion?: string | undefined;
  /** The name of a step. The task counts then cover all tasks of the templates with that step. */
  step?: string | undefined;
  /** The start of the window: ISO 8601, or an age such as `24h`. Default `1h`. Rounded down to a whole minute. */
  since?: SearchTime | undefined;
  /** The end of the window. Default: now. */
  until?: SearchTime | undefined;
  /**
   * `time` (default): by the total running and queued time of all attempts. `duration`: by their average running time.
   * `queueing`: by their average queueing time. `failures`: by the number of failed and lost attempts. `count`: by the
   * number of attempts. The largest first.
   */
  sort?: AnalyticsSort | undefined;
  /** Maximum number of templates, and of steps, from 1 to 1000. Default 20. */
  limit?: number | undefined;
}

/** A point of a chart. */
export interface AnalyticsPoint {
  /** The start of the point. */
  at: string;
  tasksCompleted: number;
  /** Ended in `error`, or cancelled. */
  tasksNotCompleted: number;
  attemptsCompleted: number;
  /** Failed or lost. */
  attemptsFailed: number;
}

/**
 * Statistics of a time window, as `tasker.analytics` returns them. Times are ISO 8601, by the clock of the database.
 */
export interface Analytics {
  /**
   * The window, in whole minutes. If the window begins or ends more than two days ago, it is extended to whole hours,
   * and after 90 days to whole days (UTC). Shorter periods are not kept.
   */
  from: string;
  /** The end of the window, exclusive. */
  to: string;
  /** When counting began. Earlier attempts are not counted. */
  countedSince: string;
  /** All attempts that were committed before this time are counted. */
  countedUntil: string;
  /** The largest relative error of a percentile. All other numbers are exact. */
  percentileError: number;
  tasks: TaskNumbers;
  steps: StepNumbers;
  /** The open tasks now. Null if the window ended in the past, or this process does not use the search tables. */
  open: OpenTasks | null;
  /** Sorted as requested. */
  templates: TemplateAnalytics[];
  /** Templates that are not listed. */
  moreTemplates: number;
  /** Sorted as requested. With `time`, the bottlenecks come first. */
  slowSteps: StepAnalytics[];
  /** Steps that are not listed. */
  moreSteps: number;
  /** The window in at most 62 points, from the oldest to the newest. */
  timeline: AnalyticsPoint[];
  /** Minutes from a point to the next. */
  timelineMinutes: number;
  /** Advice to the operator, in sentences. */
  recommendations: string[];
}

/** Maximum number of templates whose open tasks are counted individually. */
const OPEN_COUNTED = 2_000;
const HOUR_MS = 3_600_000;

const READING = opening({ ...OVERVIEW_PLANS, work_mem: '16MB', statement_timeout: '10s' });

/** Returns statistics. `withNow`: also reads open tasks and running attempts, from the search tables. @throws TaskerError `bad_request`, `template_not_found`, `step_not_found` */
export async function readAnalytics(
  database: Database,
  options: AnalyticsOptions,
  { withNow }: { withNow: boolean },
): Promise<Analytics> {
  const { namespace = null, name = null, limit = 20, sort = 'time' } = checked(options);
  const [state, all] = await Promise.all([analyticsState(database), snapshotSteps(database, { namespace, name })]);
  const steps = chosenSteps(all, options);
  if (steps.length === 0 && isFiltered(options)) throw await notFound(database, options, all);
  const now = Date.parse(state.now);
  const window = windowFrom(options, state);
  const templateIds = isFiltered(options) ? [...new Set(steps.map((one) => one.templateId))] : null;
  const points = pointsOf(window, now);
  const part = { periods: periodsOf(window), templateIds };
  const chart = { periods: periodsOf(window, points.longest), templateIds };
  const openIds = templateIds ?? [...new Set(steps.map((one) => one.templateId))].slice(0, OPEN_COUNTED);
  // Current numbers say nothing about a window that ended in the past.
  const reachesNow = window.to > now;
  const [sums, timeline, open, running] = await database.pipeline(READING, (tx) =>
    Promise.all([
      analyticsSums(tx, part),
      analyticsTimeline(tx, chart),
      withNow && reachesNow ? openTasksOf(tx, openIds) : null,
      withNow && reachesNow ? runningAttempts(tx, templateIds) : [],
    ]),
  );
  const hours = (Math.min(window.to, now) - window.from) / HOUR_MS;
  const long = longRunning(running, sums);
  const view = { rows: withRunning(sums, long), steps, open, hours, sort, limit, only: options.step };
  const layout = layoutOf(view);
  const histograms = await database.pipeline(READING, (tx) => analyticsHistograms(tx, part, layout.keys));
  addRunning(histograms, layout, long);
  const shown = numbersOf(layout, histograms, view);
  const chartRows = Array.from({ length: points.count }, (_, i) =>
    emptyPoint(points.origin + i * points.minutes * 60_000),
  );
  for (const row of timeline) {
    const point = chartRows[pointAt(Date.parse(row.at), points)]!;
    point.tasksCompleted += row.tasksCompleted;
    point.tasksNotCompleted += row.tasksNotCompleted;
    point.attemptsCompleted += row.attemptsCompleted;
    point.attemptsFailed += row.attemptsFailed;
  }
  return {
    from: new Date(window.from).toISOString(),
    to: new Date(window.to).toISOString(),
    countedSince: state.since,
    countedUntil: state.countedAt,
    percentileError: PERCENTILE_ERROR,
    ...shown,
    timeline: chartRows,
    timelineMinutes: points.minutes,
    recommendations: recommend(shown),
  };
}

function checked(options: AnalyticsOptions): AnalyticsOptions {
  const { limit = 20, sort = 'time' } = options;
  for (const key of Object.keys(options)) {
    if ((OPTIONS as readonly string[]).includes(key)) continue;
    const near = nearNames(key, OPTIONS, 1)[0];
    const hint = near ? `did you mean ${near}?` : `the options are ${OPTIONS.join(', ')}`;
    throw new TaskerError('bad_request', `statistics have no option ${key}; ${hint}`);
  }
  for (const key of ['namespace', 'name', 'templateVersion', 'step'] as const) {
    if (options[key] === undefined || typeof options[key] === 'string') continue;
    throw new TaskerError('bad_request', `${key} must be a string`);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  if (!SORTS.includes(sort)) {
    throw new TaskerError('bad_request', `sort must be one of ${SORTS.join(', ')}, got ${String(sort)}`);
  }
  return options;
}

function isFiltered({ namespace, namespaces, name, templateVersion, step }: AnalyticsOptions): boolean {
  return (namespace ?? namespaces ?? name ?? templateVersion ?? step) !== undefined;
}

/** Returns the steps of the chosen templates. */
function chosenSteps(all: readonly SnapshotStep[], options: AnalyticsOptions): SnapshotStep[] {
  const { namespaces, templateVersion, step } = options;
  const matches = templateVersion === undefined ? () => true : versionMatcher(templateVersion);
  const found = all.filter((one) => matches(one.version) && (namespaces?.includes(one.namespace) ?? true));
  if (step === undefined || found.length === 0) return found;
  const having = new Set(found.filter((one) => one.step === step).map((one) => one.templateId));
  if (having.size > 0) return found.filter((one) => having.has(one.templateId));
  const names = [...new Set(found.map((one) => one.step))];
  const near = nearNames(step, names);
  throw new TaskerError(
    'step_not_found',
    `no template has a step ${step}; ${near.length > 0 ? `did you mean ${near.join(' or ')}?` : `the steps are ${names.slice(0, 20).join(', ')}`}`,
  );
}

/**
 * Returns the error for options that match no template. `all`: the steps of templates that match everything except the
 * version.
 */
async function notFound(
  database: Database,
  { namespace, namespaces, name, templateVersion }: AnalyticsOptions,
  all: readonly SnapshotStep[],
): Promise<TaskerError> {
  if (namespaces !== undefined)
    return new TaskerError('template_not_found', `no matching template is registered in ${namespaces.join(', ')}`);
  const text = (parts: { namespace?: string | undefined; name?: string | undefined }) =>
    [parts.namespace, parts.name].filter((part) => part !== undefined).join('/');
  const wanted = text({ namespace, name });
  if (all.length > 0) {
    const versions = [...new Set(all.map((one) => one.version))].slice(0, 10);
    const hint = `registered: ${versions.join(', ')}`;
    return new TaskerError('template_not_found', `no version ${templateVersion} of ${wanted || 'a template'}; ${hint}`);
  }
  const others = await snapshotSteps(database, { namespace: null, name: null });
  const names = new Set(
    others.flatMap((one) => (name === undefined ? [one.namespace] : [text(one), ...(namespace ? [] : [one.name])])),
  );
  const near = nearNames(wanted, [...names]);
  const what = name === undefined ? `no template of namespace ${wanted}` : `no template ${wanted}`;
  const hint =
    near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '; `tasker template list` lists the templates';
  return new TaskerError('template_not_found', `${what} is registered${hint}`);
}

function windowFrom({ since, until }: AnalyticsOptions, state: AnalyticsState): StatisticsWindow {
  const now = Date.parse(state.now);
  const from = Date.parse(timeOf(since ?? '1h', 'since', now)!);
  const to = until === undefined ? now : Date.parse(timeOf(until, 'until', now)!);
  if (from >= to) {
    throw new TaskerError('bad_request', 'since must be before until; without until, it must be in the past');
  }
  // There are no statistics from before counting began. An attempt may have ended slightly earlier.
  const first = Date.parse(state.since) - HOUR_MS;
  const window = windowOf({ from: Math.max(from, Math.min(first, to - 60_000)), to: Math.min(to, now + HOUR_MS), now });
  return window.from < window.to ? window : { from: window.from, to: window.from + 60_000 };
}

function emptyPoint(at: number): AnalyticsPoint {
  return {
    at: new Date(at).toISOString(),
    tasksCompleted: 0,
    tasksNotCompleted: 0,
    attemptsCompleted: 0,
    attemptsFailed: 0,
  };
}

import { addBuckets, type Bucket, type Durations, durationsOf } from '../../model/duration-histogram.ts';
import { grouped } from '../../model/grouped.ts';
import type { HistogramKey, HistogramPart, OpenCount, SnapshotStep, SumsRow } from '../../store/analytics/read.ts';

/** How the steps and templates of statistics are sorted. */
export type AnalyticsSort = 'time' | 'duration' | 'queueing' | 'failures' | 'count';

/** Tasks that ended in the window. */
export interface TaskNumbers {
  /** Number of tasks that ended. A task that ends again after a rerun is counted again. */
  ended: number;
  completed: number;
  /** Ended in `error`. Tasks that are blocked by a failure are open: see `open`. */
  failed: number;
  cancelled: number;
  resolvedManually: number;
  /** The share of `ended` that completed, from 0 to 1. Null if none ended. */
  completionRate: number | null;
  /** The share of `ended` that failed. */
  errorRate: number | null;
  endedPerHour: number;
  /** From the creation, or the last rerun, to the end. */
  duration: Durations;
  /** The id of the task that took longest. */
  slowestTaskUuid: string | null;
  lastEndedAt: string | null;
}

/** Attempts that ended in the window. */
export interface StepNumbers {
  /** Number of attempts that completed, failed, or were lost with their worker. */
  attempts: number;
  completed: number;
  failed: number;
  /** Attempts whose worker was lost. */
  lost: number;
  /** Attempts cancelled by an operator, a lifecycle or fail_fast. Not included in `attempts`. */
  cancelled: number;
  /** Not among `attempts`: their worker released them when it stopped. */
  released: number;
  /** Failed or lost attempts that another attempt followed. With `gaveUp`, the sum of `failed` and `lost`. */
  retried: number;
  /** Failed or lost attempts after which the step was in `error`. */
  gaveUp: number;
  /** The share of `attempts` that completed, from 0 to 1. Null without attempts. */
  successRate: number | null;
  /** The share of `attempts` that failed or were lost. */
  errorRate: number | null;
  attemptsPerHour: number;
  /**
   * Attempts that still run, and already count in `duration` with their time so far, because they have run longer than
   * the average attempt of their step. Not included in `attempts`. 0 if the window ended in the past.
   */
  stillRunning: number;
  /** How long handlers ran. */
  duration: Durations;
  /** From the end of the last parent, the creation of the task, or the time of the retry, to the start. */
  queueing: Durations;
  /** The id of the task whose attempt ran longest. */
  slowestTaskUuid: string | null;
  lastEndedAt: string | null;
}

/**
 * The open tasks now, counted up to 10,000 for each snapshot and state. If there are more than five snapshots, the
 * limit is lower, and at least 1,000.
 */
export interface OpenTasks {
  total: number;
  /** False if a limit was reached, so there may be more. */
  totalIsExact: boolean;
  blocked: number;
  waitingForRetry: number;
  /** Tasks that wait for a time, a signal, people or another system. */
  waiting: number;
}

/** The statistics of a template version. */
export interface TemplateAnalytics {
  namespace: string;
  name: string;
  version: string;
  tasks: TaskNumbers;
  steps: StepNumbers;
  /** Average number of completed steps of a task that ended. Null if none ended. */
  averageStepCount: number | null;
  /** Null if the window ended in the past, or this process does not use the search tables. */
  open: OpenTasks | null;
}

/** The statistics of a step in a template version. */
export interface StepAnalytics extends StepNumbers {
  namespace: string;
  name: string;
  version: string;
  step: string;
  /** The callable of its handler. */
  handler: string;
  /** The step's share of the total running and queued time of all attempts, from 0 to 1. */
  shareOfTime: number | null;
}

/** Sums that include attempts which still run. */
export interface CountedRow extends SumsRow {
  /** Number of attempts that still run. They are part of the sums of durations only. */
  stillRunning: number;
}

/** The rows of a window, and how to present them. */
export interface NumbersView {
  rows: readonly CountedRow[];
  /** The steps of the chosen templates. */
  steps: readonly SnapshotStep[];
  open: readonly OpenCount[] | null;
  hours: number;
  sort: AnalyticsSort;
  limit: number;
  /** The name of the only step to show. */
  only: string | undefined;
}

const TASKS = -1;
/** The index of the sums of all steps of a template. */
export const ALL_STEPS = -2;

/** Sums that are shown in one row, and the rows that they come from. */
interface Group {
  sums: CountedRow;
  keys: { templateId: number; idx: number }[];
}

interface TemplateGroup {
  version: SnapshotStep;
  templateIds: number[];
  tasks: Group;
  steps: Group;
}

interface StepGroup {
  step: SnapshotStep;
  group: Group;
}

/** The rows to show, and the histograms that they need. */
export interface NumbersLayout {
  tasks: Group;
  steps: Group;
  templates: TemplateGroup[];
  moreTemplates: number;
  slowSteps: StepGroup[];
  moreSteps: number;
  keys: HistogramKey[];
}

/** Adds the rows of each template and step, and selects those to show. */
export function layoutOf({ rows, steps, open, sort, limit, only }: NumbersView): NumbersLayout {
  const byId = grouped(rows, (row) => row.templateId);
  const pick = (templateIds: readonly number[], idxs: (templateId: number) => readonly number[]): Group => {
    const keys = templateIds.flatMap((templateId) => idxs(templateId).map((idx) => ({ templateId, idx })));
    return groupOf(
      keys.flatMap(({ templateId, idx }) => (byId.get(templateId) ?? []).filter((row) => row.idx === idx)),
    );
  };
  const stepsOf = grouped(steps, (one) => one.templateId);
  const stepIdxs = (templateId: number) =>
    only === undefined
      ? [ALL_STEPS]
      : (stepsOf.get(templateId) ?? []).filter((one) => one.step === only).map((one) => one.idx);
  const versions = [...grouped(steps, (one) => `${one.namespace}/${one.name}@${one.version}`).values()];
  const openIds = new Set(open?.map((one) => one.templateId));
  const templates = versions
    .map((of): TemplateGroup => {
      const templateIds = [...new Set(of.map((one) => one.templateId))];
      const group = { version: of[0]!, templateIds };
      return { ...group, tasks: pick(templateIds, () => [TASKS]), steps: pick(templateIds, stepIdxs) };
    })
    .filter((one) => one.tasks.keys.length + one.steps.keys.length > 0 || one.templateIds.some((id) => openIds.has(id)))
    .sort((a, b) => SORT[sort](b.steps.sums) - SORT[sort](a.steps.sums) || order(a.version, b.version));
  const places = [...grouped(steps, (one) => `${one.namespace}/${one.name}@${one.version} ${one.step}`).values()];
  const slowSteps = places
    .filter(([one]) => only === undefined || one!.step === only)
    .map((of): StepGroup => {
      const keys = new Set(of.map((one) => `${one.templateId} ${one.idx}`));
      const ids = [...new Set(of.map((one) => one.templateId))];
      const group = groupOf(
        ids.flatMap((id) => (byId.get(id) ?? []).filter((row) => keys.has(`${row.templateId} ${row.idx}`))),
      );
      return { step: of[0]!, group };
    })
    .filter((one) => one.group.keys.length > 0)
    .sort((a, b) => SORT[sort](b.group.sums) - SORT[sort](a.group.sums) || order(a.step, b.step));
  const all = [...stepsOf.keys()];
  const layout = {
    tasks: pick(all, () => [TASKS]),
    steps: pick(all, stepIdxs),
    templates: templates.slice(0, limit),
    moreTemplates: Math.max(0, templates.length - limit),
    slowSteps: slowSteps.slice(0, limit),
    moreSteps: Math.max(0, slowSteps.length - limit),
  };
  const keys = partsOf(layout).flatMap(({ part, keys, runMax }) => keys.map((key) => ({ ...key, part, runMax })));
  return { ...layout, keys };
}

/** The rows whose histograms are summed in one part. */
export interface HistogramGroup {
  part: number;
  keys: Group['keys'];
  runMax: number | null;
}

/** Returns the parts that need histograms. Those of all templates make up the totals, unless some are not shown. */
export function partsOf(layout: Omit<NumbersLayout, 'keys'>): HistogramGroup[] {
  return groupsOf(layout).flatMap(({ keys, sums: { runMax } }, part) =>
    part < FIRST_TEMPLATE && layout.moreTemplates === 0 ? [] : [{ part, keys, runMax }],
  );
}

/** The index of the first group of a template. The totals of tasks and of steps come first. */
const FIRST_TEMPLATE = 2;

/** Returns all groups in a fixed order. The index of a group is its part in the histograms. */
function groupsOf({ tasks, steps, templates, slowSteps }: Omit<NumbersLayout, 'keys'>): Group[] {
  return [tasks, steps, ...templates.flatMap((one) => [one.tasks, one.steps]), ...slowSteps.map((one) => one.group)];
}

const SORT: Record<AnalyticsSort, (sums: SumsRow) => number> = {
  time: (sums) => sums.runUs + sums.waitUs,
  duration: (sums) => (sums.runCount === 0 ? 0 : sums.runUs / sums.runCount),
  queueing: (sums) => (sums.waitCount === 0 ? 0 : sums.waitUs / sums.waitCount),
  failures: (sums) => sums.failed + sums.lost,
  count: (sums) => sums.completed + sums.failed + sums.lost,
};

function order(a: SnapshotStep, b: SnapshotStep): number {
  const text = (one: SnapshotStep) => `${one.namespace}/${one.name}@${one.version} ${one.step}`;
  return text(a) < text(b) ? -1 : 1;
}

const ADDED = [
  'completed',
  'failed',
  'lost',
  'cancelled',
  'resolved',
  'released',
  'retried',
  'gaveUp',
  'runCount',
  'runUs',
  'waitCount',
  'waitUs',
  'stillRunning',
] as const;

function groupOf(rows: readonly CountedRow[]): Group {
  const sums: CountedRow = { ...NOTHING };
  for (const row of rows) {
    for (const key of ADDED) sums[key] += row[key];
    sums.runMax = row.runMax === null ? sums.runMax : Math.max(sums.runMax ?? 0, row.runMax);
    sums.runMin = least(sums.runMin, row.runMin);
    sums.waitMin = least(sums.waitMin, row.waitMin);
    sums.waitMax = row.waitMax === null ? sums.waitMax : Math.max(sums.waitMax ?? 0, row.waitMax);
    if (row.lastAt > sums.lastAt) sums.lastAt = row.lastAt;
  }
  return { sums, keys: rows.map(({ templateId, idx }) => ({ templateId, idx })) };
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Empty sums. */
export const NOTHING: CountedRow = {
  templateId: 0,
  idx: 0,
  completed: 0,
  failed: 0,
  lost: 0,
  cancelled: 0,
  resolved: 0,
  released: 0,
  retried: 0,
  gaveUp: 0,
  runCount: 0,
  runUs: 0,
  runMin: null,
  runMax: null,
  waitCount: 0,
  waitUs: 0,
  waitMin: null,
  waitMax: null,
  lastAt: '',
  stillRunning: 0,
};

/** The numbers of a window. */
export interface Numbers {
  tasks: TaskNumbers;
  steps: StepNumbers;
  open: OpenTasks | null;
  templates: TemplateAnalytics[];
  moreTemplates: number;
  slowSteps: StepAnalytics[];
  moreSteps: number;
}

/** Returns the numbers to show, with percentiles from histograms by part. */
export function numbersOf(
  layout: NumbersLayout,
  histograms: ReadonlyMap<number, HistogramPart>,
  { open, hours }: NumbersView,
): Numbers {
  let part = 0;
  const next = (): HistogramPart => histograms.get(part++) ?? { run: [], wait: [], slowest: null };
  const total = (which: 0 | 1): HistogramPart => {
    const own = next();
    if (layout.moreTemplates > 0) return own;
    const { runMax } = (which === 0 ? layout.tasks : layout.steps).sums;
    const parts = layout.templates.flatMap((_, i) => histograms.get(FIRST_TEMPLATE + 2 * i + which) ?? []);
    const slowest = layout.templates.findIndex((one) => (which === 0 ? one.tasks : one.steps).sums.runMax === runMax);
    return {
      run: addBuckets(parts.map((one) => one.run)),
      wait: addBuckets(parts.map((one) => one.wait)),
      slowest: histograms.get(FIRST_TEMPLATE + 2 * slowest + which)?.slowest ?? null,
    };
  };
  const openOf = (ids: ReadonlySet<number> | undefined): OpenTasks | null =>
    open && openTasks(open.filter((one) => ids?.has(one.templateId) ?? true));
  const tasks = taskNumbers(layout.tasks.sums, total(0), hours);
  const steps = stepNumbers(layout.steps.sums, total(1), hours);
  const templates = layout.templates.map((one): TemplateAnalytics => {
    const { namespace, name, version } = one.version;
    const ofTasks = taskNumbers(one.tasks.sums, next(), hours);
    const ofSteps = stepNumbers(one.steps.sums, next(), hours);
    return {
      namespace,
      name,
      version,
      tasks: ofTasks,
      steps: ofSteps,
      averageStepCount: ratio(ofSteps.completed, ofTasks.ended),
      open: openOf(new Set(one.templateIds)),
    };
  });
  const time = SORT.time(layout.steps.sums);
  const slowSteps = layout.slowSteps.map(({ step: { namespace, name, version, step, handler }, group: { sums } }) => ({
    namespace,
    name,
    version,
    step,
    handler,
    ...stepNumbers(sums, next(), hours),
    shareOfTime: ratio(SORT.time(sums), time),
  }));
  const { moreTemplates, moreSteps } = layout;
  return { tasks, steps, open: openOf(undefined), templates, moreTemplates, slowSteps, moreSteps };
}

function openTasks(counts: readonly OpenCount[]): OpenTasks {
  const sumOf = (some: readonly OpenCount[]) => some.reduce((sum, one) => sum + one.count, 0);
  const of = (state: OpenCount['state']) => sumOf(counts.filter((one) => one.state === state));
  return {
    total: sumOf(counts),
    totalIsExact: counts.every(({ isExact }) => isExact),
    blocked: of('blocked_by_failures'),
    waitingForRetry: of('waiting_for_retry'),
    waiting: of('waiting'),
  };
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function taskNumbers(sums: SumsRow, { run, slowest }: HistogramPart, hours: number): TaskNumbers {
  const { completed, failed, cancelled, resolved } = sums;
  const ended = completed + failed + cancelled + resolved;
  return {
    ended,
    completed,
    failed,
    cancelled,
    resolvedManually: resolved,
    completionRate: ratio(completed, ended),
    errorRate: ratio(failed, ended),
    endedPerHour: ended / hours,
    duration: running(sums, run),
    slowestTaskUuid: slowest,
    lastEndedAt: sums.lastAt || null,
  };
}

function stepNumbers(sums: CountedRow, { run, wait, slowest }: HistogramPart, hours: number): StepNumbers {
  const { completed, failed, lost, cancelled, released, retried, gaveUp, stillRunning } = sums;
  const attempts = completed + failed + lost;
  const queued = { count: sums.waitCount, sum: sums.waitUs, min: sums.waitMin, max: sums.waitMax };
  return {
    attempts,
    completed,
    failed,
    lost,
    cancelled,
    released,
    retried,
    gaveUp,
    successRate: ratio(completed, attempts),
    errorRate: ratio(failed + lost, attempts),
    attemptsPerHour: attempts / hours,
    stillRunning,
    duration: running(sums, run),
    queueing: durationsOf(queued, wait),
    slowestTaskUuid: slowest,
    lastEndedAt: sums.lastAt || null,
  };
}

function running(sums: SumsRow, buckets: readonly Bucket[]): Durations {
  return durationsOf({ count: sums.runCount, sum: sums.runUs, min: sums.runMin, max: sums.runMax }, buckets);
}

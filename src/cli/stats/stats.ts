import { statsJson } from '../../app/json/overview.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { bar, sparkline } from '../show/chart.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, spanOf, table, wrapWords } from '../show/text.ts';
import { readReference } from '../template/reference.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { showComparison } from './compare.ts';
import {
  type Analytics,
  type AnalyticsOptions,
  type Column,
  capitalized,
  columnsOf,
  nameOf,
  number,
  percent,
  time,
  windowText,
} from './words.ts';

type Durations = Analytics['tasks']['duration'];

/** Options of `tasker stats`. */
export interface StatsOptions extends GlobalOptions {
  namespace?: string;
  since?: string;
  until?: string;
  step?: string;
  /** Milliseconds between the two windows to compare. True without a value. */
  compare?: number | true;
  sort?: AnalyticsOptions['sort'];
  limit?: number;
}

/** Terminals of this width, and pipes, show all columns. */
const WIDE = 120;
/** Statistics older than this are reported as delayed. */
const LATE_MS = 10_000;

/** `tasker stats`: shows statistics of tasks and steps. */
export async function stats(template: string | undefined, options: StatsOptions): Promise<void> {
  const { namespace, since, until, compare, step, sort, limit = options.json ? 100 : 10 } = options;
  const wanted = template === undefined ? undefined : readReference(template);
  await withTasker(options, {}, async (tasker) => {
    const asked = {
      namespace: wanted?.namespace ?? namespace,
      name: wanted?.name,
      templateVersion: wanted?.version,
      since,
      until,
      step,
      sort,
    };
    if (compare !== undefined) return showComparison(tasker, asked, { ...options, compare, limit });
    const found = await tasker.analytics({ ...asked, limit });
    if (options.json) return printJson(statsJson(found));
    if (isEmpty(found)) return note(whyNone(found));
    print(statsText(found, { width: thisRun().stdout.columns ?? WIDE }));
  });
}

function isEmpty({ tasks, steps, open, templates }: Analytics): boolean {
  const ended = tasks.ended + steps.attempts + steps.cancelled + steps.released + steps.stillRunning;
  return ended + (open?.total ?? 0) === 0 || templates.length === 0;
}

function whyNone(found: Analytics): string {
  const began =
    Date.parse(found.countedSince) > Date.parse(found.from) ? `; counting began at ${found.countedSince}` : '';
  return `no attempt ended ${windowText(found)}${began}; --since 7d looks further back`;
}

/** Returns statistics as text. */
export function statsText(found: Analytics, { width }: { width: number }): string {
  const late = Date.now() - Date.parse(found.countedUntil);
  return [
    [
      pc.bold(capitalized(windowText(found))),
      ...(late > LATE_MS
        ? [pc.yellow(`nothing was counted in the last ${spanOf(late)}; is analytics.enabled false?`)]
        : []),
    ].join('\n'),
    summary(found),
    ...(found.templates.length > 0 ? [templateTable(found, width)] : []),
    ...(found.slowSteps.length > 0 ? [stepTable(found, width)] : []),
    ...(found.recommendations.length > 0 ? [advice(found, width)] : []),
    pc.dim('percentiles are off by at most 5 %; all other numbers are exact'),
  ].join('\n\n');
}

function summary({ tasks, steps, open, timeline, timelineMinutes }: Analytics): string {
  const blocked = open && open.blocked > 0 ? pc.red(`, ${number(open.blocked)} blocked`) : '';
  const parts = [
    some(tasks.failed, 'in error', pc.red),
    some(tasks.cancelled, 'cancelled', pc.dim),
    some(tasks.resolvedManually, 'resolved by hand', pc.green),
  ];
  const ends = [`${number(tasks.completed)} complete`, ...parts.filter((part) => part !== '')].join(', ');
  const tasksChart = sparkline(timeline.map((one) => one.tasksCompleted + one.tasksNotCompleted));
  const attemptsChart = sparkline(timeline.map((one) => one.attemptsCompleted + one.attemptsFailed));
  const failedChart = sparkline(timeline.map((one) => one.attemptsFailed));
  const follow = [some(steps.retried, 'retried', pc.yellow), some(steps.gaveUp, 'gave up', pc.red)];
  const failed = steps.failed + steps.lost;
  // A lost attempt is retried or gives up too.
  const lost =
    steps.lost === 0 ? '' : pc.red(`; ${number(steps.lost)} of them ${steps.lost === 1 ? 'was' : 'were'} lost`);
  const running = steps.stillRunning === 0 ? '' : pc.yellow(`   ${number(steps.stillRunning)} still running`);
  const lines = [
    [
      pc.dim('tasks ended'),
      `${number(tasks.ended)}, ${perTime(tasks.endedPerHour)}${tasks.ended > 0 ? `: ${ends}` : ''}`,
    ],
    ['', tasksChart],
    [pc.dim('  took'), spread(tasks.duration)],
    [pc.dim('tasks open'), open ? `${openTotal(open)}${blocked}` : null],
    [
      pc.dim('attempts'),
      `${number(steps.attempts)}, ${perTime(steps.attemptsPerHour)}${steps.successRate === null ? '' : `, ${percent(steps.successRate)} succeeded`}`,
    ],
    ['', attemptsChart],
    [
      pc.dim('  failed'),
      failed === 0 ? '0' : `${number(failed)}: ${follow.filter((part) => part !== '').join(', ')}${lost}`,
    ],
    ['', failed === 0 ? null : pc.red(failedChart)],
    [pc.dim('  ran'), `${spread(steps.duration)}${running}`],
    [pc.dim('  queued'), spread(steps.queueing)],
    ['', pc.dim(`a column of a chart is ${minutesText(timelineMinutes)}`)],
  ] as const;
  return table(
    ['', ''],
    lines.filter((line): line is readonly [string, string] => line[1] !== null),
  )
    .split('\n')
    .slice(1)
    .join('\n');
}

function some(count: number, what: string, paint: (text: string) => string): string {
  return count === 0 ? '' : paint(`${number(count)} ${what}`);
}

function minutesText(minutes: number): string {
  if (minutes % 1440 === 0) return counted(minutes / 1440, 'day');
  return minutes % 60 === 0 ? counted(minutes / 60, 'hour') : counted(minutes, 'minute');
}

function spread({ count, p50Ms, p95Ms, p99Ms, maxMs }: Durations): string {
  if (count === 0) return pc.dim('-');
  return `p50 ${time(p50Ms)}   p95 ${time(p95Ms)}   p99 ${time(p99Ms)}   max ${time(maxMs)}`;
}

function perTime(perHour: number): string {
  if (perHour >= 7200) return `${number(Math.round(perHour / 3600))}/s`;
  if (perHour >= 120) return `${number(Math.round(perHour / 60))}/min`;
  return `${perHour < 10 ? Number(perHour.toFixed(1)) : Math.round(perHour)}/h`;
}

function openTotal({ total, totalIsExact }: NonNullable<Analytics['open']>): string {
  return `${number(total)}${totalIsExact ? '' : '+'}`;
}

type Template = Analytics['templates'][number];
type Step = Analytics['slowSteps'][number];

function templateTable({ templates, moreTemplates, open }: Analytics, width: number): string {
  const columns: Column<Template>[] = [
    ['template', (row) => nameOf(row)],
    ['ended', (row) => number(row.tasks.ended)],
    ['complete', (row) => percent(row.tasks.completionRate)],
    ...(open === null ? [] : TEMPLATES_NOW),
    ...(width >= WIDE ? [['p50', (row: Template) => time(row.tasks.duration.p50Ms)] as const] : []),
    ['p95', (row) => time(row.tasks.duration.p95Ms)],
    ...(width >= WIDE ? TEMPLATES_WIDE : []),
  ];
  const more = moreTemplates > 0 ? [[pc.dim(`and ${counted(moreTemplates, 'more template')}`)]] : [];
  return columnsOf(columns, templates, more);
}

/** Columns of the tasks that are open now, which a window that ended in the past does not have. */
const TEMPLATES_NOW: readonly Column<Template>[] = [
  ['open', (row) => (row.open === null ? pc.dim('-') : openTotal(row.open))],
  ['blocked', (row) => (row.open === null || row.open.blocked === 0 ? pc.dim('-') : pc.red(number(row.open.blocked)))],
];

const TEMPLATES_WIDE: readonly Column<Template>[] = [
  ['p99', (row) => time(row.tasks.duration.p99Ms)],
  ['max', (row) => time(row.tasks.duration.maxMs)],
  ['failed attempts', (row) => failures(row.steps)],
  ['queued p95', (row) => time(row.steps.queueing.p95Ms)],
];

function stepTable({ slowSteps, moreSteps }: Analytics, width: number): string {
  const wide = width >= WIDE;
  const most = Math.max(...slowSteps.map((one) => one.shareOfTime ?? 0));
  const several = new Set(slowSteps.map(nameOf)).size > 1;
  const columns: Column<Step>[] = [
    ['step', (row) => row.step],
    ...(several ? [['template', (row: Step) => nameOf(row)] as const] : []),
    ['time', (row) => percent(row.shareOfTime)],
    ...(wide ? [['', (row: Step) => bar(most === 0 ? 0 : (row.shareOfTime ?? 0) / most, 12)] as const] : []),
    ...(wide || !several ? [['attempts', (row: Step) => number(row.attempts)] as const] : []),
    ['failed', (row) => failures(row)],
    ...(wide ? [['ran p50', (row: Step) => time(row.duration.p50Ms)] as const] : []),
    [wide ? 'p95' : 'ran p95', (row) => time(row.duration.p95Ms)],
    ...(wide ? STEPS_WIDE : []),
    [wide ? 'p95' : 'queued p95', (row) => time(row.queueing.p95Ms)],
  ];
  const more = moreSteps > 0 ? [[pc.dim(`and ${counted(moreSteps, 'more step')}`)]] : [];
  return columnsOf(columns, slowSteps, more);
}

const STEPS_WIDE: readonly Column<Step>[] = [
  ['max', (row) => time(row.duration.maxMs)],
  ['queued p50', (row) => time(row.queueing.p50Ms)],
];

function failures({ attempts, errorRate }: Pick<Analytics['steps'], 'attempts' | 'errorRate'>): string {
  if (attempts === 0) return pc.dim('-');
  if (errorRate === 0) return pc.dim('0 %');
  return (errorRate! >= 0.1 ? pc.red : pc.yellow)(percent(errorRate));
}

function advice({ recommendations }: Analytics, width: number): string {
  return recommendations
    .flatMap((text) => wrapWords(text, Math.min(width, 100) - 2).map((line, i) => `${i === 0 ? '→' : ' '} ${line}`))
    .join('\n');
}

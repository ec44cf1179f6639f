import { statsJson } from '../../app/json/overview.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, spanOf, table } from '../show/text.ts';
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

type Step = Analytics['slowSteps'][number];

/** The statistics of two windows of the same length. */
export interface Comparison {
  before: Analytics;
  after: Analytics;
  /** The earlier window. `before` begins later if counting began later. */
  earlier: { from: string; to: string };
}

const DAY_MS = 86_400_000;
/** All templates and steps of both windows are read, so that each can be compared with itself. */
const MOST = 1_000;
/** With fewer attempts than this in either window, a change means little. */
const ENOUGH = 20;
/** A change of the share of failures, and a factor of a duration, that are worth a sentence. */
const POINTS = 0.05;
const FACTOR = 2;
/** Differences of durations below this are noise. */
const LEAST_MS = 10;
const SENTENCES = 8;

/** Shows the statistics of a window beside those of an earlier one. `compare`: milliseconds between them. */
export async function showComparison(
  tasker: Tasker,
  asked: AnalyticsOptions,
  { compare, limit, json }: { compare: number | true; limit: number; json?: boolean },
): Promise<void> {
  const after = await tasker.analytics({ ...asked, limit: MOST });
  const length = Date.parse(after.to) - Date.parse(after.from);
  const days = Math.max(1, Math.ceil((length - 60_000) / DAY_MS));
  const shift = compare === true ? days * DAY_MS : compare;
  if (shift < length - 60_000) {
    throw new TaskerError(
      'bad_request',
      `the windows overlap: the window is ${spanOf(length)} long, and --compare moves it back by only ${spanOf(shift)}; use --compare ${days}d`,
    );
  }
  const moved = (moment: string) => new Date(Date.parse(moment) - shift).toISOString();
  const earlier = { from: moved(after.from), to: moved(after.to) };
  const before = await tasker.analytics({ ...asked, since: earlier.from, until: earlier.to, limit: MOST });
  if (json) return printJson({ before: statsJson(before), after: statsJson(after) });
  if (before.steps.attempts + after.steps.attempts + before.tasks.ended + after.tasks.ended === 0)
    return note(`no attempt ended ${windowText(after)} or ${windowText(earlier)}`);
  print(comparisonText({ before, after, earlier }, limit));
}

/** Returns a comparison as text. */
export function comparisonText(comparison: Comparison, limit: number): string {
  const { before, after, earlier } = comparison;
  const missing = Date.parse(before.countedSince) > Date.parse(earlier.from);
  const pairs = pairsOf(comparison);
  const sentences = pairs.flatMap((pair) => sentenceOf(pair) ?? []);
  return [
    [
      pc.bold(`${capitalized(windowText(after))}, compared with ${windowText(earlier).replace('from ', '')}`),
      ...(missing ? [pc.yellow(`counting began at ${before.countedSince}: the earlier window is incomplete`)] : []),
    ].join('\n'),
    totals(comparison),
    ...(pairs.length === 0 ? [] : [stepTable(pairs, limit)]),
    sentences.length === 0
      ? pc.dim('no step fails noticeably more, or became noticeably slower, than before')
      : sentences
          .slice(0, SENTENCES)
          .map((text) => `→ ${text}`)
          .join('\n'),
  ].join('\n\n');
}

function totals({ before, after }: Comparison): string {
  const line = (name: string, value: (from: Analytics) => number | null, show: (value: number | null) => string) => {
    const [old, now] = [value(before), value(after)];
    return [name, show(old), show(now), changeOf(old, now)];
  };
  const count = (value: number | null) => number(value ?? 0);
  const rows = [
    line('tasks ended', ({ tasks }) => tasks.ended, count),
    line('  complete', ({ tasks }) => tasks.completed, count),
    line('  took p50', ({ tasks }) => tasks.duration.p50Ms, time),
    line('  took p95', ({ tasks }) => tasks.duration.p95Ms, time),
    line('attempts', ({ steps }) => steps.attempts, count),
    line('  failed', ({ steps }) => steps.failed + steps.lost, count),
    line('  retried', ({ steps }) => steps.retried, count),
    line('  gave up', ({ steps }) => steps.gaveUp, count),
    line('  lost', ({ steps }) => steps.lost, count),
    line('  ran p50', ({ steps }) => steps.duration.p50Ms, time),
    line('  ran p95', ({ steps }) => steps.duration.p95Ms, time),
    line('  queued p50', ({ steps }) => steps.queueing.p50Ms, time),
    line('  queued p95', ({ steps }) => steps.queueing.p95Ms, time),
  ];
  return table(['', 'before', 'after', 'change'], rows);
}

/** Returns, for example, `+20 %`, or `× 4.2`. */
function changeOf(before: number | null, after: number | null): string {
  if (before === null || after === null || before === after) return pc.dim('-');
  if (before === 0) return 'new';
  const factor = after / before;
  if (factor >= 3) return `× ${factor >= 10 ? number(Math.round(factor)) : factor.toFixed(1)}`;
  const change = Math.round((factor - 1) * 100);
  return change === 0 ? pc.dim('-') : `${change > 0 ? '+' : ''}${change} %`;
}

/** A step in both windows. */
interface Pair {
  step: Pick<Step, 'namespace' | 'name' | 'version' | 'step'>;
  before: Step | undefined;
  after: Step | undefined;
}

/** Returns the steps of both windows, by the rise of their share of failures, then by how much they slowed down. */
function pairsOf({ before, after }: Comparison): Pair[] {
  const keyOf = (step: Step) => `${nameOf(step)} ${step.step}`;
  const pairs = new Map<string, Pair>(
    after.slowSteps.map((step) => [keyOf(step), { step, before: undefined, after: step }]),
  );
  for (const step of before.slowSteps) {
    const known = pairs.get(keyOf(step));
    if (known) known.before = step;
    else pairs.set(keyOf(step), { step, before: step, after: undefined });
  }
  return [...pairs.values()].sort((a, b) => failuresRose(b) - failuresRose(a) || slowedDown(b) - slowedDown(a));
}

function failuresRose({ before, after }: Pair): number {
  return (after?.errorRate ?? 0) - (before?.errorRate ?? 0);
}

/** Returns the factor by which a step became slower; 1 if that is unknown. */
function slowedDown({ before, after }: Pair): number {
  const [old, now] = [before?.duration.p95Ms ?? null, after?.duration.p95Ms ?? null];
  if (old === null || now === null || Math.abs(now - old) < LEAST_MS) return 1;
  return now / Math.max(old, 0.001);
}

function stepTable(pairs: readonly Pair[], limit: number): string {
  const both = (show: (step: Step) => string) => (pair: Pair) =>
    `${pair.before ? show(pair.before) : pc.dim('-')} → ${pair.after ? show(pair.after) : pc.dim('-')}`;
  const columns: Column<Pair>[] = [
    ['step', ({ step }) => step.step],
    ['template', ({ step }) => nameOf(step)],
    ['attempts', both(({ attempts }) => number(attempts))],
    ['failed', both(({ errorRate }) => percent(errorRate))],
    ['ran p95', both(({ duration }) => time(duration.p95Ms))],
    ['queued p95', both(({ queueing }) => time(queueing.p95Ms))],
  ];
  const more = pairs.length > limit ? [[pc.dim(`and ${counted(pairs.length - limit, 'more step')}`)]] : [];
  return columnsOf(columns, pairs.slice(0, limit), more);
}

function failuresBefore(before: Step | undefined): string {
  return before && before.attempts > 0 ? `, up from ${percent(before.errorRate)}` : '; there were no attempts before';
}

/** Returns what became worse in a step. Undefined if nothing did, or too few attempts show it. */
function sentenceOf(pair: Pair): string | undefined {
  const { step, before, after } = pair;
  const name = `${step.step} of ${step.namespace}/${step.name}`;
  if (before !== undefined && before.attempts >= ENOUGH && (after?.attempts ?? 0) === 0)
    return `no attempt of ${name} ended, but ${number(before.attempts)} did before`;
  if (after === undefined || after.attempts < ENOUGH) return undefined;
  if (failuresRose(pair) >= POINTS)
    return pc.red(`${percent(after.errorRate)} of the attempts of ${name} fail${failuresBefore(before)}`);
  if (before === undefined || before.attempts < ENOUGH || slowedDown(pair) < FACTOR) return undefined;
  return `${name} runs for ${time(after.duration.p95Ms)} (p95), up from ${time(before.duration.p95Ms)}`;
}

import type { Timeline, TimelineSpan } from '../../../api/types.ts';
import { timeOf } from '../../../parts/words.ts';
import { stateOfSteps } from '../graph/shape.ts';

/** A row of the timeline: a step, a worker of a batch, or a folded batch. */
export interface Row {
  name: string;
  state: string;
  spans: readonly TimelineSpan[];
  /** The states of the workers of a batch. Undefined for a step. */
  workers: readonly string[] | undefined;
  isUnfolded: boolean;
  /** Whether it is a worker of an unfolded batch. */
  isMember: boolean;
}

/** Milliseconds since 1970. */
export interface Range {
  from: number;
  to: number;
}

type Step = Timeline['steps'][number];

/** Returns the rows by the times of their first spans. Steps that have not started are last. */
export function rowsOf(timeline: Timeline | undefined, unfolded: ReadonlySet<string>): Row[] {
  const batches = new Map<string, Step[]>();
  for (const step of timeline?.steps ?? []) {
    const own = batches.get(step.template_step_name);
    if (own) own.push(step);
    else batches.set(step.template_step_name, [step]);
  }
  const startOf = (steps: readonly Step[]) =>
    Math.min(...steps.flatMap(({ spans }) => spans.map(({ from }) => timeOf(from).getTime())));
  const ordered = [...batches].map(([name, steps]) => ({ name, steps, start: startOf(steps) }));
  // Infinity minus infinity is not a number, and keeps the order of the template.
  ordered.sort((one, other) => one.start - other.start || 0);
  return ordered.flatMap(({ name, steps }): Row[] => {
    if (steps.length === 1) return [rowOf(steps[0]!, false)];
    const isUnfolded = unfolded.has(name);
    const batch: Row = {
      name,
      state: stateOfSteps(steps) ?? 'pending',
      spans: spansOfBatch(steps),
      workers: steps.map(({ state }) => state),
      isUnfolded,
      isMember: false,
    };
    return isUnfolded ? [batch, ...steps.map((step) => rowOf(step, true))] : [batch];
  });
}

function rowOf({ name, state, spans }: Step, isMember: boolean): Row {
  return { name, state, spans: withWaits(spans), workers: undefined, isUnfolded: false, isMember };
}

/**
 * Shows an attempt as long as its handler ran, as the graph does. The worker holds a step longer: before the handler
 * begins, and until the result is recorded. That time is added to the wait before it.
 */
function withWaits(spans: readonly TimelineSpan[]): TimelineSpan[] {
  const shown: TimelineSpan[] = [];
  for (const span of spans) {
    const began =
      span.kind !== 'running' || span.to === null || span.ran_ms === null ? 0 : timeOf(span.to).getTime() - span.ran_ms;
    if (began <= timeOf(span.from).getTime()) {
      shown.push(span);
      continue;
    }
    const from = new Date(began).toISOString();
    const before = shown.at(-1);
    if (before?.kind === 'queued') shown.splice(-1, 1, { ...before, to: from });
    else shown.push({ ...span, kind: 'queued', to: from, outcome: null, error: null, ran_ms: null });
    shown.push({ ...span, from });
  }
  return shown;
}

/** How a step, or a batch, spent its time. */
export interface Spent {
  attempts: number;
  waitedMs: number;
  /** The time of its last attempt, or of the workers of a batch. */
  ranMs: number;
}

/** Returns how the time of the spans was spent until the last attempt ended. `now`: the end of open spans. */
export function spentOf(spans: readonly TimelineSpan[], now: number): Spent {
  const lengthOf = ({ from, to }: TimelineSpan) =>
    Math.max(0, (to === null ? now : timeOf(to).getTime()) - timeOf(from).getTime());
  const running = spans.filter(({ kind }) => kind === 'running');
  const waits = spans.filter(({ kind }) => kind === 'queued' || kind === 'waiting');
  return {
    attempts: new Set(running.map(({ attempt, from }) => attempt ?? from)).size,
    waitedMs: waits.reduce((sum, span) => sum + lengthOf(span), 0),
    ranMs: running.length > 0 ? lengthOf(running.at(-1)!) : 0,
  };
}

/** Returns the time in which workers of a batch were in the queue and none ran, and the time in which they ran. */
function spansOfBatch(steps: readonly Step[]): TimelineSpan[] {
  const all = steps.flatMap(({ spans }) => spans);
  const running = all.filter(({ kind }) => kind === 'running');
  const byStart = (one: TimelineSpan, other: TimelineSpan) => timeOf(one.from).getTime() - timeOf(other.from).getTime();
  const [first] = all.toSorted(byStart);
  const [begun] = running.toSorted(byStart);
  if (!first) return [];
  if (!begun) return [{ ...first, to: all.some(({ to }) => to === null) ? null : first.to }];
  const failed = running.find(({ error }) => error !== null);
  const ends = running.map(({ to }) => to);
  const last = (ends as string[]).toSorted((one, other) => timeOf(one).getTime() - timeOf(other).getTime()).at(-1)!;
  return [
    ...(first === begun ? [] : [{ ...first, kind: 'queued' as const, to: begun.from }]),
    {
      ...begun,
      to: ends.includes(null) ? null : last,
      outcome: failed ? 'failed' : 'complete',
      error: failed?.error ?? null,
    },
  ];
}

/** The shown length of a blocked step, as a share of the time before it. */
const BLOCKED_SHARE = 0.1;

/** Returns the time that all spans take. `now`: the end of open spans. */
export function rangeOf({ created_at }: Timeline, rows: readonly Row[], now: number | undefined): Range {
  const from = timeOf(created_at).getTime();
  let to = Math.max(now ?? 0, from + 1);
  for (const { spans } of rows) {
    for (const span of spans) {
      if (span.kind !== 'blocked') to = Math.max(to, timeOf(span.to ?? span.from).getTime());
      else to = Math.max(to, from + (timeOf(span.from).getTime() - from) * (1 + BLOCKED_SHARE));
    }
  }
  return { from, to };
}

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
const UNITS = [
  [DAY, 'd', [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]],
  [HOUR, 'h', [1, 2, 3, 6, 12]],
  [MINUTE, 'min', [1, 2, 5, 10, 15, 30]],
  [SECOND, 's', [1, 2, 5, 10, 15, 30]],
  [1, 'ms', [1, 2, 5, 10, 20, 50, 100, 200, 500]],
] as const;
const STEPS = UNITS.flatMap(([unit, , counts]) => counts.map((count) => count * unit)).sort((a, b) => a - b);
const MOST_TICKS = 7;

/** Returns round times in a range, in milliseconds since the creation of the task, with their texts. */
export function ticksOf({ from, to }: Range): { at: number; text: string }[] {
  const step = STEPS.find((one) => (to - from) / one <= MOST_TICKS) ?? STEPS.at(-1)!;
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, at) => {
    const time = (first + at) * step;
    return { at: time, text: tickText(time) };
  });
}

/** Returns a time in its two largest units: `90 s` is `1 min 30 s`. */
function tickText(ms: number): string {
  if (ms <= 0) return String(ms);
  const at = UNITS.findIndex(([unit]) => ms >= unit);
  const [unit, name] = UNITS[at]!;
  const rest = ms % unit;
  const [lower, lowerName] = UNITS[at + 1] ?? [1, 'ms'];
  if (rest === 0) return `${ms / unit} ${name}`;
  if (name === 's') return `${ms / unit} s`;
  return `${Math.floor(ms / unit)} ${name} ${Math.round(rest / lower)} ${lowerName}`;
}

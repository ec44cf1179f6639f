import { elementStepName } from '../../model/for-each.ts';
import { grouped } from '../../model/grouped.ts';
import { handlesFailures, noLongerNeeded, stillHandles } from '../../model/routes.ts';
import { undoOrder } from '../../model/undo.ts';
import type { TemplateGraph } from '../../template/template-graph.ts';
import type { TaskWait } from '../overview/task-waits.ts';
import type { TaskSnapshot } from '../tasker.ts';
import type { HistoryEntry, Step } from './views.ts';

/**
 * The activity of a step in a span of time. `queued`: ready, and no worker had claimed it. `running`: a handler ran. `retry_wait`:
 * it waited for its next attempt. `waiting`: it waited for a time, a signal, votes or another system. `blocked`: it had
 * failed permanently, until an operator acted. A failure after which another step runs does not block.
 */
type SpanKind = 'queued' | 'running' | 'retry_wait' | 'waiting' | 'blocked';

/** A span of a step's time. */
interface TimelineSpan {
  kind: SpanKind;
  from: string;
  /** Null while the span has not ended. */
  to: string | null;
  /** The latest time at which an open span ends, if known: the time of the retry, or the timeout of the wait. */
  until: string | null;
  /** The attempt that runs, or that the step waits for. Null for waits without an attempt. */
  attempt: number | null;
  worker: string | null;
  /** How an attempt ended, such as `completed` or `failed`, or what ended a wait. Null for other spans. */
  outcome: string | null;
  error: string | null;
  /**
   * Milliseconds that the handler ran in an attempt that has ended. For the rest of the span, the worker held the step: before
   * its handler began, or until its result was recorded. Null if it is unknown, and for other spans.
   */
  ran_ms: number | null;
}

/** An action of an operator or of the template's lifecycle. */
interface TimelineAct {
  at: string;
  step: string | null;
  what: string;
  who: string;
  why: string | null;
}

/** The parts of a task from which its timeline is computed. */
interface TimelineParts extends TaskSnapshot {
  history: readonly HistoryEntry[];
  waits: readonly TaskWait[];
  graph: TemplateGraph;
}

/** Returns the spans of each step of a task, from which a Gantt chart can be drawn. `now`: ISO 8601. */
export function taskTimeline(parts: TimelineParts, now: string) {
  const { task, steps, history, graph } = parts;
  const ends = endsByTemplateStep(parts);
  const routes = routesOf(parts);
  const needless = noLongerNeeded(graph, steps);
  const byStep = grouped(history, (entry) => entry.step);
  const waits = new Map(parts.waits.map((wait) => [wait.step, wait]));
  return {
    task_uuid: task.taskUuid,
    status: task.status,
    created_at: task.createdAt,
    starts_at: task.startsAt,
    completed_at: task.completedAt,
    now,
    steps: steps.map((step) => ({
      name: step.name,
      template_step_name: step.templateStepName,
      step_uuid: step.stepUuid,
      handler: step.callable,
      state: step.currentState,
      spans: spansOf(step, {
        ...parts,
        ends,
        routes,
        needless,
        entries: byStep.get(step.name) ?? [],
        wait: waits.get(step.name),
      }),
    })),
    acts: history
      .filter(({ kind }) => kind === 'operator')
      .map(({ at, step, what, who, why }): TimelineAct => ({ at, step, what, who, why })),
  };
}

interface StepParts extends TimelineParts {
  /** For each step of the template, and for each step of an element: the sorted times, in milliseconds, at which its steps ended. */
  ends: ReadonlyMap<string, readonly number[]>;
  /** The names, in the template, of the steps that run after a failure, and have not been skipped or failed. */
  routes: ReadonlySet<string>;
  /** The template steps whose result a join after them did not need. */
  needless: ReadonlyMap<number, number>;
  /** The history of the step, in order. */
  entries: readonly HistoryEntry[];
  wait: TaskWait | undefined;
}

function spansOf(step: Step, parts: StepParts): TimelineSpan[] {
  const attempts = parts.entries.filter(({ kind, startedAt }) => kind === 'attempt' && startedAt !== null);
  const spans: TimelineSpan[] = [];
  let last: HistoryEntry | undefined;
  for (const attempt of attempts) {
    const before = { parts, last, number: attempt.attempt, rerun: attempt.rerun };
    spans.push(...beforeAttempt(step, attempt.startedAt!, before));
    spans.push(...attemptSpans(attempt, parts.wait));
    last = attempt;
  }
  spans.push(...currentSpans(step, parts, last));
  return spans.filter(({ from, to }) => to === null || Date.parse(to) >= Date.parse(from));
}

interface Before {
  parts: StepParts;
  /** The previous attempt. */
  last: HistoryEntry | undefined;
  number: number | null;
  /** The run that the attempt belongs to. */
  rerun: number | null;
}

/** The time from the previous attempt, or from when the step became ready, until `start`; null if it has not started. */
function beforeAttempt(step: Step, start: string | null, before: Before): TimelineSpan[] {
  const from = readyBefore(step, start ?? new Date().toISOString(), before);
  return [...gapBefore(from, before), spanOf({ kind: 'queued', from, to: start, attempt: before.number })];
}

/** The time from the previous attempt until the step was ready again. */
function gapBefore(readyAt: string, { last, number: attempt, rerun }: Before): TimelineSpan[] {
  if (last?.rerun !== rerun || last.toState === 'cancelled' || Date.parse(readyAt) <= Date.parse(last.at)) return [];
  const kind = beganList(last) ? 'waiting' : last.toState === 'error' ? 'blocked' : 'retry_wait';
  return [spanOf({ kind, from: last.at, to: readyAt, attempt })];
}

const isRestart = ({ what }: HistoryEntry) => what === 'rerun' || what === 'dlq_redrive' || what === 'undo';

/**
 * When the step became ready for the attempt that started at `start`: the latest event before it that made the step
 * ready.
 */
function readyBefore(step: Step, start: string, { parts, last, rerun }: Before): string {
  const { task, graph, ends, entries, history, waits } = parts;
  const limit = Date.parse(start);
  const lastOf = (acts: HistoryEntry[]) =>
    Date.parse(acts.findLast(({ at }) => Date.parse(at) <= limit)?.at ?? task.createdAt);
  const acted = lastOf(entries.filter((entry) => entry.kind === 'operator' && entry.toState === 'enqueued'));
  const times = [acted, last ? Date.parse(last.at) : 0];
  if (last?.rerun === rerun && beganList(last!))
    return endOfElements(parts, { list: step.templateStepName, last: last!, limit });
  if ((rerun ?? 0) > (last?.rerun ?? 0) || last?.toState === 'cancelled') times.push(lastOf(history.filter(isRestart)));
  if (last && last.rerun === rerun) {
    if (acted <= Date.parse(last.at)) times.push(Date.parse(last.at) + (last.retryDelayMs ?? 0));
  } else {
    times.push(Date.parse(waits.find(({ kind }) => kind === 'start')?.endedAt ?? task.createdAt));
    const idx = graph.indexOf.get(step.templateStepName)!;
    for (const parent of graph.parents[idx]!) {
      const name = step.element ? elementStepName(graph.names[parent]!, step.element.number) : graph.names[parent]!;
      times.push(latestBefore(ends.get(name) ?? [], limit));
    }
    if (step.element) times.push(beginOfList(parts, idx, limit));
    if (graph.undoes.has(idx)) times.push(readyToUndo(parts, idx, limit));
  }
  return new Date(Math.min(limit, Math.max(...times))).toISOString();
}

/** Returns whether a step began its list with an attempt. It then waits for its elements, and continues with another attempt. */
function beganList({ toState }: HistoryEntry): boolean {
  return toState === 'pending';
}

/** When the last step of an element of a list ended, before `limit`. */
function endOfElements(
  { graph, ends }: StepParts,
  { list, last, limit }: { list: string; last: HistoryEntry; limit: number },
): string {
  const inner = [...graph.elementOf].filter(([, of]) => graph.names[of] === list);
  const times = inner.map(([idx]) => latestBefore(ends.get(graph.names[idx]!) ?? [], limit));
  return new Date(Math.max(Date.parse(last.at), ...times)).toISOString();
}

/** When the list began that a step of an element belongs to. The element may have waited for a place since then. */
function beginOfList({ graph, history }: StepParts, idx: number, limit: number): number {
  const list = graph.names[graph.elementOf.get(idx)!];
  const began = history.findLast((entry) => entry.step === list && beganList(entry) && Date.parse(entry.at) <= limit);
  return began ? Date.parse(began.at) : 0;
}

/** When a step that undoes another became ready: when the undo began, or when the last step before it had ended. */
function readyToUndo({ graph, ends, history, task }: StepParts, idx: number, limit: number): number {
  const began = history.findLast(({ what, at }) => what === 'undo' && Date.parse(at) <= limit)?.at ?? task.createdAt;
  const present = new Set([...graph.undoes.keys()].filter((by) => ends.has(graph.names[by]!) || by === idx));
  const after = undoOrder(graph, present).get(idx)!;
  return Math.max(Date.parse(began), ...after.map((by) => latestBefore(ends.get(graph.names[by]!) ?? [], limit)));
}

function attemptSpans(attempt: HistoryEntry, wait: TaskWait | undefined): TimelineSpan[] {
  const { startedAt, at, who, what, error, attempt: number } = attempt;
  const running = { attempt: number, worker: who, outcome: what, error: error?.message ?? null };
  // An attempt whose handler began a wait ends with the wait.
  const [from, to] = [Date.parse(startedAt!), Date.parse(at)];
  const since = wait && wait.endedAt !== null ? Date.parse(wait.since) : Number.NaN;
  if (wait && since >= from && since <= to) {
    return [
      spanOf({ kind: 'running', from: startedAt!, to: wait.since, attempt: number, worker: who }),
      spanOf({ ...running, kind: 'waiting', from: wait.since, to: at, worker: null }),
    ];
  }
  return [spanOf({ ...running, kind: 'running', from: startedAt!, to: at, ran_ms: attempt.durationMs })];
}

/** Returns the spans of the step that have not ended. */
function currentSpans(step: Step, parts: StepParts, last: HistoryEntry | undefined): TimelineSpan[] {
  const { wait } = parts;
  const before = {
    parts,
    last,
    number: step.attempts + (step.currentState === 'in_progress' ? 0 : 1),
    rerun: step.rerun,
  };
  switch (step.currentState) {
    case 'in_progress': {
      const from = step.lastAttemptedAt ?? parts.task.createdAt;
      return [
        ...beforeAttempt(step, from, before),
        spanOf({ kind: 'running', from, to: null, attempt: before.number, worker: step.worker }),
      ];
    }
    case 'enqueued':
      return beforeAttempt(step, null, before);
    case 'waiting_for_retry':
      if (!last) return [];
      return [spanOf({ kind: 'retry_wait', from: last.at, to: null, attempt: before.number, until: step.nextRetryAt })];
    case 'waiting':
      return wait ? [spanOf({ kind: 'waiting', from: wait.since, to: null, until: wait.until })] : [];
    case 'error':
      return last && !isHandled(step, parts)
        ? [spanOf({ kind: 'blocked', from: last.at, to: parts.task.completedAt })]
        : [];
    case 'pending':
      if (last && beganList(last)) return [spanOf({ kind: 'waiting', from: last.at, to: null })];
      return endedWait(wait, last);
    case 'complete':
    case 'resolved_manually':
    case 'cancelled':
    case 'skipped':
    case 'enqueued_for_orchestration':
    case 'enqueued_as_error_for_orchestration':
      return endedWait(wait, last);
  }
}

function endedWait(wait: TaskWait | undefined, last: HistoryEntry | undefined): TimelineSpan[] {
  if (wait?.endedAt == null || last) return [];
  return [spanOf({ kind: 'waiting', from: wait.since, to: wait.endedAt, outcome: wait.endedBy })];
}

function routesOf({ steps, graph }: TimelineParts): Set<string> {
  const routes = steps.filter(({ templateStepName: name, currentState: state }) => {
    return handlesFailures(graph.runIf[graph.indexOf.get(name)!]!) && stillHandles(state);
  });
  return new Set(routes.map(({ templateStepName }) => templateStepName));
}

function isHandled({ templateStepName, element }: Step, { graph, routes, needless, task, steps }: StepParts): boolean {
  const idx = graph.indexOf.get(templateStepName)!;
  if (element) {
    // The list has continued without the element, or has ended.
    const list = graph.names[graph.elementOf.get(idx)!];
    const isOver = steps.find(({ name }) => name === list)?.currentState !== 'pending';
    if (isOver || task.healthStatus === 'healthy') return true;
  }
  return needless.has(idx) || graph.children[idx]!.some((child) => routes.has(graph.names[child]!));
}

function spanOf(span: Pick<TimelineSpan, 'kind' | 'from' | 'to'> & Partial<TimelineSpan>): TimelineSpan {
  const { kind, from, to, until = null, attempt = null, worker = null, outcome = null, error = null } = span;
  return { kind, from, to, until, attempt, worker, outcome, error, ran_ms: span.ran_ms ?? null };
}

/** Returns the times at which steps ended, sorted, by their step in the template. */
function endsByTemplateStep({ steps, history }: TimelineParts): Map<string, number[]> {
  const templateOf = new Map(steps.map((step) => [step.name, step.templateStepName]));
  const ofElements = new Set(steps.flatMap(({ name, element }) => (element ? [name] : [])));
  const ends = new Map<string, number[]>();
  const add = (name: string, at: string) => {
    const own = ends.get(name);
    if (own) own.push(Date.parse(at));
    else ends.set(name, [Date.parse(at)]);
  };
  for (const { step, toState, at } of history) {
    const name = step === null ? undefined : templateOf.get(step);
    if (name === undefined || !ENDED.has(toState)) continue;
    add(name, at);
    if (ofElements.has(step!)) add(step!, at);
  }
  for (const { name, templateStepName, completedAt, element } of steps) {
    if (completedAt === null) continue;
    add(templateStepName, completedAt);
    if (element) add(name, completedAt);
  }
  for (const times of ends.values()) times.sort((one, other) => one - other);
  return ends;
}

/** `error`: a batch may continue without a failed worker. */
const ENDED: ReadonlySet<string> = new Set(['complete', 'resolved_manually', 'error', 'cancelled', 'skipped']);

/** Returns the last of the sorted times that is not after the limit. 0 if there is none. */
function latestBefore(times: readonly number[], limit: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return times[low - 1] ?? 0;
}

import type { BranchGraph } from './branches.ts';
import { isWorkerIndex, templateIndex } from './ids.ts';

/** The ends of its dependencies after which a step runs. docs/decisions/0036 has the table. */
export const RUN_IF = ['complete', 'not_failed', 'failed', 'ended'] as const;
export type RunIf = (typeof RUN_IF)[number];

/**
 * Added to the number of parents that a step waits for while it would be skipped, as things are. Without it, the step
 * would become ready when the last of its parents completes.
 */
export const HELD = 1 << 20;

/** Returns whether a step with this condition handles the failures of its direct parents. */
export function handlesFailures(runIf: RunIf | null): boolean {
  return runIf === 'failed' || runIf === 'ended';
}

const GAVE_UP: ReadonlySet<string> = new Set(['skipped', 'error', 'cancelled']);

/** Returns whether a step in this state, which runs after failures, handles those of its parents. */
export function stillHandles(state: string): boolean {
  return !GAVE_UP.has(state);
}

/** The part of a template's graph that decides which steps run. */
export interface RouteGraph extends BranchGraph {
  /** The steps that each step waits for besides its parents. */
  guards: readonly (readonly number[])[];
  /** By step. Null is `complete`, except for a convergence: one of its parents completed. */
  runIf: readonly (RunIf | null)[];
}

/** A step of a task, as it is stored. */
export interface StepNow {
  idx: number;
  state: string;
  remaining: number;
}

/** The batch that was made from a template step. */
export interface BatchNow {
  failureStrategy: string;
  /** The workers from this index on have no place yet. */
  nextIdx: number;
}

/** The consequences of a task's steps and their states. */
export interface Consequences {
  /** Steps whose row changes: they are skipped, become ready, or wait for another number of parents. */
  changes: { idx: number; state: 'skipped' | 'enqueued' | 'pending'; remaining: number }[];
  /** Failed steps whose failure is handled. */
  handled: Set<number>;
  /** Number of steps that have not ended. Excludes handled and tolerated failures. */
  open: number;
  /** Number of steps in `error` that block the task. */
  blocking: number;
}

const COMPLETED: ReadonlySet<string> = new Set(['complete', 'resolved_manually']);
const OVER: ReadonlySet<string> = new Set([...COMPLETED, 'cancelled', 'skipped']);

/** How the steps that were made from one template step have ended. */
interface Ending {
  /** Number of steps that have not ended. */
  open: number;
  /** Number of failures that are not handled. */
  unhandled: number;
  failed: boolean;
  completed: boolean;
  skipped: boolean;
}

/**
 * Decides every step whose parents have ended, at any depth. The result depends only on which steps exist and on their
 * states, so it can be computed again after each change.
 */
export function consequencesOf(
  graph: RouteGraph,
  steps: readonly StepNow[],
  batches: ReadonlyMap<number, BatchNow>,
): Consequences {
  const made = new Map<number, StepNow[]>();
  for (const step of steps) {
    const own = made.get(templateIndex(step.idx));
    if (own) own.push(step);
    else made.set(templateIndex(step.idx), [step]);
  }
  const isTolerated = (idx: number) =>
    isWorkerIndex(idx) && batches.get(templateIndex(idx))?.failureStrategy !== 'fail_fast';
  const isHandled = (idx: number) =>
    graph.children[idx]!.some(
      (child) => handlesFailures(graph.runIf[child]!) && (made.get(child) ?? []).some((one) => stillHandles(one.state)),
    );
  const found: Consequences = { changes: [], handled: new Set(), open: 0, blocking: 0 };
  const endings = new Map<number, Ending>();
  for (const idx of graph.order) {
    const own = made.get(idx);
    if (!own) continue;
    const verdict = own.some(({ state }) => state === 'pending') ? verdictOf(graph, idx, endings) : undefined;
    const handled = own.some(({ state }) => state === 'error') && isHandled(idx);
    const ending: Ending = { open: 0, unhandled: 0, failed: false, completed: false, skipped: false };
    for (const step of own) {
      let { state } = step;
      if (state === 'pending') {
        const { nextIdx = step.idx + 1 } = batches.get(idx) ?? {};
        const next = changeOf(step, verdict!, { hasPlace: !isWorkerIndex(step.idx) || step.idx < nextIdx });
        if (next) found.changes.push(next);
        state = next?.state ?? state;
      }
      if (state === 'error' && !isTolerated(step.idx)) {
        ending.failed = true;
        if (handled) found.handled.add(step.idx);
        else ending.unhandled++;
      } else if (state === 'error' || COMPLETED.has(state)) ending.completed = true;
      else if (OVER.has(state)) ending.skipped = true;
      else ending.open++;
    }
    found.open += ending.open + ending.unhandled;
    found.blocking += ending.unhandled;
    endings.set(idx, ending);
  }
  return found;
}

/** The consequences for a step of how its parents ended: how many of them it waits for, and whether it would be skipped. */
interface Verdict {
  waitsFor: number;
  held: boolean;
}

function verdictOf(graph: RouteGraph, idx: number, endings: ReadonlyMap<number, Ending>): Verdict {
  // A parent that was never created decides nothing: the steps of a branch that was not chosen are not waited for.
  const parents = graph.parents[idx]!.flatMap((parent) => endings.get(parent) ?? []);
  const guards = graph.guards[idx]!.flatMap((guard) => endings.get(guard) ?? []);
  const runIf = graph.runIf[idx]!;
  const sum = (of: (ending: Ending) => number, list: readonly Ending[]) => list.reduce((n, one) => n + of(one), 0);
  const open = sum((one) => one.open, parents) + sum((one) => one.open + one.unhandled, guards);
  if (runIf === 'ended') return { waitsFor: open, held: false };
  if (runIf === 'failed') return { waitsFor: open, held: !parents.some((one) => one.failed) };
  const waitsFor = open + sum((one) => one.unhandled, parents);
  const hasHandled = parents.some((one) => one.failed && one.unhandled === 0);
  if (runIf === 'not_failed') return { waitsFor, held: hasHandled };
  if (runIf === null && graph.types[idx] === 'deferred_convergence') {
    const isDecided = waitsFor === 0;
    return { waitsFor, held: hasHandled || (isDecided && !parents.some((one) => one.completed)) };
  }
  // A batch with completed workers is complete, although others of its workers were cancelled.
  return { waitsFor, held: hasHandled || parents.some((one) => one.skipped && !one.completed) };
}

function changeOf(
  { idx, remaining }: StepNow,
  { waitsFor, held }: Verdict,
  { hasPlace }: { hasPlace: boolean },
): Consequences['changes'][number] | undefined {
  if (waitsFor === 0 && held) return { idx, state: 'skipped', remaining: 0 };
  if (waitsFor === 0 && hasPlace) return { idx, state: 'enqueued', remaining: 0 };
  const next = waitsFor + (held ? HELD : 0);
  return next === remaining ? undefined : { idx, state: 'pending', remaining: next };
}

/**
 * Returns the steps to create because a decision or an analyzer ended without creating any: those below it that run after
 * other ends than success.
 */
export function routesToCreate(graph: RouteGraph, steps: readonly StepNow[]): number[] {
  const states = new Map(steps.map(({ idx, state }) => [templateIndex(idx), state]));
  const wanted = new Set<number>();
  for (const [idx, state] of states) {
    const type = graph.types[idx];
    if (type !== 'decision' && type !== 'batchable') continue;
    const isOver = state === 'error' || COMPLETED.has(state) || state === 'skipped';
    if (!isOver) continue;
    const below = belowOf(graph, idx);
    // A decision that chose a branch, and an analyzer that made a batch, have created what follows.
    const hasChosen = [...below].some(
      (child) => graph.makers[child]!.has(idx) && !graph.initial[child] && states.has(child),
    );
    if (COMPLETED.has(state) && hasChosen) continue;
    for (const step of below) {
      const runIf = graph.runIf[step]!;
      if (!states.has(step) && runIf !== null && runIf !== 'complete') wanted.add(step);
    }
  }
  return graph.order.filter((step) => wanted.has(step));
}

function belowOf(graph: RouteGraph, idx: number): Set<number> {
  const found = new Set<number>();
  const open = [...graph.children[idx]!];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (found.has(step)) continue;
    found.add(step);
    open.push(...graph.children[step]!);
  }
  return found;
}

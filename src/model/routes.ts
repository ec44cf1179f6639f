import type { BranchGraph } from './branches.ts';
import { isWorkerIndex, templateIndex } from './ids.ts';

/** The ends of its dependencies after which a step runs. docs/decisions/0036 has the table. */
export const RUN_IF = ['complete', 'not_failed', 'failed', 'ended'] as const;
export type RunIf = (typeof RUN_IF)[number];

/** How many of its dependencies a step waits for. */
export const JOIN = ['all', 'any'] as const;
export type JoinMode = (typeof JOIN)[number];

/** The fate of the steps that nothing needs once a `join: any` has started. */
export const OTHERS = ['stop', 'continue'] as const;
export type OthersMode = (typeof OTHERS)[number];

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

/** A step that starts when the first of its parents completes. */
export interface Join {
  /** The steps before it from which every path leads to it. Nothing needs them once it starts. */
  feeders: ReadonlySet<number>;
  /** Whether these steps are stopped when it starts. */
  stops: boolean;
}

/** The part of a template's graph that decides which steps run. */
export interface RouteGraph extends BranchGraph {
  /** The steps that each step waits for besides its parents. */
  guards: readonly (readonly number[])[];
  /** By step. Null is `complete`, except for a convergence: one of its parents completed. */
  runIf: readonly (RunIf | null)[];
  /** The steps with `join: any`, by index. */
  joins: ReadonlyMap<number, Join>;
}

/** Returns the steps from which every path leads to this step. */
export function feedersOf(
  { order, parents, children }: Pick<RouteGraph, 'order' | 'parents' | 'children'>,
  join: number,
): ReadonlySet<number> {
  const found = new Set<number>();
  const above = new Set(parents[join]);
  for (let at = order.indexOf(join) - 1; at >= 0; at--) {
    const step = order[at]!;
    if (!above.has(step)) continue;
    for (const parent of parents[step]!) above.add(parent);
    if (children[step]!.every((child) => child === join || found.has(child))) found.add(step);
  }
  return found;
}

/** A step of a task, as it is stored. */
export interface StepNow {
  idx: number;
  state: string;
  remaining: number;
  /** The number of the rerun that it belongs to. 0 is the first run. */
  rerun: number;
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
  /** Open steps that nothing needs any more, because a step after them took the result of another. */
  stopped: number[];
  /** The template steps of these, and the others that the join does not need, whatever their state. */
  needless: ReadonlySet<number>;
  /** Failed steps whose failure is handled. */
  handled: Set<number>;
  /** Failed steps whose failure is not handled any more, because a route after them has failed. */
  routeFailed: Set<number>;
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
 * states, so it can be computed again after each change. `waiting`: the steps that wait for the elements of their lists.
 */
export function consequencesOf(
  graph: RouteGraph,
  stored: readonly StepNow[],
  batches: ReadonlyMap<number, BatchNow>,
  waiting: ReadonlySet<number> = NONE_WAIT,
): Consequences {
  const { stopped, needless, steps } = withoutNeedless(graph, stored);
  const made = byTemplateStep(steps);
  const hasSkipped = steps.some(({ state }) => state === 'skipped');
  const begun = hasSkipped ? stepsBeforeBegun(graph, made) : new Set<number>();
  const isTolerated = (idx: number) =>
    isWorkerIndex(idx) && batches.get(templateIndex(idx))?.failureStrategy !== 'fail_fast';
  const routesOf = (idx: number) =>
    graph.children[idx]!.flatMap((child) => (handlesFailures(graph.runIf[child]!) ? (made.get(child) ?? []) : []));
  const found: Consequences = {
    changes: [],
    stopped,
    needless,
    handled: new Set(),
    routeFailed: new Set(),
    open: 0,
    blocking: 0,
  };
  const endings = new Map<number, Ending>();
  for (const idx of graph.order) {
    const own = made.get(idx);
    if (!own) continue;
    const isUndecided = own.some(({ state }) => state === 'pending' || state === 'skipped');
    const verdict = waiting.has(idx)
      ? FOR_ELEMENTS
      : isUndecided
        ? verdictOf(graph, idx, { endings, made })
        : undefined;
    // Otherwise, the route would again handle the failure that blocks because the route was skipped.
    const gaveUp = handlesFailures(graph.runIf[idx]!) && graph.parents[idx]!.some((one) => endings.get(one)?.failed);
    const comesBack = !begun.has(idx) && !needless.has(idx) && !gaveUp;
    const routes = own.some(({ state }) => state === 'error') ? routesOf(idx) : [];
    const handled = needless.has(idx) || routes.some(({ state }) => stillHandles(state));
    const ending: Ending = { open: 0, unhandled: 0, failed: false, completed: false, skipped: false };
    for (const step of own) {
      let { state } = step;
      if (state === 'pending' || (state === 'skipped' && comesBack)) {
        const { nextIdx = step.idx + 1 } = batches.get(idx) ?? {};
        const next = changeOf(step, verdict!, { hasPlace: !isWorkerIndex(step.idx) || step.idx < nextIdx });
        if (next) found.changes.push(next);
        state = next?.state ?? state;
      }
      if (state === 'error' && !isTolerated(step.idx)) {
        ending.failed = true;
        if (handled) found.handled.add(step.idx);
        else {
          ending.unhandled++;
          if (routes.some((route) => route.state === 'error')) found.routeFailed.add(step.idx);
        }
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

/** A step as callers see it. */
interface SeenStep {
  templateStepName: string;
  currentState: string;
  lastAttemptedAt: string | null;
}

/** Returns the template steps that nothing needs any more, because a join after them has begun, with that join. */
export function noLongerNeeded(
  { joins, names }: Pick<RouteGraph, 'joins'> & { names: readonly string[] },
  steps: readonly SeenStep[],
): ReadonlyMap<number, number> {
  if (joins.size === 0) return new Map();
  const hasBegun = ({ currentState: state, lastAttemptedAt }: SeenStep) =>
    lastAttemptedAt !== null || !['pending', 'skipped', 'cancelled'].includes(state);
  const started = new Set(steps.filter(hasBegun).map(({ templateStepName }) => templateStepName));
  const begun = [...joins].filter(([join]) => started.has(names[join]!));
  return new Map(begun.flatMap(([join, { feeders }]) => [...feeders].map((step) => [step, join] as const)));
}

const NONE_WAIT: ReadonlySet<number> = new Set();
/** A step waits for its elements as for one parent. */
const FOR_ELEMENTS: Verdict = { waitsFor: 1, held: false };

type Made = ReadonlyMap<number, readonly StepNow[]>;

function byTemplateStep(steps: readonly StepNow[]): Made {
  const made = new Map<number, StepNow[]>();
  for (const step of steps) {
    const own = made.get(templateIndex(step.idx));
    if (own) own.push(step);
    else made.set(templateIndex(step.idx), [step]);
  }
  return made;
}

/**
 * Returns the template steps that nothing needs, because the join after them has its result, and the steps as they are
 * once the open ones among these are stopped.
 */
function withoutNeedless(graph: RouteGraph, stored: readonly StepNow[]) {
  const needless = new Set<number>();
  const ending = new Set<number>();
  if (graph.joins.size === 0) return { stopped: [], needless, steps: stored };
  const made = byTemplateStep(stored);
  for (const [join, { feeders, stops }] of graph.joins) {
    const isWon = made.has(join) && awaitedBy(graph, join, made).some(({ state }) => COMPLETED.has(state));
    if (!isWon) continue;
    for (const step of feeders) {
      needless.add(step);
      if (stops) ending.add(step);
    }
  }
  const stopped: number[] = [];
  const steps = stored.map((step) => {
    if (!ending.has(templateIndex(step.idx)) || OVER.has(step.state) || step.state === 'error') return step;
    stopped.push(step.idx);
    return { ...step, state: 'skipped' };
  });
  return { stopped, needless, steps };
}

/** Returns the parents of which a join takes the first. After a rerun of some of them, it waits for these. */
function awaitedBy({ parents }: RouteGraph, join: number, made: Made): readonly StepNow[] {
  const all = parents[join]!.flatMap((parent) => made.get(parent) ?? []);
  const { rerun } = made.get(join)![0]!;
  const covered = rerun > 0 ? all.filter((parent) => parent.rerun === rerun) : [];
  return covered.length > 0 ? covered : all;
}

/**
 * Returns the template steps with a later step that has begun. They are not decided again, because that step has already
 * used their outcomes.
 */
function stepsBeforeBegun({ order, children, types, initial }: RouteGraph, made: Made): ReadonlySet<number> {
  const found = new Set<number>();
  const isBegun = (step: number) => made.get(step)?.some(({ state }) => state !== 'pending' && state !== 'skipped');
  for (const step of order.toReversed()) {
    const hasCreated = (child: number) => types[step] === 'decision' && !initial[child] && made.has(child);
    if (children[step]!.some((child) => found.has(child) || isBegun(child) || hasCreated(child))) found.add(step);
  }
  return found;
}

/** The consequences for a step of how its parents ended: how many of them it waits for, and whether it would be skipped. */
interface Verdict {
  waitsFor: number;
  held: boolean;
}

function verdictOf(
  graph: RouteGraph,
  idx: number,
  { endings, made }: { endings: ReadonlyMap<number, Ending>; made: Made },
): Verdict {
  // A parent that was never created decides nothing: the steps of a branch that was not chosen are not waited for.
  const parents = graph.parents[idx]!.flatMap((parent) => endings.get(parent) ?? []);
  const guards = graph.guards[idx]!.flatMap((guard) => endings.get(guard) ?? []);
  const runIf = graph.runIf[idx]!;
  const sum = (of: (ending: Ending) => number, list: readonly Ending[]) => list.reduce((n, one) => n + of(one), 0);
  const open = sum((one) => one.open, parents) + sum((one) => one.open + one.unhandled, guards);
  if (graph.joins.has(idx)) {
    const awaited = awaitedBy(graph, idx, made);
    if (awaited.some(({ state }) => COMPLETED.has(state))) return { waitsFor: 0, held: false };
    const isOver =
      open === 0 && awaited.every(({ idx: parent }) => endings.get(templateIndex(parent))!.unhandled === 0);
    // The first parent that completes must ask for a decision, so the counter never shows how many others are open.
    return { waitsFor: isOver ? 0 : 1, held: true };
  }
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
  { idx, state, remaining }: StepNow,
  { waitsFor, held }: Verdict,
  { hasPlace }: { hasPlace: boolean },
): Consequences['changes'][number] | undefined {
  if (state === 'skipped') {
    // A step whose parents have all ended was skipped by them or by its condition.
    return waitsFor === 0 ? undefined : { idx, state: 'pending', remaining: waitsFor + (held ? HELD : 0) };
  }
  if (waitsFor === 0 && held) return { idx, state: 'skipped', remaining: 0 };
  if (waitsFor === 0 && hasPlace) return { idx, state: 'enqueued', remaining: 0 };
  const next = waitsFor + (held ? HELD : 0);
  return next === remaining ? undefined : { idx, state: 'pending', remaining: next };
}

/**
 * Returns the steps to create below each decision and analyzer that has ended, if it created none: the steps that run after
 * other ends than success. Whether a complete decision created some is in its result.
 */
export function routesToCreate(
  graph: RouteGraph,
  steps: readonly StepNow[],
  { handled, needless }: Pick<Consequences, 'handled' | 'needless'>,
): Map<number, readonly number[]> {
  const states = new Map(steps.map(({ idx, state }) => [templateIndex(idx), state]));
  const found = new Map<number, readonly number[]>();
  for (const [idx, state] of states) {
    const type = graph.types[idx];
    if ((type !== 'decision' && type !== 'batchable') || needless.has(idx)) continue;
    const isComplete = COMPLETED.has(state);
    if (!isComplete && state !== 'error' && state !== 'skipped') continue;
    const hasBatch = graph.children[idx]!.some((child) => graph.types[child] === 'batch_worker' && states.has(child));
    if (isComplete && hasBatch) continue;
    // While its failure blocks, an operator can still let it decide.
    const isFinal = state !== 'error' || handled.has(idx);
    const isWanted = (step: number) => {
      const runIf = graph.runIf[step]!;
      return !states.has(step) && (handlesFailures(runIf) || (isFinal && runIf === 'not_failed'));
    };
    const wanted = [...belowOf(graph, idx)].filter(isWanted);
    if (wanted.length > 0) found.set(idx, wanted);
  }
  return found;
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

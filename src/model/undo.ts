import { isWorkerIndex } from './ids.ts';
import type { Consequences, StepNow } from './routes.ts';

/**
 * Why an undo leaves a step as it is. `child_abandoned`, `child_deleted`: its child task cannot be undone, and the step that
 * would undo it fails.
 */
export const UNDO_REASONS = [
  'no_undo',
  'not_started',
  'not_completed',
  'resolved_manually',
  'already_undone',
  'child_abandoned',
  'child_deleted',
] as const;

/** The part of a template's graph that decides the order of an undo. */
export interface UndoGraph {
  /** Parents before children. */
  order: readonly number[];
  children: readonly (readonly number[])[];
  /** The steps that undo others, with the steps that they undo. */
  undoes: ReadonlyMap<number, number>;
}

const ENDED: ReadonlySet<string> = new Set(['complete', 'resolved_manually', 'skipped', 'cancelled']);

/**
 * Returns the steps that each step of an undo waits for: the steps that undo the nearest steps after the step that it undoes.
 * Steps without one are passed through, so the order of the task holds across them. `chosen`: the steps of the undo.
 */
export function undoOrder(graph: UndoGraph, chosen: ReadonlySet<number>): ReadonlyMap<number, readonly number[]> {
  const undoneBy = new Map([...graph.undoes].flatMap(([by, step]) => (chosen.has(by) ? [[step, by] as const] : [])));
  // By step of the template: the nearest steps of the undo that undo it or what came after it.
  const nearest = new Map<number, readonly number[]>();
  const found = new Map<number, readonly number[]>();
  for (const step of graph.order.toReversed()) {
    const [first, ...others] = graph.children[step]!.map((child) => nearest.get(child)!);
    // Steps of a chain share one list.
    const after = others.length === 0 ? (first ?? []) : [...new Set([first!, ...others].flat())];
    const by = undoneBy.get(step);
    if (by !== undefined) found.set(by, after);
    nearest.set(step, by === undefined ? after : [by]);
  }
  return found;
}

/** Returns the steps of an undo that can start: every step that they wait for has ended. */
export function readyToUndo(
  order: ReadonlyMap<number, readonly number[]>,
  states: ReadonlyMap<number, string>,
): number[] {
  const hasEnded = (step: number) => ENDED.has(states.get(step)!);
  return [...order].flatMap(([step, after]) => (states.get(step) === 'pending' && after.every(hasEnded) ? [step] : []));
}

/** Returns the consequences of the states of a task's steps while the task is undone. Only the steps of the undo count. */
export function consequencesOfUndo(graph: UndoGraph, stored: readonly StepNow[]): Consequences {
  const states = new Map(
    stored.flatMap(({ idx, state }) => (!isWorkerIndex(idx) && graph.undoes.has(idx) ? [[idx, state] as const] : [])),
  );
  const ready = readyToUndo(undoOrder(graph, new Set(states.keys())), states);
  const all = [...states.values()];
  return {
    changes: ready.map((idx) => ({ idx, state: 'enqueued', remaining: 0 })),
    stopped: [],
    needless: new Set(),
    handled: new Set(),
    routeFailed: new Set(),
    open: all.filter((state) => !ENDED.has(state)).length,
    blocking: all.filter((state) => state === 'error').length,
  };
}

/**
 * Returns the steps of a task that had failed before it was undone, and whose failure was handled or tolerated. They never run
 * again.
 */
export function failuresBeforeUndo({ undoes }: UndoGraph, stored: readonly StepNow[]): Set<number> {
  return new Set(stored.flatMap(({ idx, state }) => (state === 'error' && !undoes.has(idx) ? [idx] : [])));
}

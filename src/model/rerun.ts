import { type BranchGraph, bornSteps } from './branches.ts';

/** The part of a template's graph that a rerun follows. */
export interface RerunGraph extends BranchGraph {
  /** The steps that each step waits for besides its parents. */
  guards: readonly (readonly number[])[];
}

/** The steps of a task, as input of a rerun. */
export interface RerunOf {
  /** The first template step. */
  from: number;
  /** The template steps that the task has, those of its batches included. */
  existing: ReadonlySet<number>;
  /** Returns the steps that a finished decision before `from` named. */
  namedBy: (decision: number) => readonly number[];
}

/** The template steps that a rerun covers. */
export interface RerunPlan {
  /** The steps that run again, `from` included. */
  again: Set<number>;
  /** The steps that were created by decisions and analyzers that run again, and may be created again by these. */
  removed: Set<number>;
}

/**
 * Returns the steps that run again when a task runs again from a step: the step and all steps that waited for it,
 * directly or indirectly. Template steps that the task does not have are ignored. A step that depends only on such a
 * step did not wait for it, and keeps its result.
 *
 * Steps that exist because of a decision or an analyzer that runs again are removed, unless another decision, which
 * does not run again, would also have created them. The result depends only on which steps exist, not on the order of
 * the decisions.
 */
export function planRerun(graph: RerunGraph, { from, existing, namedBy }: RerunOf): RerunPlan {
  const covered = new Set<number>([from]);
  for (const step of graph.order) {
    if (!existing.has(step)) continue;
    const waitsFor = (other: number) => covered.has(other);
    if (graph.parents[step]!.some(waitsFor) || graph.guards[step]!.some(waitsFor)) covered.add(step);
  }
  const there = new Set([...existing].filter((step) => !covered.has(step)));
  const open = new Set<number>();
  for (const step of covered) {
    if (isCertain(graph, step, covered)) there.add(step);
    else open.add(step);
  }
  if (open.size > 0) {
    const deciding = new Set([...open].flatMap((step) => [...graph.makers[step]!]));
    const kept = [...deciding].filter((maker) => !covered.has(maker) && graph.types[maker] === 'decision');
    const named = kept.flatMap(namedBy).filter((step) => open.has(step));
    for (const step of bornSteps(graph, named, there)) open.delete(step);
  }
  return { again: new Set([...covered].filter((step) => !open.has(step))), removed: open };
}

/** Returns whether a step exists regardless of the new decisions of the steps that run again. */
function isCertain(
  { types, parents, initial, makers }: RerunGraph,
  step: number,
  covered: ReadonlySet<number>,
): boolean {
  // Only its analyzer creates batch workers.
  if (types[step] === 'batch_worker') {
    return !parents[step]!.some((parent) => types[parent] === 'batchable' && covered.has(parent));
  }
  return initial[step]! || ![...makers[step]!].some((maker) => covered.has(maker));
}

import type { TemplateGraph } from '../template/template-graph.ts';

/** What is known of the steps of a task that are over. */
export interface StepsThatAreOver {
  /** Those whose result is at hand, by their place. */
  texts: { has(idx: number): boolean };
  /** Those whose result is left where it is. */
  withheld: { has(idx: number): boolean };
  /** The workers of batches, by the template step that they are made from. */
  batches: { get(idx: number): readonly unknown[] | undefined };
}

/**
 * The steps above one that it comes after, children before parents: up through the steps that this task has, and no
 * further where one was not made. A way through a step that does not exist leads to steps that nobody waited for, and
 * whether their results are there would be a matter of chance. Yields the first unknown ones too, and goes on from them
 * if they are known by then.
 */
export function* reachedFrom(graph: TemplateGraph, step: number, known: StepsThatAreOver): Generator<number> {
  const reached = new Set(graph.parents[step]!);
  const ancestors = graph.ancestors[step]!;
  for (let i = ancestors.length - 1; i >= 0; i--) {
    const idx = ancestors[i]!;
    if (!reached.has(idx)) continue;
    yield idx;
    const members = known.batches.get(idx);
    if (!members && !known.texts.has(idx) && !known.withheld.has(idx)) continue;
    for (const parent of graph.parents[idx]!) {
      // Of a batch without results it is not known whether it is there at all; its analyzer was waited for in any case.
      if (members?.length !== 0 || graph.types[parent] === 'batchable') reached.add(parent);
    }
  }
}

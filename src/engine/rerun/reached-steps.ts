import { placeFor } from '../../model/for-each.ts';
import { isWorkerIndex, templateIndex } from '../../model/ids.ts';
import type { TemplateGraph } from '../../template/template-graph.ts';

/** Facts about the ended steps of a task. */
export interface EndedSteps {
  /** The steps whose result is loaded, by index. */
  texts: { has(idx: number): boolean };
  /** The steps whose result was not loaded because it is too large. */
  withheld: { has(idx: number): boolean };
  /** The steps that ended without a result: they were skipped, or their failure is handled. */
  without: { has(idx: number): boolean };
  /** The batch workers, by the template step that they are created from. */
  batches: { get(idx: number): readonly unknown[] | undefined };
}

/** Returns the facts as a step of an element sees them: the steps of its own element stand for those of the template. */
export function knownFor(graph: TemplateGraph, reader: number, known: EndedSteps): EndedSteps {
  if (!isWorkerIndex(reader) || !graph.elementOf.has(templateIndex(reader))) return known;
  const own = (facts: { has(idx: number): boolean }) => ({
    has: (idx: number) => facts.has(placeFor(graph, reader, idx)),
  });
  return { ...known, texts: own(known.texts), withheld: own(known.withheld), without: own(known.without) };
}

/**
 * Yields the ancestors that a step waited for, children before parents. A path ends at a step that this task does not
 * have. The step did not wait for the ancestors beyond it, so whether they have results depends on timing. The first
 * unknown step on a path is yielded too. If it is known when the generator resumes, the walk continues from it.
 */
export function* reachedFrom(graph: TemplateGraph, step: number, known: EndedSteps): Generator<number> {
  const undone = graph.undoes.get(step);
  const list = graph.elementOf.get(step);
  const above = list === undefined ? graph.parents[step]! : [...graph.parents[step]!, ...graph.parents[list]!];
  const reached = new Set(undone === undefined ? above : [undone]);
  const ancestors = graph.ancestors[step]!;
  for (let i = ancestors.length - 1; i >= 0; i--) {
    const idx = ancestors[i]!;
    if (!reached.has(idx)) continue;
    yield idx;
    const members = known.batches.get(idx);
    const isEnded = known.texts.has(idx) || known.withheld.has(idx) || known.without.has(idx);
    if (!members && !isEnded) continue;
    for (const parent of graph.parents[idx]!) {
      // A batch without results may not exist, but the step waited for its analyzer in any case.
      if (members?.length !== 0 || graph.types[parent] === 'batchable') reached.add(parent);
    }
  }
}

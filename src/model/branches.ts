/** The part of a template's graph that the rules about branches use. */
export interface BranchGraph {
  /** Parents before children. */
  order: readonly number[];
  /** The declared dependencies of each step, by index. */
  parents: readonly (readonly number[])[];
  children: readonly (readonly number[])[];
  /** The type of each step, as templates write it. */
  types: readonly string[];
  /** Whether a task starts with the step. */
  initial: readonly boolean[];
  /** The decisions and analyzers among the ancestors of each step, which may create steps. */
  makers: readonly ReadonlySet<number>[];
  /** Whether some decision may name the step. */
  inBranch: readonly boolean[];
}

/** Returns the decisions and analyzers among the ancestors of each step. Steps of a chain share one set. */
export function makersAbove({
  order,
  parents,
  types,
}: Pick<BranchGraph, 'order' | 'parents' | 'types'>): ReadonlySet<number>[] {
  const none: ReadonlySet<number> = new Set();
  const found = new Array<ReadonlySet<number>>(types.length).fill(none);
  for (const step of order) {
    const own = parents[step]!.filter((parent) => types[parent] === 'decision' || types[parent] === 'batchable');
    const sets = [...new Set(parents[step]!.map((parent) => found[parent]!))].filter((set) => set.size > 0);
    if (own.length === 0 && sets.length < 2) found[step] = sets[0] ?? none;
    else found[step] = new Set([...sets.flatMap((set) => [...set]), ...own]);
  }
  return found;
}

/** Returns for each step whether some decision may name it, by the rule of {@link branchesOf}. */
export function stepsInBranches({
  order,
  parents,
  types,
}: Pick<BranchGraph, 'order' | 'parents' | 'types'>): boolean[] {
  const found = new Array<boolean>(types.length).fill(false);
  for (const step of order) {
    if (types[step] === 'batch_worker' || types[step] === 'deferred_convergence') continue;
    found[step] = parents[step]!.some((parent) => types[parent] === 'decision' || found[parent]!);
  }
  return found;
}

/**
 * Returns the steps that a decision may name: the steps downstream of it, up to and including the next decision.
 * Excludes batch workers, convergences and the steps after them, because other rules create them.
 */
export function branchesOf(graph: BranchGraph, decision: number): number[] {
  const found = new Set<number>();
  const open = [...graph.children[decision]!];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    const type = graph.types[step]!;
    if (found.has(step) || type === 'batch_worker' || type === 'deferred_convergence') continue;
    found.add(step);
    if (type !== 'decision') open.push(...graph.children[step]!);
  }
  return graph.order.filter((step) => found.has(step));
}

/**
 * Returns, for each decision, the number of decisions on the longest path to it, including itself. Other steps have 0.
 */
export function decisionDepths(graph: BranchGraph): number[] {
  const isDecision = (step: number) => graph.types[step] === 'decision';
  const depths = new Array<number>(graph.types.length).fill(0);
  for (const step of graph.order) {
    for (const parent of graph.parents[step]!) depths[step] = Math.max(depths[step]!, depths[parent]!);
    if (isDecision(step)) depths[step]!++;
  }
  return depths.map((depth, step) => (isDecision(step) ? depth : 0));
}

/**
 * Returns the steps to create in a task that already has the `existing` steps, in topological order. These are the
 * steps that a decision `named`, and their successors up to the next decision, batch or convergence. Each convergence
 * that depends on one of these steps is included, as are the steps after a convergence once everything that it depends
 * on exists. A branch whose other parents were not chosen runs without them. For a batch, `existing` includes the step
 * of its workers, and nothing is named.
 */
export function bornSteps(graph: BranchGraph, named: readonly number[], existing: ReadonlySet<number>): number[] {
  // The result depends only on which steps exist, not on which of them are new. Two independent decisions therefore
  // create the same steps, regardless of which of them is recorded first.
  const there = new Set([...existing, ...named]);
  const born: number[] = [];
  for (const step of graph.order) {
    if (existing.has(step)) continue;
    if (!named.includes(step) && !follows(graph, step, there)) continue;
    there.add(step);
    born.push(step);
  }
  return born;
}

/** Returns whether a step that no decision named is created because of its parents. */
function follows(graph: BranchGraph, step: number, there: ReadonlySet<number>): boolean {
  const { types, initial, inBranch, makers } = graph;
  const parents = graph.parents[step]!;
  // Batch workers are only created by their analyzer.
  if (types[step] === 'batch_worker') return false;
  const made = parents.filter((parent) => there.has(parent) && !initial[parent]);
  if (types[step] === 'deferred_convergence' || made.some((parent) => types[parent] === 'batch_worker')) {
    return made.length > 0;
  }
  const followed = made.filter((parent) => types[parent] !== 'decision');
  // A direct branch of a decision must be named by it, unless the decision is an ancestor of a parent that exists.
  const decided = parents.filter((parent) => types[parent] === 'decision');
  if (!decided.every((decision) => followed.some((parent) => makers[parent]!.has(decision)))) return false;
  if (followed.some((parent) => inBranch[parent])) return true;
  return followed.length > 0 && parents.every((parent) => there.has(parent));
}

/**
 * Returns the steps besides its parents that must end before a step may start. These are the decisions and analyzers
 * among its ancestors, because each of them may still create a parent. Without them, a convergence of branches of two
 * decisions would run when the branches of the first decision are done. A step that is named while its only parent does
 * not exist waits for the decision that named it.
 */
export function guardsOf({ parents: all, types, makers, inBranch }: BranchGraph, step: number): number[] {
  const parents = all[step]!;
  const alwaysAfterParent = parents.length < 2 && !(inBranch[step] && types[parents[0]!] !== 'decision');
  if (alwaysAfterParent) return [];
  return [...makers[step]!].filter((maker) => !parents.includes(maker)).sort((a, b) => a - b);
}

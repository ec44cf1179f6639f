/** What the rules about branches need to know of a template's graph. */
export interface BranchGraph {
  /** Parents before children. */
  order: readonly number[];
  /** The declared dependencies of each step. */
  parents: readonly (readonly number[])[];
  children: readonly (readonly number[])[];
  /** The type of each step, as templates write it. */
  types: readonly string[];
  /** The steps that a task starts with. */
  initial: readonly boolean[];
  /** The decisions and analyzers above each step: those that may make others. */
  makers: readonly ReadonlySet<number>[];
  /** The steps that some decision may name. */
  inBranch: readonly boolean[];
}

/** The decisions and analyzers above each step. Steps of a chain share one set. */
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

/** Which steps some decision may name: all that {@link branchesOf} finds for any of them. */
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
 * The steps that a decision may name: downstream of it, and not behind another decision, a batch or a convergence,
 * whose creation is not its business.
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

/** How many decisions lie on the longest way to each decision, itself included; 0 for other steps. */
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
 * Returns the steps that come into being in a task that has the `existing` ones, in topological order: those that a
 * decision `named`, those that follow them up to the next decision, batch or convergence, each convergence that one of
 * them feeds, and the steps after a convergence once everything that it depends on exists. A branch whose other parents
 * were not chosen runs without them. For a batch, `existing` includes the step of its workers, and nothing is named.
 */
export function bornSteps(graph: BranchGraph, named: readonly number[], existing: ReadonlySet<number>): number[] {
  // Only what exists decides, and not what is new: two independent decisions create the same steps whichever of them is
  // recorded first.
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

/** Whether a step that nobody named exists because of its parents. */
function follows(graph: BranchGraph, step: number, there: ReadonlySet<number>): boolean {
  const { types, initial, inBranch, makers } = graph;
  const parents = graph.parents[step]!;
  // Whether there are workers is for their analyzer to say.
  if (types[step] === 'batch_worker') return false;
  const made = parents.filter((parent) => there.has(parent) && !initial[parent]);
  if (types[step] === 'deferred_convergence' || made.some((parent) => types[parent] === 'batch_worker')) {
    return made.length > 0;
  }
  const followed = made.filter((parent) => types[parent] !== 'decision');
  // A direct branch of a decision that is not above what it follows is for that decision to name.
  const decided = parents.filter((parent) => types[parent] === 'decision');
  if (!decided.every((decision) => followed.some((parent) => makers[parent]!.has(decision)))) return false;
  if (followed.some((parent) => inBranch[parent])) return true;
  return followed.length > 0 && parents.every((parent) => there.has(parent));
}

/**
 * Steps that must be over before a step may start, besides its parents: each decision and each analyzer above it,
 * because any of them may yet create a parent. Without them, a convergence of branches of two decisions would run when
 * the first one's are done. And a step that is named while its only parent is not there waits for whoever named it.
 */
export function guardsOf({ parents: all, types, makers, inBranch }: BranchGraph, step: number): number[] {
  const parents = all[step]!;
  const alwaysAfterParent = parents.length < 2 && !(inBranch[step] && types[parents[0]!] !== 'decision');
  if (alwaysAfterParent) return [];
  return [...makers[step]!].filter((maker) => !parents.includes(maker)).sort((a, b) => a - b);
}

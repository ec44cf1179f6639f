/** What the rules about branches need to know of a template's graph. */
export interface BranchGraph {
  /** Parents before children. */
  order: readonly number[];
  /** The declared dependencies of each step. */
  parents: readonly (readonly number[])[];
  children: readonly (readonly number[])[];
  /** The type of each step, as templates write it. */
  types: readonly string[];
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
  const below = new Array<number>(graph.types.length).fill(0);
  const depths = new Array<number>(graph.types.length).fill(0);
  for (const step of graph.order) {
    for (const parent of graph.parents[step]!) below[step] = Math.max(below[step]!, below[parent]!);
    if (graph.types[step] !== 'decision') continue;
    below[step]!++;
    depths[step] = below[step]!;
  }
  return depths;
}

/**
 * The steps that come into being when a decision names `requested`, in topological order. Besides those: what follows
 * them up to the next decision, batch or convergence; each convergence that one of them feeds; and what follows a
 * convergence, once all that it depends on exists. A branch whose other parents were not chosen goes on without them.
 */
export function stepsOfDecision(
  graph: BranchGraph,
  { requested, existing }: { requested: Iterable<number>; existing: ReadonlySet<number> },
): number[] {
  return grown(graph, new Map([...requested].map((step) => [step, 'branch'])), existing);
}

/** The steps that come into being with the workers made from `worker`: those that join them, and what follows. */
export function stepsOfBatch(
  graph: BranchGraph,
  { worker, existing }: { worker: number; existing: ReadonlySet<number> },
): number[] {
  const seeds = new Map<number, Reach>([[worker, 'joined']]);
  for (const child of graph.children[worker]!) if (graph.types[child] !== 'batch_worker') seeds.set(child, 'joined');
  return grown(graph, seeds, existing).filter((step) => step !== worker);
}

/** Reached along a branch, or only through a convergence. */
type Reach = 'branch' | 'joined';

function grown(graph: BranchGraph, seeds: ReadonlyMap<number, Reach>, existing: ReadonlySet<number>): number[] {
  const born = new Map<number, Reach>();
  for (const step of graph.order) {
    if (existing.has(step)) continue;
    const reach = seeds.get(step) ?? reachOf(graph, step, { born, existing });
    if (reach) born.set(step, reach);
  }
  return [...born.keys()];
}

function reachOf(
  { parents: allParents, types }: BranchGraph,
  step: number,
  { born, existing }: { born: ReadonlyMap<number, Reach>; existing: ReadonlySet<number> },
): Reach | undefined {
  const parents = allParents[step]!;
  // Whether there are workers, and a decision's own branches, is for the batch and that decision to say.
  if (types[step] === 'batch_worker') return undefined;
  const fed = parents.filter((parent) => born.has(parent));
  if (fed.length === 0) return undefined;
  if (types[step] === 'deferred_convergence') return 'joined';
  if (parents.some((parent) => types[parent] === 'decision' && (born.has(parent) || !existing.has(parent)))) {
    return undefined;
  }
  if (fed.some((parent) => born.get(parent) === 'branch')) return 'branch';
  return parents.every((parent) => born.has(parent) || existing.has(parent)) ? 'joined' : undefined;
}

/**
 * Steps that must be over before a step with several parents may start, besides its parents: each decision and each
 * analyzer above it, because any of them may yet create a parent. Without them, a convergence of branches of two
 * decisions would run when the first one's are done.
 */
export function guardsOf(graph: BranchGraph & { ancestors: readonly (readonly number[])[] }, step: number): number[] {
  const parents = graph.parents[step]!;
  if (parents.length < 2) return [];
  const creators = new Set(['decision', 'batchable']);
  return graph.ancestors[step]!.filter(
    (ancestor) => creators.has(graph.types[ancestor]!) && !parents.includes(ancestor),
  );
}

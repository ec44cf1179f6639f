import { guardsOf, makersAbove, stepsInBranches } from '../model/branches.ts';
import { feedersOf, type Join, type RunIf } from '../model/routes.ts';
import type { StepTemplate, StepType, TaskTemplate } from './task-template.ts';

/** The dependencies between steps. Steps are identified by their index in `template.steps`. */
export interface TemplateGraph {
  names: string[];
  indexOf: ReadonlyMap<string, number>;
  /** The topological order, parents before children. Independent steps are in the order of declaration. */
  order: number[];
  /** The dependencies of each step, in the order declared. */
  parents: number[][];
  /** The steps that depend directly on each step, in the order of the template. */
  children: number[][];
  /**
   * All direct and indirect dependencies of each step, in topological order. Each list is created on first access,
   * because together they are quadratic in a long chain, and only a few are ever needed.
   */
  ancestors: number[][];
  /**
   * The steps that must end before a step can start, in addition to its dependencies, because they could still create
   * one of the dependencies. In the order of the template.
   */
  guards: number[][];
  /** The decisions and analyzers among the ancestors of each step, which can create other steps. */
  makers: ReadonlySet<number>[];
  /** Whether a decision can name the step. */
  inBranch: boolean[];
  types: StepType[];
  /**
   * For batch workers with several dependencies: all steps that they wait for, including the analyzer and the guards.
   */
  beforeWorkers: ReadonlySet<number>;
  /** Whether a decision or a batch can add steps to a task. */
  dynamic: boolean;
  /** The ends of its parents after which each step runs. Null: the template does not say. */
  runIf: (RunIf | null)[];
  /** The steps with `join: any`, by index. */
  joins: ReadonlyMap<number, Join>;
  /** Whether the states of its steps have consequences that only the program computes: steps may be skipped or end the task. */
  routed: boolean;
  /** The steps that undo others, with the steps that they undo. They have no dependencies, and a task starts without them. */
  undoes: ReadonlyMap<number, number>;
  /** The steps that run for each element of a list, with the step that has the list. No dependency leads into or out of them. */
  elementOf: ReadonlyMap<number, number>;
  /** Steps without dependencies. */
  roots: number[];
  /**
   * Whether the step is created with the task. Batch workers and all descendants of decisions and batch workers are
   * not: whether they are created depends on the outcomes of their ancestors.
   */
  initial: boolean[];
}

/** The part of a template from which its graph is made. Its steps may include steps that undo others. */
type Graphed = Pick<TaskTemplate, 'lifecycle'> & { steps: readonly (StepTemplate & { undoes?: string | null })[] };

/** Returns the graph of a valid template: it has no cycles, and no unknown or duplicate names. */
export function graphOf(template: Graphed): TemplateGraph {
  const { steps } = template;
  const indexOf = new Map(steps.map(({ name }, index) => [name, index]));
  const parents = steps.map(({ dependencies }) => dependencies.map((name) => indexOf.get(name)!));
  const children = childrenOf(parents);
  const order = orderOf(parents, children);
  const initial = new Array<boolean>(steps.length).fill(true);
  for (const index of order) {
    const isDynamic = parents[index]!.some((parent) => !initial[parent] || steps[parent]!.type === 'decision');
    initial[index] = steps[index]!.type !== 'batch_worker' && !isDynamic;
  }
  const undoes = new Map(
    steps.flatMap(({ undoes }, index) => (undoes == null ? [] : [[index, indexOf.get(undoes)!] as const])),
  );
  const elementOf = new Map(
    steps.flatMap(({ elementOf }, index) => (elementOf === null ? [] : [[index, indexOf.get(elementOf)!] as const])),
  );
  for (const index of [...undoes.keys(), ...elementOf.keys()]) initial[index] = false;
  const types = steps.map(({ type }) => type);
  const makers = makersAbove({ order, parents, types });
  const inBranch = stepsInBranches({ order, parents, types });
  const branchGraph = { order, parents, children, types, initial, makers, inBranch };
  const guards = steps.map((_, index) => (initial[index] ? [] : guardsOf(branchGraph, index)));
  return {
    names: steps.map(({ name }) => name),
    indexOf,
    order,
    parents,
    children,
    ancestors: ancestorsOf(parents, order, { undoes, elementOf }),
    guards,
    makers,
    inBranch,
    types,
    beforeWorkers: new Set(
      types.flatMap((type, index) =>
        type === 'batch_worker' && parents[index]!.length > 1 ? [...parents[index]!, ...guards[index]!] : [],
      ),
    ),
    dynamic: types.some((type) => type === 'decision' || type === 'batchable' || type === 'batch_worker'),
    runIf: steps.map(({ runIf }) => runIf),
    joins: new Map(
      steps.flatMap(({ join, others }, index) =>
        join === 'any' ? [[index, { feeders: feedersOf(branchGraph, index), stops: others !== 'continue' }]] : [],
      ),
    ),
    routed:
      template.lifecycle?.onBlocked === 'error' ||
      undoes.size > 0 ||
      elementOf.size > 0 ||
      steps.some(
        ({ type, when, runIf, join }) =>
          type === 'fail' || when !== null || (runIf ?? 'complete') !== 'complete' || join === 'any',
      ),
    undoes,
    elementOf,
    roots: order.filter((index) => parents[index]!.length === 0 && !undoes.has(index) && !elementOf.has(index)),
    initial,
  };
}

/** Returns the dependencies of each step, for pictures: the first steps of an element follow the step that has the list. */
export function parentsWithLists({ parents, elementOf }: Pick<TemplateGraph, 'parents' | 'elementOf'>): number[][] {
  return parents.map((above, idx) => (above.length === 0 && elementOf.has(idx) ? [elementOf.get(idx)!] : above));
}

/** Returns the children of each node of a graph that is given by its parents. */
export function childrenOf(parents: readonly (readonly number[])[]): number[][] {
  const children: number[][] = parents.map(() => []);
  for (const [child, of] of parents.entries()) for (const parent of of) children[parent]!.push(child);
  return children;
}

/**
 * Returns the nodes with parents before children. Omits nodes that are on a cycle or below one. Among the nodes whose
 * parents are all in the result, the node declared first comes next.
 */
export function orderOf(parents: readonly (readonly number[])[], children: readonly number[][]): number[] {
  const waitingFor = parents.map((of) => of.length);
  const order: number[] = [];
  let index = 0;
  while (index < parents.length) {
    let next = index + 1;
    if (waitingFor[index] === 0) {
      waitingFor[index] = -1; // taken
      order.push(index);
      // A child declared before this node may be ready now. No other node before it can be, because ready nodes are
      // taken in order.
      for (const child of children[index]!) if (--waitingFor[child]! === 0 && child < next) next = child;
    }
    index = next;
  }
  return order;
}

/**
 * Returns the ancestors of each step. Those of a step that undoes another are that step and its ancestors, and those of a
 * step of an element include those of its list. Each step has a row of bits by topological rank, so that sets are merged
 * with an `or` and rows are read in order.
 */
function ancestorsOf(
  parents: readonly number[][],
  order: readonly number[],
  { undoes, elementOf }: Pick<TemplateGraph, 'undoes' | 'elementOf'>,
): number[][] {
  const words = Math.ceil(order.length / 32);
  const bits = new Uint32Array(order.length * words);
  const rank = new Uint32Array(order.length);
  for (const [position, index] of order.entries()) rank[index] = position;
  for (const index of order) {
    for (const parent of parents[index]!) {
      // An ancestor has a lower rank than its descendant, so the parent's row ends at the parent's own bit.
      const end = rank[parent]! >>> 5;
      for (let word = 0; word <= end; word++) bits[index * words + word]! |= bits[parent * words + word]!;
      bits[index * words + end]! |= 1 << (rank[parent]! & 31);
    }
  }
  const row = (index: number): number[] => {
    const undone = undoes.get(index);
    if (undone !== undefined) return [...row(undone), undone];
    const own = readRow(bits.subarray(index * words, (index + 1) * words), order);
    const list = elementOf.get(index);
    return list === undefined ? own : [...row(list), ...own];
  };
  return lazily(order.length, row);
}

function readRow(row: Uint32Array, order: readonly number[]): number[] {
  const found: number[] = [];
  for (const [position, word] of row.entries()) {
    for (let left = word; left !== 0; left &= left - 1)
      found.push(order[position * 32 + 31 - Math.clz32(left & -left)]!);
  }
  return found;
}

/** Returns an array whose elements are created when they are first read. */
function lazily<T>(length: number, make: (index: number) => T): T[] {
  const list: T[] = new Array(length);
  for (let index = 0; index < length; index++) {
    const get = () => {
      const value = make(index);
      Object.defineProperty(list, index, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(list, index, { get, enumerable: true, configurable: true });
  }
  return list;
}

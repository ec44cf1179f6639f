import type { GraphEdge, GraphNode, StepState, TaskGraph } from '../../../api/types.ts';
import type { StepConditions } from './conditions.tsx';

/** A step of the template: one step of the task, a batch of steps, a step for each element of a list, or no step (yet). */
export interface Group {
  name: string;
  type: string;
  handler: string;
  steps: readonly GraphNode[];
  isBatch: boolean;
  /** The step of the type for_each whose list it runs for. Null for other steps. */
  elementOf: string | null;
  /** The progress of the list: of the step that has it, and of the steps that run for its elements. */
  elements: GraphNode['elements'];
  /** The state of the step, or the most important state of the workers of a batch. Undefined means not created. */
  state: string | undefined;
  /** `open`: the step may still be created. `not_taken`: its branch was not chosen. */
  presence: 'made' | 'open' | 'not_taken';
  /** The step that creates this step at run time. */
  madeBy: string | undefined;
  conditions: StepConditions;
  /** The handler that undoes the step. Null if it has none. */
  undo: string | null;
}

/** The graph of a task with each batch folded into one node. */
export interface Shape {
  groups: readonly Group[];
  edges: readonly GraphEdge[];
  byName: ReadonlyMap<string, Group>;
  /** Names of groups, by those of their steps. */
  groupOf: ReadonlyMap<string, string>;
}

/** A batch shows the first of these states that one of its workers has. */
const ORDER: readonly StepState[] = [
  'in_progress',
  'enqueued',
  'waiting_for_retry',
  'waiting',
  'error',
  'pending',
  'cancelled',
];
const CREATORS = new Set(['decision', 'batchable']);
const DONE: ReadonlySet<string> = new Set<StepState>(['complete', 'resolved_manually']);
/** A decision or an analyzer in one of these states creates no further step. */
const DECIDED: ReadonlySet<string> = new Set<StepState>(['complete', 'resolved_manually', 'skipped']);

/** Returns the graph of a task by the steps of its template. `ended`: no further steps will be created. */
export function shapeOf({ nodes, edges: all }: TaskGraph, ended: boolean): Shape {
  const groupOf = new Map(nodes.map((node) => [node.name, node.template_step_name]));
  const steps = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    const own = steps.get(node.template_step_name);
    if (own) own.push(node);
    else steps.set(node.template_step_name, [node]);
  }
  const edges = edgesBetween(all, groupOf);
  const parents = parentsOf(edges);
  const presences = new Map<string, Group['presence']>();
  const typeOf = (name: string) => steps.get(name)![0]!.type;
  const presenceOf = (name: string): Group['presence'] => {
    const known = presences.get(name);
    if (known) return known;
    const found = find(name);
    presences.set(name, found);
    return found;
  };
  const find = (name: string): Group['presence'] => {
    const [node] = steps.get(name)!;
    if (node!.state !== null) return 'made';
    if (ended) return 'not_taken';
    if (node!.element_of !== null)
      return DECIDED.has(steps.get(node!.element_of)![0]!.state ?? '') ? 'not_taken' : 'open';
    const above = parents.get(name) ?? [];
    const decided = above.some(
      (parent) => CREATORS.has(typeOf(parent)) && DECIDED.has(steps.get(parent)![0]!.state ?? ''),
    );
    return decided || above.some((parent) => presenceOf(parent) === 'not_taken') ? 'not_taken' : 'open';
  };
  const groups = [...steps].map(([name, own]): Group => {
    const { type, handler, run_if, join, when, undo, element_of: elementOf } = own[0]!;
    const made = own.filter(({ state }) => state !== null);
    return {
      name,
      type,
      handler,
      steps: made,
      isBatch: type === 'batch_worker' || elementOf !== null,
      elementOf,
      elements: elementOf === null ? own[0]!.elements : steps.get(elementOf)![0]!.elements,
      state: stateOfSteps(made),
      presence: presenceOf(name),
      madeBy: elementOf ?? parents.get(name)?.find((parent) => CREATORS.has(typeOf(parent))),
      conditions: { run_if, join, when },
      undo,
    };
  });
  return { groups, edges, byName: new Map(groups.map((group) => [group.name, group])), groupOf };
}

function edgesBetween(edges: readonly GraphEdge[], groupOf: ReadonlyMap<string, string>): GraphEdge[] {
  const found = new Map<string, GraphEdge>();
  for (const edge of edges) {
    const from = groupOf.get(edge.from);
    const to = groupOf.get(edge.to);
    if (from !== undefined && to !== undefined) found.set(edgeKey({ from, to }), { from, to });
  }
  return [...found.values()];
}

export function edgeKey({ from, to }: GraphEdge): string {
  return `${from} ${to}`;
}

/** Returns the names of the parents of each group that has one. */
export function parentsOf(edges: readonly GraphEdge[]): Map<string, string[]> {
  const parents = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const own = parents.get(to);
    if (own) own.push(from);
    else parents.set(to, [from]);
  }
  return parents;
}

/** Returns the state of a step, or the most important state of the workers of a batch. */
export function stateOfSteps(steps: readonly { state: string | null }[]): string | undefined {
  if (steps.length < 2) return steps[0]?.state ?? undefined;
  const present = new Set(steps.map(({ state }) => state));
  return ORDER.find((state) => present.has(state)) ?? 'complete';
}

/** The progress of the workers of a batch, or of the elements of a list. */
export interface Progress {
  all: number;
  done: number;
  failed: number;
  running: number;
}

export function progressOf({ steps, elementOf, elements }: Pick<Group, 'steps' | 'elementOf' | 'elements'>): Progress {
  if (elementOf === null && elements) {
    const { total, completed, failed, open } = elements;
    return { all: total, done: completed, failed, running: open };
  }
  const count = (holds: (state: string) => boolean) => steps.filter(({ state }) => holds(state ?? '')).length;
  return {
    // The elements that have not started have no steps yet.
    all: elements?.total ?? steps.length,
    done: count((state) => DONE.has(state)),
    failed: count((state) => state === 'error'),
    running: count((state) => state === 'in_progress'),
  };
}

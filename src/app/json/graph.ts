import type { Snapshot } from '../../engine/template-store.ts';
import { grouped } from '../../model/grouped.ts';
import { mostAttempts } from '../../model/retry-rules.ts';
import type { JoinMode, RunIf } from '../../model/routes.ts';
import { undoOrder } from '../../model/undo.ts';
import { mermaidOf } from '../../template/mermaid.ts';
import type { StepType, TaskTemplate } from '../../template/task-template.ts';
import { graphOf, parentsWithLists, type TemplateGraph } from '../../template/template-graph.ts';
import type { TaskSnapshot } from '../tasker.ts';
import { stateOfBatch } from './batch-state.ts';
import { type SnakeKeys, type Step, snakeKeys } from './views.ts';

/** A step in the graph of a task. */
interface GraphNode {
  /** The name of the step. For a step that does not exist (yet): its name in the template. */
  name: string;
  /** Differs from `name` for batch workers. */
  template_step_name: string;
  type: StepType;
  handler: string;
  /** The ends of its dependencies after which the step runs. Null if the template does not say. */
  run_if: RunIf | null;
  /** `any`: it starts when the first of its dependencies completes. Null: the template does not say. */
  join: JoinMode | null;
  /** The expression that decides whether the step is skipped. Null if it has none. */
  when: string | null;
  /** The handler that undoes it. Null if the template has none. */
  undo: string | null;
  /** The step whose list it runs for: once for each element. Null for other steps. */
  element_of: string | null;
  /** Null if the step does not exist (yet). A decision or an analyzer may create the step. */
  state: string | null;
  step_uuid: string | null;
  attempts: number;
  max_attempts: number;
  /** When the step's last attempt started. */
  started_at: string | null;
  completed_at: string | null;
  /** Duration of the step's last ended attempt. */
  duration_ms: number | null;
  next_retry_at: string | null;
  wait: SnakeKeys<NonNullable<Step['wait']>> | null;
  elements: Step['elements'];
  element: Step['element'];
  worker: string | null;
  error: { error_type: string | null; message: string } | null;
}

/** A dependency: `to` waits for `from`. */
interface GraphEdge {
  from: string;
  to: string;
}

/** Maximum number of edges to list. */
const MOST_EDGES = 50_000;

/** Returns the steps of a task with their states and times, and their dependencies. */
export function taskGraph(
  { task, steps }: TaskSnapshot,
  { steps: templates, graph }: Pick<Snapshot, 'steps' | 'graph'>,
) {
  const made = grouped(steps, (step) => step.templateStepName);
  const nodes = templates.flatMap((one, idx): GraphNode[] => {
    const own = made.get(one.name);
    if (own) return own.map((step) => nodeOf(step, one));
    return one.undoes === null ? [notCreated(one, graph.types[idx]!)] : [];
  });
  const stepsOf = (idx: number): EdgeEnd[] =>
    made.get(graph.names[idx]!) ?? [{ name: graph.names[idx]!, element: null }];
  const { taskUuid, namespace, name, version, status, createdAt, completedAt } = task;
  return {
    task_uuid: taskUuid,
    namespace,
    name,
    version,
    status,
    created_at: createdAt,
    completed_at: completedAt,
    nodes,
    ...edgesOf({ parents: drawnParents(graph, made) }, stepsOf),
  };
}

/**
 * Returns the dependencies of the steps of a task. The first steps of its undo follow the steps that they undo, and the
 * first steps of an element follow the step that has the list.
 */
function drawnParents(graph: TemplateGraph, made: ReadonlyMap<string, readonly Step[]>): number[][] {
  const parents = parentsWithLists(graph);
  const present = new Set([...graph.undoes.keys()].filter((idx) => made.has(graph.names[idx]!)));
  if (present.size === 0) return parents;
  const order = undoOrder(graph, present);
  const after = (idx: number) => (order.get(idx)!.length > 0 ? [...order.get(idx)!] : [graph.undoes.get(idx)!]);
  return parents.map((above, idx) => (present.has(idx) ? after(idx) : above));
}

/** Returns the steps of a template and their dependencies, as `tasker template graph --json`. */
export function templateGraph(template: TaskTemplate) {
  const graph = graphOf(template);
  const parents = parentsWithLists(graph);
  return {
    nodes: templateNodes(template),
    ...edgesOf({ parents }, (idx) => [{ name: graph.names[idx]!, element: null }]),
  };
}

/** Returns the steps of a template, for its graph. */
export function templateNodes({ steps }: TaskTemplate) {
  return steps.map(({ name, type, handler, runIf, join, when, undo, elementOf }) => ({
    name,
    type,
    callable: handler.callable,
    run_if: runIf,
    join,
    when,
    undo: undo?.handler.callable ?? null,
    element_of: elementOf,
  }));
}

/** A step at an end of an edge. */
type EdgeEnd = Pick<Step, 'name' | 'element'>;

function edgesOf({ parents }: Pick<TemplateGraph, 'parents'>, stepsOf: (idx: number) => readonly EdgeEnd[]) {
  const edges: GraphEdge[] = [];
  for (const [child, above] of parents.entries()) {
    for (const parent of above) {
      for (const edge of edgesBetween(stepsOf(parent), stepsOf(child))) {
        if (edges.length === MOST_EDGES) return { edges, edges_truncated: true };
        edges.push(edge);
      }
    }
  }
  return { edges, edges_truncated: false };
}

/** Steps of two different elements do not depend on each other. */
function* edgesBetween(above: readonly EdgeEnd[], below: readonly EdgeEnd[]): Generator<GraphEdge> {
  const ofElement = new Map(above.flatMap((step) => (step.element ? [[step.element.number, step] as const] : [])));
  for (const { name: to, element } of below) {
    const before = element && ofElement.size > 0 ? ofElement.get(element.number) : undefined;
    for (const { name: from } of before ? [before] : above) yield { from, to };
  }
}

function nodeOf(step: Step, { type, runIf, join, when, undo, elementOf }: TaskTemplate['steps'][number]): GraphNode {
  const error = step.results?.error ?? null;
  return {
    name: step.name,
    template_step_name: step.templateStepName,
    type,
    handler: step.callable,
    run_if: runIf,
    join,
    when,
    undo: undo?.handler.callable ?? null,
    element_of: elementOf,
    state: step.currentState,
    step_uuid: step.stepUuid,
    attempts: step.attempts,
    max_attempts: step.maxAttempts,
    started_at: step.lastAttemptedAt,
    completed_at: step.completedAt,
    duration_ms: step.results?.metadata.execution_time_ms ?? null,
    next_retry_at: step.nextRetryAt,
    wait: step.wait && snakeKeys(step.wait),
    elements: step.elements,
    element: step.element,
    worker: step.worker,
    error: error && { error_type: error.error_type, message: error.message },
  };
}

function notCreated(
  { name, handler, runIf, join, when, retry, undo, elementOf }: TaskTemplate['steps'][number],
  type: StepType,
): GraphNode {
  return {
    name,
    template_step_name: name,
    type,
    handler: handler.callable,
    run_if: runIf,
    join,
    when,
    undo: undo?.handler.callable ?? null,
    element_of: elementOf,
    state: null,
    step_uuid: null,
    attempts: 0,
    max_attempts: mostAttempts(retry),
    started_at: null,
    completed_at: null,
    duration_ms: null,
    next_retry_at: null,
    wait: null,
    elements: null,
    element: null,
    worker: null,
    error: null,
  };
}

/** Returns the graph of a task as a Mermaid flowchart, colored by state. A batch is one node. */
export function taskMermaid({ steps }: TaskSnapshot, template: TaskTemplate): string {
  const made = grouped(steps, (step) => step.templateStepName);
  return mermaidOf(template, (name) => {
    const own = made.get(name);
    if (own?.length === 1) return own[0]!.currentState;
    return own && stateOfBatch(own.map((step) => step.currentState));
  });
}

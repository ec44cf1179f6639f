import type { TaskGraph, TaskSummary } from '../../api/types.ts';

export interface GraphEdge {
  from: string;
  to: string;
}

/** The names of the nodes of a graph, and the edges between them. */
export interface Topology {
  names: string[];
  edges: GraphEdge[];
}

/** Returns the steps of a task and the edges between them: of its graph, or else of its template. */
export function topologyOf(
  steps: readonly { name: string }[],
  graph: TaskGraph | undefined,
  summary: TaskSummary | undefined,
): Topology {
  if (graph) return { names: graph.nodes.map(({ name }) => name), edges: graph.edges };
  const template = summary?.template.steps ?? [];
  const names = new Set([...steps, ...template].map(({ name }) => name));
  const edges = template.flatMap(({ name, dependencies }) => dependencies.map((from) => ({ from, to: name })));
  return { names: [...names], edges };
}

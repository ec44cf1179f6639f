import dagre from '@dagrejs/dagre';
import type { GraphEdge } from './edges.ts';

export interface Place {
  x: number;
  y: number;
}

export const NODE = { width: 184, height: 48 } as const;

/**
 * Returns the place of each node, from left to right. It depends only on names and edges, so that a node does not move
 * when its state changes.
 */
export function layoutOf(names: readonly string[], edges: readonly GraphEdge[]): Map<string, Place> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 20, ranksep: 56 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of names) graph.setNode(name, { ...NODE });
  const known = new Set(names);
  for (const { from, to } of edges) if (known.has(from) && known.has(to)) graph.setEdge(from, to);
  dagre.layout(graph);
  return new Map(
    names.map((name) => {
      const { x, y } = graph.node(name) as Place;
      return [name, { x: x - NODE.width / 2, y: y - NODE.height / 2 }];
    }),
  );
}

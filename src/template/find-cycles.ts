import { childrenOf, orderOf } from './template-graph.ts';

/** A file with more cycles is told about these. */
const MOST_CYCLES = 20;

/**
 * Cycles of a graph given by each node's parents, each beginning at its least node: enough of them that a graph without
 * one edge of each would be worth looking at again. Empty iff there is none.
 */
export function cyclesOf(parents: readonly (readonly number[])[]): number[][] {
  const left = parents.map((of) => [...of]);
  const cycles: number[][] = [];
  while (cycles.length < MOST_CYCLES) {
    const cycle = oneCycle(left);
    if (!cycle) break;
    cycles.push(cycle);
    for (const [at, node] of cycle.entries()) {
      const next = cycle[(at + 1) % cycle.length];
      left[node] = left[node]!.filter((parent) => parent !== next);
    }
  }
  return cycles;
}

function oneCycle(parents: readonly (readonly number[])[]): number[] | null {
  const stuck = stuckNodes(parents);
  const [start] = stuck;
  if (start === undefined) return null;
  // Every stuck node has a stuck parent: walking up must come back to where it has been.
  const seenAt = new Map<number, number>();
  const trail: number[] = [];
  let node = start;
  while (!seenAt.has(node)) {
    seenAt.set(node, trail.push(node) - 1);
    node = parents[node]!.find((parent) => stuck.has(parent))!;
  }
  const cycle = trail.slice(seenAt.get(node));
  const least = cycle.indexOf(cycle.reduce((a, b) => Math.min(a, b)));
  return [...cycle.slice(least), ...cycle.slice(0, least)];
}

/** The nodes on cycles, and those below them: they have no place in an order. */
function stuckNodes(parents: readonly (readonly number[])[]): Set<number> {
  const ordered = new Set(orderOf(parents, childrenOf(parents)));
  return new Set([...parents.keys()].filter((node) => !ordered.has(node)));
}

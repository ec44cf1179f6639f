import dagre from '@dagrejs/dagre';
import type { GraphEdge } from '../../api/types.ts';

export interface Place {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** From left to right, or from top to bottom. */
export type Direction = 'LR' | 'TB';

export const NODE = { width: 200, height: 48 } as const;
/** Pixels between the ranks, and between the nodes of a rank. */
const RANK_GAP: Readonly<Record<Direction, number>> = { LR: 48, TB: 36 };
const NODE_GAP = 20;
/** Maximum number of nodes for Dagre, which needs a second for 100 nodes, and 15 seconds for 1,000. */
const MOST_FOR_DAGRE = 60;
/** Maximum nodes of a rank. Larger ranks are wrapped, so that a wide fan-out stays on the screen. */
const LEAST_WRAPPED = 16;

/**
 * Returns the place of each node. It depends only on names, edges and sizes, so that a node does not move when its state
 * changes.
 */
export function layoutOf(
  names: readonly string[],
  edges: readonly GraphEdge[],
  { sizeOf = () => NODE, direction = 'LR' }: { sizeOf?(name: string): Size; direction?: Direction } = {},
): Map<string, Place> {
  const known = new Set(names);
  const inside = edges.filter(({ from, to }) => known.has(from) && known.has(to));
  const layout = names.length > MOST_FOR_DAGRE ? layered : byDagre;
  const gap = RANK_GAP[direction];
  if (direction === 'LR') return layout(names, inside, { sizeOf, gap });
  const turned = (name: string) => ({ width: sizeOf(name).height, height: sizeOf(name).width });
  const places = layout(names, inside, { sizeOf: turned, gap });
  return new Map([...places].map(([name, { x, y }]) => [name, { x: y, y: x }]));
}

interface Options {
  sizeOf(name: string): Size;
  /** Between the ranks. */
  gap: number;
}

function byDagre(names: readonly string[], edges: readonly GraphEdge[], { sizeOf, gap }: Options): Map<string, Place> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: NODE_GAP, ranksep: gap });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of names) graph.setNode(name, { ...sizeOf(name) });
  for (const { from, to } of edges) graph.setEdge(from, to);
  dagre.layout(graph);
  const places = new Map(
    names.map((name) => {
      const { x, y } = graph.node(name) as Place;
      const { width, height } = sizeOf(name);
      return [name, { x: x - width / 2, y: y - height / 2 }];
    }),
  );
  return inOrder(names, edges, { places, sizeOf });
}

/** Returns the places with siblings that have the same parents, children and size in the order of `names`. */
function inOrder(
  names: readonly string[],
  edges: readonly GraphEdge[],
  { places, sizeOf }: { places: ReadonlyMap<string, Place>; sizeOf(name: string): Size },
): Map<string, Place> {
  const parents = neighborsOf(names, edges, 'to', 'from');
  const children = neighborsOf(names, edges, 'from', 'to');
  const alike = new Map<string, string[]>();
  for (const name of names) {
    const neighbors = [parents, children].map((all) => all.get(name)!.toSorted());
    const { width, height } = sizeOf(name);
    const key = JSON.stringify([neighbors, width, height, Math.round(places.get(name)!.x)]);
    const own = alike.get(key);
    if (own) own.push(name);
    else alike.set(key, [name]);
  }
  const ordered = new Map<string, Place>();
  for (const own of alike.values()) {
    const free = own.map((name) => places.get(name)!).toSorted((one, other) => one.y - other.y);
    for (const [at, name] of own.entries()) ordered.set(name, free[at]!);
  }
  return new Map(names.map((name) => [name, ordered.get(name)!]));
}

/**
 * Returns the places of a chain in rows from left to right, in the number of columns that shows it largest. Undefined if
 * the graph is not a chain.
 */
export function chainOf(
  names: readonly string[],
  edges: readonly GraphEdge[],
  { sizeOf, space }: { sizeOf(name: string): Size; space: Size },
): Map<string, Place> | undefined {
  const children = neighborsOf(names, edges, 'from', 'to');
  const ranks = ranksOf(names, neighborsOf(names, edges, 'to', 'from'), children);
  if (names.length < 2 || edges.length !== names.length - 1 || ranks.some((rank) => rank.length > 1)) return undefined;
  const chain = ranks.flat();
  const width = Math.max(...names.map((name) => sizeOf(name).width)) + RANK_GAP.LR;
  const height = Math.max(...names.map((name) => sizeOf(name).height)) + RANK_GAP.TB;
  const zoomOf = (columns: number) => {
    const rows = Math.ceil(names.length / columns);
    return Math.min(1, space.width / (columns * width - RANK_GAP.LR), space.height / (rows * height - RANK_GAP.TB));
  };
  let columns = 1;
  for (let more = 2; more <= names.length; more++) if (zoomOf(more) >= zoomOf(columns)) columns = more;
  return new Map(chain.map((name, at) => [name, { x: (at % columns) * width, y: Math.floor(at / columns) * height }]));
}

/**
 * Each node is in the rank after its last parent, near its parents. Siblings are in the order of `names`. Takes
 * milliseconds for 1,000 nodes.
 */
function layered(names: readonly string[], edges: readonly GraphEdge[], options: Options): Map<string, Place> {
  const parents = neighborsOf(names, edges, 'to', 'from');
  const children = neighborsOf(names, edges, 'from', 'to');
  const ranks = ranksOf(names, parents, children);
  const order = new Map<string, number>();
  const number = (rank: readonly string[]) => {
    for (const [at, name] of rank.entries()) order.set(name, rank.length > 1 ? at / (rank.length - 1) : 0.5);
  };
  const given = new Map(names.map((name, at) => [name, at]));
  for (const rank of ranks) {
    const wish = new Map(rank.map((name) => [name, meanOf(parents.get(name)!, order) ?? 0]));
    rank.sort((one, other) => wish.get(one)! - wish.get(other)! || given.get(one)! - given.get(other)!);
    number(rank);
  }
  const mostInColumn = Math.max(LEAST_WRAPPED, Math.ceil(1.5 * Math.sqrt(names.length)));
  return placed(ranks, { ...options, mostInColumn });
}

function placed(
  ranks: readonly (readonly string[])[],
  { sizeOf, gap, mostInColumn }: Options & { mostInColumn: number },
): Map<string, Place> {
  const places = new Map<string, Place>();
  let x = 0;
  for (const rank of ranks) {
    const columns = Math.ceil(rank.length / mostInColumn);
    const each = Math.ceil(rank.length / columns);
    for (let column = 0; column < columns; column++) {
      const own = rank.slice(column * each, (column + 1) * each);
      const height = own.reduce((sum, name) => sum + sizeOf(name).height + NODE_GAP, -NODE_GAP);
      let y = -height / 2;
      for (const name of own) {
        places.set(name, { x, y });
        y += sizeOf(name).height + NODE_GAP;
      }
      x += Math.max(...own.map((name) => sizeOf(name).width)) + (column < columns - 1 ? NODE_GAP : gap);
    }
  }
  const top = Math.min(...[...places.values()].map(({ y }) => y));
  for (const place of places.values()) place.y -= top;
  return places;
}

function neighborsOf(names: readonly string[], edges: readonly GraphEdge[], of: keyof GraphEdge, to: keyof GraphEdge) {
  const all = new Map(names.map((name): [string, string[]] => [name, []]));
  for (const edge of edges) all.get(edge[of])!.push(edge[to]);
  return all;
}

/** Returns the nodes by the length of the longest path to them. */
function ranksOf(
  names: readonly string[],
  parents: ReadonlyMap<string, readonly string[]>,
  children: ReadonlyMap<string, readonly string[]>,
): string[][] {
  const open = new Map(names.map((name) => [name, parents.get(name)!.length]));
  const ranks: string[][] = [];
  let rank = names.filter((name) => open.get(name) === 0);
  while (rank.length > 0) {
    ranks.push(rank);
    const next: string[] = [];
    for (const name of rank) {
      for (const child of children.get(name)!) {
        open.set(child, open.get(child)! - 1);
        if (open.get(child) === 0) next.push(child);
      }
    }
    rank = next;
  }
  return ranks;
}

function meanOf(names: readonly string[], order: ReadonlyMap<string, number>): number | undefined {
  if (names.length === 0) return undefined;
  return names.reduce((sum, name) => sum + order.get(name)!, 0) / names.length;
}

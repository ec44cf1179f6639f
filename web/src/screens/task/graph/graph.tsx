import {
  Background,
  Controls,
  type Edge,
  MiniMap,
  type Node,
  Panel,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import {
  type KeyboardEvent,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useSearchParams } from 'react-router';
import { lookOf } from '../../../parts/state.tsx';
import { batchSize } from './batch-node.tsx';
import { PathWords } from './critical-path-words.tsx';
import '../graph.css';
import { type Direction, type GraphEdge, layoutOf, NODE, type Place, type Size } from '../layout.ts';
import type { ViewProps } from '../views.tsx';
import { StepNode, type StepNodeData } from './graph-node.tsx';
import { edgeKey, type Group, type Shape } from './shape.ts';

type FlowNode = Node<StepNodeData, 'step'>;

const NODE_TYPES = { step: StepNode };
/** Pixels. */
const LEAST_HIGH = 280;
const MOST_HIGH = 600;
/** Space for the drawer, which the direction of the graph does not depend on. */
const DRAWER = 436;
const MARGIN = 60;
/** A graph that would be smaller from left to right goes from top to bottom, if it is larger then. */
const LEAST_ZOOM = 0.8;
/** Larger graphs get a map. */
const MAP_FROM = 20;
/** Only the visible nodes of larger graphs are in the document. */
const ALL_IN_DOCUMENT = 100;
/** Below this zoom, texts cannot be read and are not drawn. */
const READABLE_ZOOM = 0.45;
const FOLLOW_ZOOM = 0.9;
const MOVE_MS = 150;

/** The steps of a task and their dependencies. */
export default function Graph(props: ViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box, props.selected !== undefined);
  return (
    <div ref={box}>
      {width !== undefined && (
        <ReactFlowProvider>
          <Flow {...props} width={width} />
        </ReactFlowProvider>
      )}
      <PathWords path={props.data.criticalPath} onSelect={props.onSelect} />
    </div>
  );
}

function Flow({ data: { task, shape, criticalPath }, selected, onSelect, width }: ViewProps & { width: number }) {
  const { unfolded, toggle } = useUnfolded();
  const box = useRef<HTMLElement>(null);
  const { places, height, structure, direction } = useLayout(shape, { unfolded, width });
  const chosen = selected === undefined ? undefined : (shape.groupOf.get(selected) ?? selected);
  const [first] = shape.groups;
  const select = useRef(onSelect);
  select.current = onSelect;
  const nodes = useNodes(shape, {
    places,
    unfolded,
    selected,
    focusable: chosen !== undefined && shape.byName.has(chosen) ? chosen : first?.name,
    direction,
    onSelect: useCallback((name: string) => select.current(name), []),
    onToggle: toggle,
  });
  const edges = useEdges(shape, criticalPath?.edges);
  const { following, setFollowing } = useFollow(shape);
  const onKeyDown = useArrowKeys(shape, { places, direction, onSelect });
  useShownSelection(chosen, places);
  return (
    <section
      ref={box}
      aria-label={`Graph of ${task.name}`}
      data-direction={direction}
      className="task-graph overflow-hidden rounded-lg border border-line bg-surface"
      style={{ height }}
      onKeyDown={onKeyDown}
    >
      <ReactFlow
        key={`${direction} ${structure}`}
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        onlyRenderVisibleElements={shape.groups.length > ALL_IN_DOCUMENT}
        minZoom={0.05}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.12 }}
        onMoveStart={(event) => {
          box.current?.classList.add('moving');
          if (event) setFollowing(false);
        }}
        onMove={(_, { zoom }) => box.current?.classList.toggle('far', zoom < READABLE_ZOOM)}
        onMoveEnd={() => box.current?.classList.remove('moving')}
        onInit={({ getZoom }) => box.current?.classList.toggle('far', getZoom() < READABLE_ZOOM)}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={24} size={1} color="var(--line)" />
        <Controls showInteractive={false} />
        <Panel position="top-right">
          <button
            type="button"
            aria-pressed={following}
            title="Keep the running step in view"
            className={`h-7 rounded-md border px-2.5 text-xs font-medium ${following ? 'border-accent bg-select text-accent' : 'border-edge bg-surface text-soft hover:text-ink'}`}
            onClick={() => setFollowing((now) => !now)}
          >
            Follow
          </button>
        </Panel>
        {shape.groups.length >= MAP_FROM && (
          <MiniMap
            pannable
            zoomable
            ariaLabel="Map of the graph"
            nodeStrokeWidth={0}
            nodeColor={({ data }) => `var(--s-${lookOf((data as StepNodeData).group.state ?? 'pending').hue})`}
            maskColor="var(--mask)"
          />
        )}
      </ReactFlow>
    </section>
  );
}

/** The batches that are shown with all their workers. They are in the address. */
function useUnfolded(): { unfolded: ReadonlySet<string>; toggle(name: string): void } {
  const [search, setSearch] = useSearchParams();
  const key = search.getAll('unfold').join('\n');
  const unfolded = useMemo(() => new Set(key.split('\n')), [key]);
  const set = useRef(setSearch);
  set.current = setSearch;
  const toggle = useCallback((name: string) => {
    set.current(
      (now) => {
        if (now.has('unfold', name)) now.delete('unfold', name);
        else now.append('unfold', name);
        return now;
      },
      { replace: true },
    );
  }, []);
  return { unfolded, toggle };
}

/** Returns the width of the graph beside an open drawer, whether or not it is open. */
function useWidth(box: RefObject<HTMLElement | null>, isOpen: boolean): number | undefined {
  const [width, setWidth] = useState<number>();
  const open = useRef(isOpen);
  open.current = isOpen;
  useLayoutEffect(() => {
    const measure = () => {
      const own = box.current?.clientWidth ?? 0;
      const beside = matchMedia('(min-width: 64rem)').matches && !open.current ? DRAWER : 0;
      setWidth(own - beside);
    };
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, [box]);
  return width;
}

function useLayout({ groups, edges }: Shape, { unfolded, width }: { unfolded: ReadonlySet<string>; width: number }) {
  const sizes = groups.map(({ name, isBatch, steps }) =>
    isBatch ? batchSize(steps.length, unfolded.has(name)) : NODE,
  );
  // The texts are the keys, so that a change of state does not lay out the graph again.
  const structure = JSON.stringify([groups.map(({ name }) => name), edges.map(({ from, to }) => [from, to])]);
  const key = JSON.stringify(sizes.map(({ width, height }) => [width, height]));
  return useMemo(() => {
    const [names, pairs] = JSON.parse(structure) as [string[], [string, string][]];
    const all = JSON.parse(key) as [number, number][];
    const byName = new Map(names.map((name, at) => [name, { width: all[at]![0], height: all[at]![1] }]));
    const lines = pairs.map(([from, to]): GraphEdge => ({ from, to }));
    const laidOut = (direction: Direction) => {
      const places = layoutOf(names, lines, { sizeOf: (name) => byName.get(name)!, direction });
      const size = extentOf(places, byName);
      const zoom = Math.min(1, (width - MARGIN) / size.width, (MOST_HIGH - MARGIN) / size.height);
      return { places, direction, size, zoom };
    };
    const across = laidOut('LR');
    const down = across.zoom < LEAST_ZOOM ? laidOut('TB') : across;
    const { places, direction, size, zoom } = down.zoom > across.zoom ? down : across;
    const height = Math.min(MOST_HIGH, Math.max(LEAST_HIGH, Math.ceil(size.height * Math.max(zoom, 0.3)) + 2 * MARGIN));
    return { places, structure, direction, height };
  }, [structure, key, width]);
}

function extentOf(places: ReadonlyMap<string, Place>, sizes: ReadonlyMap<string, Size>): Size {
  let [width, height] = [1, 1];
  for (const [name, { x, y }] of places) {
    width = Math.max(width, x + sizes.get(name)!.width);
    height = Math.max(height, y + sizes.get(name)!.height);
  }
  return { width, height };
}

interface NodeOptions {
  places: ReadonlyMap<string, Place>;
  unfolded: ReadonlySet<string>;
  selected: string | undefined;
  /** The node that the Tab key reaches. The arrow keys reach the others. */
  focusable: string | undefined;
  direction: Direction;
  onSelect(name: string): void;
  onToggle(name: string): void;
}

/** Returns the nodes. Those that did not change are the same objects, so that they are not drawn again. */
function useNodes({ groups }: Shape, options: NodeOptions): FlowNode[] {
  const { places, unfolded, selected, focusable, direction, onSelect, onToggle } = options;
  const before = useRef(new Map<string, { group: Group; node: FlowNode }>());
  return useMemo(() => {
    const next = new Map<string, { group: Group; node: FlowNode }>();
    for (const group of groups) {
      const { name, isBatch, steps } = group;
      const isUnfolded = isBatch && unfolded.has(name);
      const isSelected =
        selected === name || (isBatch && selected !== undefined && steps.some((step) => step.name === selected));
      const data: StepNodeData = {
        group,
        isUnfolded,
        selected: isSelected ? selected : undefined,
        isFocusable: name === focusable,
        direction,
        onSelect,
        onToggle,
      };
      const known = before.current.get(name);
      const place = places.get(name)!;
      const isSame =
        known !== undefined &&
        known.node.position === place &&
        sameGroup(known.group, group) &&
        known.node.data.isUnfolded === isUnfolded &&
        known.node.data.selected === data.selected &&
        known.node.data.isFocusable === data.isFocusable;
      const node: FlowNode = {
        id: name,
        type: 'step',
        position: place,
        data,
        ...(isBatch ? batchSize(steps.length, isUnfolded) : NODE),
        style: { pointerEvents: 'all' },
      };
      next.set(name, isSame ? known : { group, node });
    }
    before.current = next;
    return [...next.values()].map(({ node }) => node);
  }, [groups, places, unfolded, selected, focusable, direction, onSelect, onToggle]);
}

/** A step that did not change is the same object in two answers. */
function sameGroup(one: Group, other: Group): boolean {
  return (
    one.presence === other.presence &&
    one.steps.length === other.steps.length &&
    one.steps.every((step, at) => step === other.steps[at])
  );
}

function useEdges({ edges, byName }: Shape, critical: ReadonlySet<string> | undefined): Edge[] {
  const key = critical === undefined ? '' : [...critical].join('\n');
  const absent = [...byName.values()].flatMap(({ name, presence }) => (presence === 'made' ? [] : [name])).join('\n');
  return useMemo(() => {
    const emphasised = new Set(key.split('\n'));
    const dashed = new Set(absent.split('\n'));
    return edges.map((edge): Edge => {
      const id = edgeKey(edge);
      const classes = [emphasised.has(id) && 'critical', (dashed.has(edge.from) || dashed.has(edge.to)) && 'absent'];
      return {
        id,
        source: edge.from,
        target: edge.to,
        focusable: false,
        className: classes.filter(Boolean).join(' '),
        ...(emphasised.has(id) && { zIndex: 1 }),
      };
    });
  }, [edges, key, absent]);
}

/** Moves the running step into view whenever another one runs. */
function useFollow({ groups }: Shape) {
  const [following, setFollowing] = useState(false);
  const { fitView } = useReactFlow();
  const active = ['in_progress', 'waiting_for_retry', 'waiting', 'enqueued', 'error']
    .map((state) => groups.find((group) => group.state === state)?.name)
    .find((name) => name !== undefined);
  useEffect(() => {
    if (!following || active === undefined) return;
    void fitView({ nodes: [{ id: active }], maxZoom: FOLLOW_ZOOM, duration: MOVE_MS });
  }, [following, active, fitView]);
  return { following, setFollowing };
}

/** Moves the selected node into view if it was selected elsewhere, such as by the address. */
function useShownSelection(name: string | undefined, places: ReadonlyMap<string, Place>): void {
  const { setCenter, getZoom } = useReactFlow();
  const isLarge = places.size > MAP_FROM;
  const latest = useRef(places);
  latest.current = places;
  useEffect(() => {
    const place = name === undefined ? undefined : latest.current.get(name);
    if (!place || !isLarge) return;
    // After the first view, which fits the whole graph.
    const timer = setTimeout(
      () => void setCenter(place.x + NODE.width / 2, place.y, { zoom: Math.max(getZoom(), 0.7), duration: MOVE_MS }),
    );
    return () => clearTimeout(timer);
  }, [name, isLarge, setCenter, getZoom]);
}

/** Arrow keys go along the edges, and to the neighbours of the same rank. */
function useArrowKeys(
  { edges }: Shape,
  { places, direction, onSelect }: Omit<Move, 'from'> & { onSelect(name: string): void },
) {
  return (event: KeyboardEvent<HTMLElement>) => {
    const from = event.target instanceof HTMLElement ? event.target.dataset.node : undefined;
    const to = from === undefined ? undefined : neighbour(event.key, edges, { from, places, direction });
    if (to === undefined) return;
    event.preventDefault();
    onSelect(to);
    // The node may be drawn only after it was moved into view.
    const focus = (tries: number) => {
      const node = document.querySelector<HTMLElement>(`[data-node="${CSS.escape(to)}"]`);
      if (node) node.focus({ preventScroll: true });
      else if (tries > 0) requestAnimationFrame(() => focus(tries - 1));
    };
    requestAnimationFrame(() => focus(30));
  };
}

interface Move {
  from: string;
  places: ReadonlyMap<string, Place>;
  direction: Direction;
}

const KEYS = {
  LR: { onward: 'ArrowRight', back: 'ArrowLeft', next: 'ArrowDown', previous: 'ArrowUp' },
  TB: { onward: 'ArrowDown', back: 'ArrowUp', next: 'ArrowRight', previous: 'ArrowLeft' },
} as const;

function neighbour(key: string, edges: readonly GraphEdge[], { from, places, direction }: Move): string | undefined {
  const { onward, back, next, previous } = KEYS[direction];
  const [along, across] = direction === 'LR' ? (['x', 'y'] as const) : (['y', 'x'] as const);
  const place = places.get(from)!;
  const nearest = (names: readonly string[]) =>
    names.toSorted(
      (one, other) =>
        Math.abs(places.get(one)![across] - place[across]) - Math.abs(places.get(other)![across] - place[across]),
    )[0];
  if (key === onward) return nearest(edges.filter((edge) => edge.from === from).map(({ to }) => to));
  if (key === back) return nearest(edges.filter((edge) => edge.to === from).map((edge) => edge.from));
  if (key !== next && key !== previous) return undefined;
  const rank = [...places].filter(([, other]) => {
    const isBeside = Math.abs(other[along] - place[along]) < NODE.height;
    return isBeside && (key === next ? other[across] > place[across] : other[across] < place[across]);
  });
  return nearest(rank.map(([name]) => name));
}

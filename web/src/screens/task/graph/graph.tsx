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
  useStore,
  type Viewport,
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
import type { GraphEdge } from '../../../api/types.ts';
import { batchSize, FOLDED } from './batch-node.tsx';
import { isRoute } from './conditions.tsx';
import { PathWords } from './critical-path-words.tsx';
import '../graph.css';
import { chainOf, type Direction, layoutOf, NODE, type Place, type Size } from '../layout.ts';
import { useUnfolded } from '../unfolded.ts';
import type { ViewProps } from '../use-task.ts';
import { type Drawing, fillOf } from './drawing.ts';
import { GraphLegend } from './graph-legend.tsx';
import { StepNode, type StepNodeData } from './graph-node.tsx';
import { GraphSearch, matchesOf } from './graph-search.tsx';
import { nodeAt, Overview, OverviewMap } from './overview.tsx';
import { edgeKey, type Group, type Shape } from './shape.ts';

type FlowNode = Node<StepNodeData, 'step'>;

const NODE_TYPES = { step: StepNode };
/** Pixels. */
const LEAST_HIGH = 280;
const MOST_HIGH = 600;
/** The height of a large graph. */
const LARGE_HIGH = 720;
/** Space for the drawer. It does not affect the direction of the graph. */
const DRAWER = 436;
const MARGIN = 60;
/** The graph runs from top to bottom if it can then be shown larger than from left to right. */
const LEAST_ZOOM = 0.8;
/** Larger graphs get a map. */
const MAP_FROM = 20;
/** On a narrower screen, a map would cover the graph. */
const LEAST_WIDE_FOR_MAP = 560;
const MAP_SPACE = 200;
const BUTTON_SPACE = 20;
/** In larger graphs, only the nodes in view are in the document. */
const ALL_IN_DOCUMENT = 100;
/** Below this zoom, text is unreadable and not drawn. */
const READABLE_ZOOM = 0.45;
/** Below this zoom, a large graph is drawn as a picture. */
const LARGE_READABLE_ZOOM = 0.6;
/** The size of a tile in the view of a large graph, in pixels of the graph. */
const TILE = 300;
/** Nodes that are added to the document in one frame. */
const AT_ONCE = 12;
const NO_EDGES: Edge[] = [];
const FIT = { maxZoom: 1, padding: 0.12 } as const;
const FOLLOW_ZOOM = 0.9;
const MOVE_MS = 150;

/** The steps of a task and their dependencies. */
export default function Graph(props: ViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const widths = useWidths(box, props.selected !== undefined);
  const { groups } = props.data.shape;
  return (
    <div ref={box}>
      {widths && (
        <ReactFlowProvider>
          <Flow {...props} widths={widths} />
        </ReactFlowProvider>
      )}
      <GraphLegend
        hasRoutes={groups.some(({ conditions }) => isRoute(conditions))}
        hasAbsent={groups.some(({ presence }) => presence !== 'made')}
      />
      <PathWords path={props.data.criticalPath} onSelect={props.onSelect} />
    </div>
  );
}

function Flow({ data: { task, shape, criticalPath }, selected, onSelect, widths }: ViewProps & { widths: Widths }) {
  const width = selected === undefined ? widths.whole : widths.besideDrawer;
  const { unfolded, toggle } = useUnfolded();
  const box = useRef<HTMLElement>(null);
  const { places, sizes, height, structure, direction } = useLayout(shape, { unfolded, widths });
  const isLarge = shape.groups.length > ALL_IN_DOCUMENT;
  const chosen = selected === undefined ? undefined : (shape.groupOf.get(selected) ?? selected);
  const [first] = shape.groups;
  const focusable = chosen !== undefined && shape.byName.has(chosen) ? chosen : first?.name;
  const select = useRef(onSelect);
  select.current = onSelect;
  const nodes = useNodes(shape, {
    places,
    unfolded,
    selected,
    focusable,
    direction,
    onSelect: useCallback((name: string) => select.current(name), []),
    onToggle: toggle,
  });
  const critical = criticalPath?.edges;
  const edges = useEdges(shape, { critical, places, direction });
  const { inView, isPicture, look } = useInView(nodes, focusable);
  const [wanted, setWanted] = useState('');
  const names = useMemo(() => shape.groups.map(({ name }) => name), [shape]);
  const found = useMemo(() => new Set(matchesOf(names, wanted)), [names, wanted]);
  const drawing = useMemo(
    () => ({ shape, places, sizes, critical, selected: chosen, found, isAcross: direction === 'LR' }),
    [shape, places, sizes, critical, chosen, found, direction],
  );
  const { following, setFollowing } = useFollow(shape, places);
  const { screenToFlowPosition, fitView, setViewport } = useReactFlow();
  const moved = useFittedView(isLarge ? drawing : undefined, height);
  const fit = () => {
    moved.current = false;
    setFollowing(false);
    if (isLarge) void setViewport(viewOf(drawing, { width: box.current?.clientWidth ?? width, height }));
    else void fitView(FIT);
  };
  const onKeyDown = useArrowKeys(shape, { places, direction, onSelect });
  useShownSelection(chosen, places);
  return (
    <section
      ref={box}
      aria-label={`Graph of ${task.name}`}
      data-direction={direction}
      className={`task-graph relative overflow-hidden rounded-lg border border-line bg-surface ${isLarge && isPicture ? 'picture' : ''}`}
      style={{ height }}
      onKeyDown={onKeyDown}
    >
      {isLarge && <Overview drawing={drawing} withNodes={isPicture} />}
      <ReactFlow
        key={`${direction} ${structure}`}
        nodes={isLarge ? inView : nodes}
        edges={isLarge ? NO_EDGES : edges}
        nodeTypes={NODE_TYPES}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        minZoom={0.05}
        // The wheel scrolls the page. With Ctrl, or by pinching, it zooms.
        preventScrolling={false}
        zoomOnScroll={false}
        {...(isLarge
          ? { defaultViewport: viewOf(drawing, { width, height }) }
          : { fitView: true, fitViewOptions: FIT })}
        onMoveStart={(event) => {
          box.current?.classList.add('moving');
          if (!event) return;
          moved.current = true;
          setFollowing(false);
        }}
        onMove={(_, view) => {
          box.current?.classList.toggle('far', !isLarge && view.zoom < READABLE_ZOOM);
          if (isLarge) look(view, box.current);
        }}
        onMoveEnd={() => box.current?.classList.remove('moving')}
        onInit={({ getViewport }) => {
          if (isLarge) look(getViewport(), box.current);
          else box.current?.classList.toggle('far', getViewport().zoom < READABLE_ZOOM);
        }}
        onPaneClick={({ clientX: x, clientY: y }) => {
          const name = isLarge ? nodeAt(drawing, screenToFlowPosition({ x, y })) : undefined;
          if (name !== undefined) onSelect(name);
        }}
        proOptions={{ hideAttribution: true }}
      >
        {!isLarge && <Background gap={24} size={1} color="var(--line)" />}
        <Controls showInteractive={false} showFitView={false} />
        <Panel position="top-right" className="flex items-center gap-1.5">
          {shape.groups.length >= MAP_FROM && (
            <GraphSearch names={names} wanted={wanted} onSearch={setWanted} onSelect={onSelect} />
          )}
          <button
            type="button"
            title="Show the whole graph"
            className="h-7 rounded-md border border-edge bg-surface px-2.5 text-xs font-medium text-soft hover:text-ink"
            onClick={fit}
          >
            Fit
          </button>
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
        {isLarge && width >= LEAST_WIDE_FOR_MAP && <OverviewMap drawing={drawing} />}
        {!isLarge && shape.groups.length >= MAP_FROM && width >= LEAST_WIDE_FOR_MAP && (
          <MiniMap
            pannable
            zoomable
            ariaLabel="Map of the graph"
            nodeStrokeWidth={0}
            nodeColor={({ data }) => `var(--${fillOf((data as StepNodeData).group.state ?? 'pending')})`}
            maskColor="var(--mask)"
          />
        )}
      </ReactFlow>
    </section>
  );
}

/** Shows the whole graph again when the drawer opens or closes, unless the user has moved it. */
function useFittedView(large: Drawing | undefined, height: number) {
  const width = useStore((state) => state.width);
  const { fitView, setViewport } = useReactFlow();
  const moved = useRef(false);
  const latest = useRef({ large, height });
  latest.current = { large, height };
  const before = useRef(width);
  useEffect(() => {
    if (before.current === 0 || before.current === width || moved.current) {
      before.current = width;
      return;
    }
    before.current = width;
    const { large: drawing, height } = latest.current;
    if (drawing) void setViewport(viewOf(drawing, { width, height }));
    else void fitView(FIT);
  }, [width, fitView, setViewport]);
  return moved;
}

/** Returns the view that shows a whole large graph. */
function viewOf({ places, sizes }: Drawing, { width, height }: Size): Viewport {
  const extent = extentOf(places, sizes);
  // Neither the map nor the buttons cover a step.
  const free = width - BUTTON_SPACE - (width >= LEAST_WIDE_FOR_MAP ? MAP_SPACE : 0);
  const zoom = Math.max(0.05, Math.min(1, (free - MARGIN) / extent.width, (height - MARGIN) / extent.height));
  return { x: BUTTON_SPACE + (free - extent.width * zoom) / 2, y: (height - extent.height * zoom) / 2, zoom };
}

/**
 * Returns the nodes of a large graph that are in the document: the nodes in view when zoomed in, and only the focused
 * node when zoomed out. The view is rounded to tiles, so that most movements change nothing.
 */
function useInView(nodes: readonly FlowNode[], focusable: string | undefined) {
  const [key, setKey] = useState('far');
  const look = useCallback(({ x, y, zoom }: Viewport, box: HTMLElement | null) => {
    if (!box) return;
    const tile = (pixels: number) => Math.floor(pixels / zoom / TILE);
    const tiles = [-x, -y, box.clientWidth - x, box.clientHeight - y].map(tile);
    setKey(zoom < LARGE_READABLE_ZOOM ? 'far' : tiles.join());
  }, []);
  const inView = useMemo(() => {
    if (key === 'far') return nodes.filter(({ id }) => id === focusable);
    const [left, top, right, bottom] = key.split(',').map(Number) as [number, number, number, number];
    const seen = nodes.filter(
      ({ id, position: { x, y }, width = 0, height = 0 }) =>
        id !== focusable &&
        x + width > left * TILE &&
        y + height > top * TILE &&
        x < (right + 1) * TILE &&
        y < (bottom + 1) * TILE,
    );
    return [...nodes.filter(({ id }) => id === focusable), ...seen];
  }, [key, nodes, focusable]);
  const isFar = key === 'far';
  // Adds a few nodes in each frame, so that the movement stays smooth.
  const [count, setCount] = useState(AT_ONCE);
  const next = isFar ? AT_ONCE : Math.max(AT_ONCE, Math.min(inView.length, count + AT_ONCE));
  useEffect(() => {
    if (next === count) return;
    const frame = requestAnimationFrame(() => setCount(next));
    return () => cancelAnimationFrame(frame);
  }, [next, count]);
  const some = useMemo(() => inView.slice(0, count), [inView, count]);
  return { inView: some, isPicture: isFar || count < inView.length, look };
}

interface Widths {
  /** The width of the graph without the drawer. */
  whole: number;
  /** The width of the graph next to the drawer. */
  besideDrawer: number;
}

/** Returns the widths of the graph with and without the drawer, whether or not it is open. */
function useWidths(box: RefObject<HTMLElement | null>, isOpen: boolean): Widths | undefined {
  const [widths, setWidths] = useState<Widths>();
  const open = useRef(isOpen);
  open.current = isOpen;
  useLayoutEffect(() => {
    const measure = () => {
      const own = box.current?.clientWidth ?? 0;
      const drawer = matchMedia('(min-width: 64rem)').matches ? DRAWER : 0;
      const whole = open.current ? own + drawer : own;
      setWidths({ whole, besideDrawer: whole - drawer });
    };
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, [box]);
  return widths;
}

function sizeOfGroup({ name, isBatch, steps, elements }: Group, unfolded: ReadonlySet<string>): Size {
  if (isBatch) return batchSize(steps.length, unfolded.has(name));
  return elements ? FOLDED : NODE;
}

function useLayout({ groups, edges }: Shape, { unfolded, widths }: { unfolded: ReadonlySet<string>; widths: Widths }) {
  const { whole, besideDrawer: width } = widths;
  const sizes = groups.map((group) => sizeOfGroup(group, unfolded));
  // The layout depends only on the strings, so that a change of state does not lay out the graph again.
  const structure = JSON.stringify([groups.map(({ name }) => name), edges.map(({ from, to }) => [from, to])]);
  const key = JSON.stringify(sizes.map(({ width, height }) => [width, height]));
  return useMemo(() => {
    const [names, pairs] = JSON.parse(structure) as [string[], [string, string][]];
    const all = JSON.parse(key) as [number, number][];
    const byName = new Map(names.map((name, at) => [name, { width: all[at]![0], height: all[at]![1] }]));
    const lines = pairs.map(([from, to]): GraphEdge => ({ from, to }));
    const sizeOf = (name: string) => byName.get(name)!;
    const most = names.length > ALL_IN_DOCUMENT ? LARGE_HIGH : MOST_HIGH;
    const sized = (places: Map<string, Place>, direction: Direction) => {
      const size = extentOf(places, byName);
      const zoom = Math.min(1, (width - MARGIN) / size.width, (most - MARGIN) / size.height);
      return { places, direction, size, zoom };
    };
    const laidOut = (direction: Direction) => sized(layoutOf(names, lines, { sizeOf, direction }), direction);
    const chain = chainOf(names, lines, { sizeOf, space: { width: whole - MARGIN, height: most - MARGIN } });
    const across = chain ? sized(chain, 'LR') : laidOut('LR');
    const down = across.zoom < LEAST_ZOOM && !chain ? laidOut('TB') : across;
    const { places, direction, size, zoom } = down.zoom > across.zoom ? down : across;
    const height = Math.min(most, Math.max(LEAST_HIGH, Math.ceil(size.height * Math.max(zoom, 0.3)) + 2 * MARGIN));
    return { places, sizes: byName, structure, direction, height };
  }, [structure, key, width, whole]);
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
  /** The node that the Tab key reaches. The arrow keys reach the other nodes. */
  focusable: string | undefined;
  direction: Direction;
  onSelect(name: string): void;
  onToggle(name: string): void;
}

/** Returns the nodes. Unchanged nodes are the same objects as before, so that they are not drawn again. */
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
        ...sizeOfGroup(group, unfolded),
        style: { pointerEvents: 'all' },
      };
      next.set(name, isSame ? known : { group, node });
    }
    before.current = next;
    return [...next.values()].map(({ node }) => node);
  }, [groups, places, unfolded, selected, focusable, direction, onSelect, onToggle]);
}

/** A step that did not change is the same object in two responses. */
function sameGroup(one: Group, other: Group): boolean {
  return (
    one.presence === other.presence &&
    one.steps.length === other.steps.length &&
    one.steps.every((step, at) => step === other.steps[at])
  );
}

interface EdgeOptions extends Pick<NodeOptions, 'places' | 'direction'> {
  critical: ReadonlySet<string> | undefined;
}

function useEdges({ edges, byName }: Shape, { critical, places, direction }: EdgeOptions): Edge[] {
  const key = critical === undefined ? '' : [...critical].join('\n');
  const groups = [...byName.values()];
  const absent = groups.flatMap(({ name, presence }) => (presence === 'made' ? [] : [name])).join('\n');
  const routes = groups.flatMap(({ name, conditions }) => (isRoute(conditions) ? [name] : [])).join('\n');
  return useMemo(() => {
    const emphasised = new Set(key.split('\n'));
    const rank = (edge: GraphEdge) => (emphasised.has(edgeKey(edge)) ? 1 : 0);
    const dotted = new Set(absent.split('\n'));
    const dashed = new Set(routes.split('\n'));
    // Later edges are drawn above earlier ones.
    const ordered = edges.toSorted((one, other) => rank(one) - rank(other));
    return ordered.map((edge): Edge => {
      const id = edgeKey(edge);
      const classes = [
        emphasised.has(id) && 'critical',
        dashed.has(edge.to) && 'route',
        (dotted.has(edge.from) || dotted.has(edge.to)) && 'absent',
      ];
      return {
        id,
        source: edge.from,
        target: edge.to,
        focusable: false,
        className: classes.filter(Boolean).join(' '),
        // The chain continues in the next row.
        ...(direction === 'LR' && places.get(edge.to)!.x <= places.get(edge.from)!.x && { type: 'smoothstep' }),
      };
    });
  }, [edges, key, absent, routes, places, direction]);
}

/** Moves the running step into view whenever another step starts. */
function useFollow({ groups }: Shape, places: ReadonlyMap<string, Place>) {
  const [following, setFollowing] = useState(false);
  const { setCenter } = useReactFlow();
  const latest = useRef(places);
  latest.current = places;
  const active = ['in_progress', 'waiting_for_retry', 'waiting', 'enqueued', 'error']
    .map((state) => groups.find((group) => group.state === state)?.name)
    .find((name) => name !== undefined);
  useEffect(() => {
    const place = active === undefined ? undefined : latest.current.get(active);
    if (!following || !place) return;
    void setCenter(place.x + NODE.width / 2, place.y + NODE.height / 2, { zoom: FOLLOW_ZOOM, duration: MOVE_MS });
  }, [following, active, setCenter]);
  return { following, setFollowing };
}

/** Moves the selected node into view if it was selected elsewhere, such as by the URL. */
function useShownSelection(name: string | undefined, places: ReadonlyMap<string, Place>): void {
  const { setCenter, getZoom } = useReactFlow();
  const isLarge = places.size > MAP_FROM;
  const latest = useRef(places);
  latest.current = places;
  useEffect(() => {
    const place = name === undefined ? undefined : latest.current.get(name);
    if (!place || !isLarge) return;
    // Skips the first view, which fits the whole graph.
    const timer = setTimeout(
      () => void setCenter(place.x + NODE.width / 2, place.y, { zoom: Math.max(getZoom(), 0.7), duration: MOVE_MS }),
    );
    return () => clearTimeout(timer);
  }, [name, isLarge, setCenter, getZoom]);
}

/** Arrow keys move along the edges, and to the neighbors of the same rank. */
function useArrowKeys(
  { edges }: Shape,
  { places, direction, onSelect }: Omit<Move, 'from'> & { onSelect(name: string): void },
) {
  return (event: KeyboardEvent<HTMLElement>) => {
    const from = event.target instanceof HTMLElement ? event.target.dataset.node : undefined;
    const to = from === undefined ? undefined : neighbor(event.key, edges, { from, places, direction });
    if (to === undefined) return;
    event.preventDefault();
    onSelect(to);
    // The node may exist only after it was moved into view.
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

function neighbor(key: string, edges: readonly GraphEdge[], { from, places, direction }: Move): string | undefined {
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

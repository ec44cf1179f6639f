import {
  Background,
  Controls,
  type Edge,
  Handle,
  MiniMap,
  type Node,
  Panel,
  Position,
  ReactFlow,
  type ReactFlowInstance,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { useMemo, useRef, useState } from 'react';
import { GraphSearch } from '../task/graph/graph-search.tsx';
import { chainOf, layoutOf, NODE } from '../task/layout.ts';
import '../task/graph.css';

export interface GraphStep {
  name: string;
  /** The second line. */
  detail: string;
  hue?: 'grey' | 'red' | 'amber' | 'green';
  /** The share of its attempts that failed, from 0 to 1. Colors the step. */
  failing?: number | undefined;
  /** A sign before the name. */
  sign?: string;
  /** The step's share of the time that all steps took, from 0 to 1. */
  share?: number | undefined;
  dashed?: boolean;
}

interface TemplateGraphProps {
  steps: readonly GraphStep[];
  edges: readonly { from: string; to: string; hue?: 'red' | 'green' }[];
  /** Names of the steps that run after a failure. */
  routes: ReadonlySet<string>;
  selected: string | undefined;
  onSelect(name: string): void;
}

type Box = Node<{ step: GraphStep; selected: boolean; isAcross: boolean }, 'step'>;

const NODE_TYPES = { step: StepBox };
/** Pixels. */
const LEAST_HIGH = 280;
const MOST_HIGH = 600;
/** Larger graphs get a map. */
const MAP_FROM = 20;
const COLORS = { red: 'var(--s-red)', green: 'var(--s-green)' };
const MARGIN = 120;
const MOST_WIDE = 1360;
const NARROW = 640;
const READABLE = 0.75;
/** Below this zoom, only names are drawn. */
const FAR = 0.45;
/** A larger graph begins at its first steps, at a zoom that can be read. */
const LARGE = 60;

/** The steps of a template and their dependencies, in the same style as the graph of a task. */
export default function TemplateGraph({ steps, edges, routes, selected, onSelect }: TemplateGraphProps) {
  const narrow = innerWidth < NARROW;
  const box = useRef<HTMLDivElement>(null);
  const flow = useRef<ReactFlowInstance<Box>>(null);
  const [wanted, setWanted] = useState('');
  const isLarge = steps.length > LARGE;
  const names = steps.map(({ name }) => name);
  const key = JSON.stringify([names, edges]);
  const { places, height } = useMemo(() => {
    // The layout depends only on the text, so that new numbers do not lay out the graph again.
    const [names, edges] = JSON.parse(key) as [string[], { from: string; to: string }[]];
    const space = { width: Math.min(innerWidth, MOST_WIDE) - MARGIN, height: MOST_HIGH - MARGIN };
    const chain = narrow ? undefined : chainOf(names, edges, { sizeOf: () => NODE, space });
    const places = chain ?? layoutOf(names, edges, { direction: narrow ? 'TB' : 'LR' });
    const rows = Math.max(0, ...[...places.values()].map(({ y }) => y)) + NODE.height;
    return { places, height: Math.min(MOST_HIGH, Math.max(LEAST_HIGH, rows + MARGIN)) };
  }, [key, narrow]);
  const nodes: Box[] = steps.map((step) => ({
    id: step.name,
    type: 'step',
    position: places.get(step.name)!,
    data: { step, selected: step.name === selected, isAcross: !narrow },
    width: NODE.width,
    height: NODE.height,
    ariaLabel: `${step.name}: ${step.detail}`,
  }));
  const lines: Edge[] = edges.map(({ from, to, hue }) => ({
    id: `${from} ${to}`,
    source: from,
    target: to,
    className: routes.has(to) ? 'route' : '',
    ...(!narrow && places.get(to)!.x <= places.get(from)!.x && { type: 'smoothstep' }),
    ...(hue && { style: { stroke: COLORS[hue], ...(hue === 'red' && { strokeDasharray: '4 4' }) } }),
  }));
  return (
    <div
      ref={box}
      className="task-graph overflow-hidden rounded-lg border border-line bg-surface"
      style={{ height: isLarge ? MOST_HIGH : height }}
    >
      <ReactFlow
        key={key}
        nodes={nodes}
        edges={lines}
        nodeTypes={NODE_TYPES}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        onlyRenderVisibleElements={steps.length > 200}
        minZoom={0.05}
        onInit={(instance) => {
          flow.current = instance;
        }}
        onMove={(_, { zoom }) => box.current?.classList.toggle('far', zoom < FAR)}
        {...(isLarge ? { defaultViewport: { x: 24, y: 48, zoom: READABLE } } : { fitView: true })}
        // Names stay readable on a small screen; the rest of a wide graph is reached by dragging.
        fitViewOptions={{ maxZoom: 1, padding: 0.12, ...(narrow && { minZoom: READABLE }) }}
        // A page with a graph must still scroll.
        preventScrolling={false}
        zoomOnScroll={false}
        onNodeClick={(_, node) => onSelect(node.id)}
        onSelectionChange={({ nodes: [chosen] }) => chosen && onSelect(chosen.id)}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={24} size={1} color="var(--line)" />
        <Controls showInteractive={false} />
        {steps.length >= MAP_FROM && (
          <Panel position="top-right">
            <GraphSearch
              names={names}
              wanted={wanted}
              onSearch={setWanted}
              onSelect={(name) => {
                const { x, y } = places.get(name)!;
                void flow.current?.setCenter(x + NODE.width / 2, y + NODE.height / 2, { zoom: READABLE });
                onSelect(name);
              }}
            />
          </Panel>
        )}
        {steps.length >= MAP_FROM && (
          <MiniMap
            pannable
            zoomable
            ariaLabel="Map of the graph"
            nodeStrokeWidth={0}
            nodeColor={({ data }) => failingColor((data as Box['data']).step.failing, 'var(--edge)')}
            maskColor="var(--mask)"
          />
        )}
      </ReactFlow>
    </div>
  );
}

const BORDERS = {
  grey: '',
  red: '!border-s-red !bg-t-red',
  amber: '!border-s-amber !bg-t-amber',
  green: '!border-s-green',
} as const;

/** Names often differ only at their ends, so a long name is shortened before its end. */
const END = 5;
const LONG = 12;

function NameText({ name }: { name: string }) {
  if (name.length <= LONG) return name;
  return (
    <span className="flex min-w-0">
      <span className="truncate">{name.slice(0, -END)}</span>
      <span className="shrink-0">{name.slice(-END)}</span>
    </span>
  );
}

/** Weak failures must differ from none, so the scale begins above 0. */
const LEAST_RED = 0.12;
const MOST_RED = 0.6;

/** Returns the color for a share of failed attempts: a scale from faint red to strong red. */
function failingColor(share: number | undefined, none: string): string {
  if (share === undefined || share === 0) return none;
  const red = LEAST_RED + (MOST_RED - LEAST_RED) * Math.sqrt(share);
  return `color-mix(in srgb, var(--s-red) ${Math.round(red * 100)}%, var(--surface))`;
}

function StepBox({ data: { step, selected, isAcross } }: { data: Box['data'] }) {
  const { name, detail, hue = 'grey', failing, sign, share, dashed } = step;
  return (
    <div
      className={`step-box relative overflow-hidden ${selected ? 'step-box-selected' : ''} ${BORDERS[hue]} ${dashed ? 'border-dashed!' : ''}`}
      style={failing ? { background: failingColor(failing, ''), borderColor: 'var(--s-red)' } : {}}
    >
      <Handle type="target" position={isAcross ? Position.Left : Position.Top} isConnectable={false} />
      {sign && <span className="font-mono text-base font-semibold text-soft">{sign}</span>}
      <div className="min-w-0">
        <div
          className={`step-name truncate text-sm leading-[18px] font-medium ${dashed ? 'text-faint line-through' : ''}`}
          title={name}
        >
          <NameText name={name} />
        </div>
        <div
          className={`step-detail truncate text-xs tabular-nums ${failing ? 'text-ink' : 'text-soft'}`}
          title={detail}
        >
          {detail}
        </div>
      </div>
      {share !== undefined && (
        <span className="absolute bottom-0 left-0 h-[3px] bg-s-blue" style={{ width: `${share * 100}%` }} />
      )}
      <Handle type="source" position={isAcross ? Position.Right : Position.Bottom} isConnectable={false} />
    </div>
  );
}

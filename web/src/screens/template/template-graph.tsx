import { Background, Controls, type Edge, Handle, MiniMap, type Node, Position, ReactFlow } from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { useMemo } from 'react';
import { layoutOf, NODE } from '../task/layout.ts';
import '../task/graph.css';

export interface GraphStep {
  name: string;
  /** The second line. */
  detail: string;
  hue?: 'grey' | 'red' | 'amber' | 'green';
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
const NARROW = 640;
const READABLE = 0.75;

/** The steps of a template and their dependencies, in the same style as the graph of a task. */
export default function TemplateGraph({ steps, edges, routes, selected, onSelect }: TemplateGraphProps) {
  const narrow = innerWidth < NARROW;
  const names = steps.map(({ name }) => name);
  const key = JSON.stringify([names, edges]);
  const { places, height } = useMemo(() => {
    // The layout depends only on the text, so that new numbers do not lay out the graph again.
    const [names, edges] = JSON.parse(key) as [string[], { from: string; to: string }[]];
    const places = layoutOf(names, edges, { direction: narrow ? 'TB' : 'LR' });
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
    ...(hue && { style: { stroke: COLORS[hue], ...(hue === 'red' && { strokeDasharray: '4 4' }) } }),
  }));
  return (
    <div className="task-graph overflow-hidden rounded-lg border border-line bg-surface" style={{ height }}>
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
        fitView
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
        {steps.length >= MAP_FROM && <MiniMap pannable zoomable ariaLabel="Map of the graph" />}
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

function StepBox({ data: { step, selected, isAcross } }: { data: Box['data'] }) {
  const { name, detail, hue = 'grey', sign, share, dashed } = step;
  return (
    <div
      className={`step-box relative overflow-hidden ${selected ? 'step-box-selected' : ''} ${BORDERS[hue]} ${dashed ? 'border-dashed!' : ''}`}
    >
      <Handle type="target" position={isAcross ? Position.Left : Position.Top} isConnectable={false} />
      {sign && <span className="font-mono text-base font-semibold text-soft">{sign}</span>}
      <div className="min-w-0">
        <div
          className={`truncate text-sm leading-[18px] font-medium ${dashed ? 'text-faint line-through' : ''}`}
          title={name}
        >
          {name}
        </div>
        <div className="truncate text-xs text-soft tabular-nums" title={detail}>
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

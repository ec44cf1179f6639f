import { Background, Controls, type Edge, Handle, MiniMap, type Node, Position, ReactFlow } from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { useMemo } from 'react';
import { useNow } from '../../api/live.tsx';
import type { StepDetail } from '../../api/types.ts';
import { lookOf, StateShape } from '../../parts/state.tsx';
import type { Topology } from './edges.ts';
import { layoutOf, NODE } from './layout.ts';
import './graph.css';
import { stepTimeText } from './task-words.ts';
import type { ViewProps } from './views.tsx';

type StepNode = Node<{ name: string; step: StepDetail | undefined; selected: boolean }, 'step'>;

const NODE_TYPES = { step: StepBox };
/** Pixels. */
const LEAST_HIGH = 280;
const MOST_HIGH = 600;
/** Larger graphs get a map. */
const MAP_FROM = 20;

/** The steps of a task and their dependencies. */
export default function Graph({ data, selected, onSelect }: ViewProps) {
  const key = JSON.stringify(data.topology);
  const { names, edges, places, height } = useMemo(() => {
    // The text is the key, so that a change of state does not lay out the graph again.
    const { names, edges } = JSON.parse(key) as Topology;
    const places = layoutOf(names, edges);
    const rows = Math.max(0, ...[...places.values()].map(({ y }) => y)) + NODE.height;
    return { names, edges, places, height: Math.min(MOST_HIGH, Math.max(LEAST_HIGH, rows + 160)) };
  }, [key]);
  const steps = new Map(data.steps.map((step) => [step.name, step]));
  const nodes: StepNode[] = names.map((name) => {
    const step = steps.get(name);
    return {
      id: name,
      type: 'step',
      position: places.get(name)!,
      data: { name, step, selected: name === selected },
      width: NODE.width,
      height: NODE.height,
      ariaLabel: `${name}: ${step ? lookOf(step.current_state).word : 'not created'}`,
    };
  });
  const lines: Edge[] = edges.map(({ from, to }) => ({
    id: `${from} ${to}`,
    source: from,
    target: to,
    ...(!(steps.has(from) && steps.has(to)) && { style: { strokeDasharray: '4 4' } }),
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
        elementsSelectable
        onlyRenderVisibleElements={names.length > 200}
        minZoom={0.05}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.12 }}
        onNodeClick={(_, node) => onSelect(node.id)}
        onSelectionChange={({ nodes: [chosen] }) => chosen && onSelect(chosen.id)}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={24} size={1} color="var(--line)" />
        <Controls showInteractive={false} />
        {names.length >= MAP_FROM && <MiniMap pannable zoomable ariaLabel="Map of the graph" />}
      </ReactFlow>
    </div>
  );
}

function StepBox({ data: { name, step, selected } }: { data: StepNode['data'] }) {
  const now = useNow();
  const state = step?.current_state ?? 'pending';
  const { hue, word } = lookOf(state);
  const detail = step
    ? [word, stepTimeText(step, now), step.attempts > 1 ? `${step.attempts}/${step.max_attempts}` : '']
    : ['not created'];
  return (
    <div className={`step-box ${selected ? 'step-box-selected' : ''}`} data-hue={hue}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <StateShape state={state} size={16} />
      <div className="min-w-0">
        <div className="truncate text-sm leading-[18px] font-medium" title={name}>
          {name}
        </div>
        <div className="truncate text-xs text-faint tabular-nums">{detail.filter(Boolean).join(' · ')}</div>
      </div>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

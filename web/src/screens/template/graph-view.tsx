import { lazy, Suspense, useState } from 'react';
import type { TemplateGraph as Graph, SlowStep, TemplateName } from '../../api/types.ts';
import { Panel } from '../../parts/controls.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { durationText, numberText, percentText } from '../../parts/words.ts';
import { Conditions, isRoute } from '../task/graph/conditions.tsx';
import { GraphLegend } from '../task/graph/graph-legend.tsx';
import { useGraph, useSource, useStats } from './use-template.ts';

const TemplateGraph = lazy(() => import('./template-graph.tsx'));

export const PERIODS = [
  [1, 'Last hour'],
  [24, 'Last 24 hours'],
  [168, 'Last 7 days'],
] as const;

interface Props {
  template: TemplateName;
  hours: number;
}

/** The graph of a template, with the numbers of its steps. */
export function GraphView({ template, hours }: Props) {
  const graph = useGraph(template);
  const stats = useStats(template, hours);
  const [selected, setSelected] = useState<string>();
  if (!graph.data) return null;
  const numbers = new Map(stats.data?.slow_steps.map((step) => [step.step, step]));
  const steps = graph.data.nodes.map(({ name, type }) => {
    const found = numbers.get(name);
    return {
      name,
      detail: found ? detailOf(found) : type === 'standard' ? 'not run' : typeText(type),
      failing: found?.error_rate ?? 0,
      share: found?.share_of_time ?? undefined,
    };
  });
  const routes = routesOf(graph.data);
  const node = graph.data.nodes.find(({ name }) => name === selected);
  return (
    <>
      <Suspense fallback={<div className="h-[280px]" />}>
        <TemplateGraph
          steps={steps}
          edges={graph.data.edges}
          routes={routes}
          selected={selected}
          onSelect={setSelected}
        />
      </Suspense>
      <GraphLegend hasRoutes={routes.size > 0} />
      <p className="mt-2 mb-6 text-xs text-faint">
        {numbers.size > 0
          ? 'Each step shows its p95 duration and how many of its attempts failed: the more, the stronger its red. The bar is its share of the time of all steps.'
          : 'No step ran in this period. Durations and failures appear on the steps once tasks have run.'}
      </p>
      {node && <StepFacts template={template} node={node} numbers={numbers.get(node.name)} />}
    </>
  );
}

/** Returns the names of the steps of a template that run after a failure. */
export function routesOf({ nodes }: Graph): ReadonlySet<string> {
  return new Set(nodes.filter(isRoute).map(({ name }) => name));
}

export const typeText = (type: string) => type.replaceAll('_', ' ');

function detailOf({ duration, error_rate: rate }: SlowStep): string {
  const p95 = duration.p95_ms === null ? '' : `p95 ${durationText(duration.p95_ms)}`;
  return [p95, `${percentText(rate ?? 0)} failed`].filter(Boolean).join(' · ');
}

function StepFacts({
  template,
  node,
  numbers,
}: {
  template: TemplateName;
  node: Graph['nodes'][number];
  numbers: SlowStep | undefined;
}) {
  const { data } = useSource(template);
  const { name: step } = node;
  const definition = data?.template.steps.find(({ name }) => name === step);
  return (
    <Panel title={`Step ${step}`}>
      {numbers && (
        <dl className="flex flex-wrap gap-x-8 gap-y-1 border-b border-line px-4 py-3 text-sm">
          {factsOf(numbers).map(([name, value]) => (
            <div key={name} className="flex gap-1.5">
              <dt className="text-faint">{name}</dt>
              <dd className="tabular-nums">{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <Conditions of={node} />
      {definition && <JsonTree name={`the step ${step}`} value={definition} />}
    </Panel>
  );
}

const ms = (value: number | null) => (value === null ? '–' : durationText(value));

function factsOf({ attempts, failed, retried, duration, queueing, share_of_time: share }: SlowStep) {
  return [
    ['Attempts', numberText(attempts)],
    ['Failed', numberText(failed)],
    ['Retried', numberText(retried)],
    ['p50', ms(duration.p50_ms)],
    ['p95', ms(duration.p95_ms)],
    ['Queueing p95', ms(queueing.p95_ms)],
    ['Share of time', share === null ? '–' : percentText(share)],
  ] as const;
}

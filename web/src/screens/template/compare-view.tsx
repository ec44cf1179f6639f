import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { useSearchParams } from 'react-router';
import { api } from '../../api/client.ts';
import type { TemplateChange, TemplateName } from '../../api/types.ts';
import { ChangedLines } from '../../parts/changed-lines.tsx';
import { Empty, Panel, Problem } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { lineDiff, nearChanges } from '../../parts/line-diff.ts';
import { counted } from '../../parts/words.ts';
import { GraphLegend } from '../task/graph/graph-legend.tsx';
import { routesOf } from './graph-view.tsx';
import type { GraphStep } from './template-graph.tsx';
import { useGraph, useVersions, useYaml } from './use-template.ts';

const TemplateGraph = lazy(() => import('./template-graph.tsx'));

const SIGNS = { added: '+', removed: '−', changed: '±' } as const;
const HUES = { added: 'text-s-green', removed: 'text-s-red', changed: 'text-s-amber' } as const;

const COLUMNS: readonly Column<TemplateChange>[] = [
  {
    head: 'Change',
    cell: ({ change }) => (
      <span className={HUES[change]}>
        <span className="font-mono">{SIGNS[change]}</span> {change}
      </span>
    ),
  },
  { head: 'Where', cell: ({ path }) => <span className="font-mono text-xs">{path}</span> },
  { head: 'Before', cell: ({ from }) => <Value value={from} /> },
  { head: 'After', kind: 'wide', cell: ({ to }) => <Value value={to} /> },
];

function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <span className="text-faint">–</span>;
  const text = JSON.stringify(value);
  return (
    <span className="block max-w-[420px] truncate font-mono text-xs" title={text}>
      {text}
    </span>
  );
}

/** The differences from another version: in the graph, as a list, and as text. */
export function CompareView({ template }: { template: TemplateName }) {
  const versions = useVersions(template);
  const [search, setSearch] = useSearchParams();
  const at = versions.findIndex(({ version }) => version === template.version);
  // The previous version, or if there is none, the next version.
  const usual = versions[at + 1] ?? versions[at - 1];
  const other = versions.find(({ version }) => version === search.get('with')) ?? usual;
  if (versions.length === 0) return null;
  if (!other) {
    return (
      <Panel>
        <Empty title="This is the only version">
          Register another version of the template. Its differences from this one appear here.
        </Empty>
      </Panel>
    );
  }
  return (
    <>
      <label className="mb-4 flex items-center gap-2 text-sm text-soft">
        Compare with
        <select
          className="h-8 rounded-md border border-edge bg-surface px-2 text-sm text-ink"
          value={other.version}
          onChange={({ target }) =>
            setSearch((now) => {
              now.set('with', target.value);
              return now;
            })
          }
        >
          {versions
            .filter(({ version }) => version !== template.version)
            .map(({ version }) => (
              <option key={version}>{version}</option>
            ))}
        </select>
      </label>
      <Differences key={other.version} template={template} before={{ ...template, version: other.version }} />
    </>
  );
}

function Differences({ template, before }: { template: TemplateName; before: TemplateName }) {
  const { namespace, name, version } = template;
  const { data, error } = useQuery({
    queryKey: ['template', namespace, name, version, 'diff', before.version],
    queryFn: ({ signal }) => api.templates.diff(namespace, name, version, { with: before.version }, { signal }),
  });
  if (error) return <Problem error={error} />;
  if (!data) return null;
  const { changes } = data;
  return (
    <>
      <p className="mb-3 text-sm">
        {changes.length === 0 ? 'Nothing differs' : counted(changes.length, 'difference')} from {before.version} to{' '}
        {version}
      </p>
      <GraphOfChanges template={template} before={before} changes={changes} />
      {changes.length > 0 && (
        <Panel title="Changes">
          <Grid name="Changes" columns={COLUMNS} rows={changes} keyOf={({ path }) => path} />
        </Panel>
      )}
      <TextOfChanges template={template} before={before} />
    </>
  );
}

const STEP = /^steps\.([^.]+)/;

function GraphOfChanges({
  template,
  before,
  changes,
}: {
  template: TemplateName;
  before: TemplateName;
  changes: readonly TemplateChange[];
}) {
  const [selected, setSelected] = useState<string>();
  const now = useGraph(template).data;
  const then = useGraph(before).data;
  if (!now || !then) return null;
  const old = new Set(then.nodes.map(({ name }) => name));
  const kept = new Set(now.nodes.map(({ name }) => name));
  const counts = new Map<string, number>();
  for (const { path } of changes) {
    const step = STEP.exec(path)?.[1];
    if (step) counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  const steps = [...kept, ...[...old].filter((name) => !kept.has(name))].map((name): GraphStep => {
    if (!kept.has(name)) return { name, detail: 'removed', hue: 'red', sign: SIGNS.removed, dashed: true };
    if (!old.has(name)) return { name, detail: 'added', hue: 'green', sign: SIGNS.added };
    const count = counts.get(name);
    if (!count) return { name, detail: 'the same' };
    return { name, detail: counted(count, 'change'), hue: 'amber', sign: SIGNS.changed };
  });
  const text = ({ from, to }: { from: string; to: string }) => JSON.stringify([from, to]);
  const [oldEdges, newEdges] = [new Set(then.edges.map(text)), new Set(now.edges.map(text))];
  const edges = [
    ...now.edges.map((edge) => ({ ...edge, ...(!oldEdges.has(text(edge)) && { hue: 'green' as const }) })),
    ...then.edges.filter((edge) => !newEdges.has(text(edge))).map((edge) => ({ ...edge, hue: 'red' as const })),
  ];
  const routes = routesOf(now);
  return (
    <div className="mb-6">
      <Suspense fallback={<div className="h-[280px]" />}>
        <TemplateGraph steps={steps} edges={edges} routes={routes} selected={selected} onSelect={setSelected} />
      </Suspense>
      <GraphLegend hasRoutes={routes.size > 0} />
    </div>
  );
}

function TextOfChanges({ template, before }: { template: TemplateName; before: TemplateName }) {
  const now = useYaml(template).data;
  const then = useYaml(before).data;
  if (now === undefined || then === undefined) return null;
  const lines = nearChanges(lineDiff(then, now));
  if (!lines.some((line) => line && line.kind !== 'same')) return null;
  return (
    <Panel title="Text">
      <ChangedLines lines={lines} />
    </Panel>
  );
}

import type { SlowStep, TemplateName } from '../../api/types.ts';
import { Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { durationText, numberText, percentText } from '../../parts/words.ts';
import type { StepConditions } from '../task/graph/conditions.tsx';
import { typeText } from './graph-view.tsx';
import { useGraph, useSource, useStats } from './use-template.ts';

interface Row {
  name: string;
  type: string;
  handler: string;
  after: string;
  conditions: StepConditions;
  description: string;
  numbers: SlowStep | undefined;
}

const ms = (value: number | null | undefined) => (value == null ? '–' : durationText(value));

const COLUMNS: readonly Column<Row>[] = [
  { head: 'Step', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Type', cell: ({ type }) => <span className="text-soft">{typeText(type)}</span> },
  { head: 'Handler', cell: ({ handler }) => <span className="font-mono text-xs">{handler}</span> },
  { head: 'After', cell: ({ after }) => <span className="text-soft">{after}</span> },
  { head: 'Conditions', cell: ({ conditions }) => <ConditionsCell of={conditions} /> },
  { head: 'Description', kind: 'wide', cell: ({ description }) => <span className="text-soft">{description}</span> },
  { head: 'Attempts', kind: 'num', cell: ({ numbers }) => numberText(numbers?.attempts ?? 0) },
  {
    head: 'Failed',
    kind: 'num',
    cell: ({ numbers }) => (
      <span className={numbers?.failed ? 'text-s-red' : ''}>{percentText(numbers?.error_rate ?? 0)}</span>
    ),
  },
  { head: 'p50', kind: 'num', cell: ({ numbers }) => ms(numbers?.duration.p50_ms) },
  { head: 'p95', kind: 'num', cell: ({ numbers }) => ms(numbers?.duration.p95_ms) },
];

/** The steps of a template as a table. */
export function StepsView({ template, hours }: { template: TemplateName; hours: number }) {
  const { data: graph } = useGraph(template);
  const { data: source } = useSource(template);
  const { data: stats } = useStats(template, hours);
  if (!graph) return null;
  const numbers = new Map(stats?.slow_steps.map((step) => [step.step, step]));
  const descriptions = new Map(source?.template.steps.map(({ name, description }) => [name, description]));
  const rows = graph.nodes.map(({ name, type, callable, run_if, join, when }) => ({
    name,
    type,
    handler: callable,
    after: graph.edges
      .filter(({ to }) => to === name)
      .map(({ from }) => from)
      .join(', '),
    conditions: { run_if, join, when },
    description: descriptions.get(name) ?? '',
    numbers: numbers.get(name),
  }));
  const isConditional = rows.some(({ conditions }) => textsOf(conditions).length > 0);
  const columns = COLUMNS.filter(({ head }) => isConditional || head !== 'Conditions');
  return (
    <Panel>
      <Grid name="Steps" columns={columns} rows={rows} keyOf={({ name }) => name} />
    </Panel>
  );
}

function textsOf({ run_if: runIf, join, when }: StepConditions): string[] {
  return [
    runIf === null ? [] : `run_if: ${runIf}`,
    join === null ? [] : `join: ${join}`,
    when === null ? [] : `when: ${when}`,
  ].flat();
}

function ConditionsCell({ of }: { of: StepConditions }) {
  const texts = textsOf(of);
  return (
    <span className="block max-w-[280px] truncate font-mono text-xs" title={texts.join('\n')}>
      {texts.join(', ')}
    </span>
  );
}

import { Link, useNavigate } from 'react-router';
import { api } from '../api/client.ts';
import { type ActiveTemplate, activeOf } from '../api/templates.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { ActButton } from '../parts/act-button.tsx';
import { Code, Empty, Heading, Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { useList } from '../parts/list-screen.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { boundText, counted, durationText } from '../parts/words.ts';
import {
  FAILED_STATES,
  RUNNING_STATES,
  STATS_DAYS,
  type TemplateNumbers,
  type TemplateStats,
  useTemplateNumbers,
  useTemplateStats,
} from './template/template-numbers.ts';
import { addressOfTemplate } from './template/use-template.ts';

interface Row extends ActiveTemplate {
  numbers: TemplateNumbers | undefined;
  stats: TemplateStats | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { head: 'Template', cell: (row) => <TemplateLink row={row} /> },
  {
    head: 'In progress',
    kind: 'num',
    cell: (row) => <Count row={row} of="running" states={RUNNING_STATES} />,
  },
  { head: 'Failed', kind: 'num', cell: (row) => <Count row={row} of="failed" states={FAILED_STATES} /> },
  { head: 'p95', kind: 'num', cell: ({ stats }) => <P95 of={stats} /> },
  { head: 'Last run', kind: 'num', cell: ({ stats }) => <LastRun of={stats} /> },
  { head: 'Versions', cell: (row) => <Versions row={row} /> },
  { head: 'Description', kind: 'wide', cell: ({ description }) => <span className="text-soft">{description}</span> },
  { head: 'Steps', kind: 'num', cell: ({ step_count }) => step_count },
  { head: '', kind: 'num', cell: (row) => <Acts row={row} /> },
];

function TemplateLink({ row }: { row: Row }) {
  const link = useLinks();
  return (
    <span className="inline-flex items-center gap-2">
      <Link className="font-medium hover:text-accent hover:underline" to={link(addressOfTemplate(row))}>
        <span className="font-normal text-faint">{row.namespace}/</span>
        {row.name}
      </Link>
      {row.paused && (
        <span className={`inline-flex items-center gap-1 text-xs ${HUES.slate}`}>
          <StateShape state="paused" size={12} />
          Paused
        </span>
      )}
    </span>
  );
}

function Versions({ row }: { row: Row }) {
  const link = useLinks();
  const others = row.versions.filter((version) => version !== row.version);
  return (
    <span className="text-soft tabular-nums">
      {row.version}
      {row.pinned && <span className="ml-1 text-xs text-faint">(pinned)</span>}
      {others.length > 0 && (
        <Link
          className="ml-2 text-xs text-faint hover:text-accent hover:underline"
          to={link(addressOfTemplate(row), { view: 'compare' })}
        >
          and {others.length === 1 ? others[0] : `${others.length} others`}
        </Link>
      )}
    </span>
  );
}

interface CountProps {
  row: Row;
  of: 'running' | 'failed';
  states: readonly string[];
}

/** A number of tasks, which leads to their list. */
function Count({ row: { namespace, name, numbers }, of, states }: CountProps) {
  const link = useLinks();
  if (!numbers) return <span className="text-faint">–</span>;
  if (numbers[of] === 0) return <span className="text-faint">{boundText(0, numbers.atLeast)}</span>;
  return (
    <Link
      className={`hover:underline ${of === 'failed' ? 'text-s-red' : 'hover:text-accent'}`}
      to={link('tasks', { namespace, name, state: states.join(',') })}
    >
      {boundText(numbers[of], numbers.atLeast)}
    </Link>
  );
}

function P95({ of }: { of: TemplateStats | undefined }) {
  if (of?.p95 == null) return <span className="text-faint">–</span>;
  return (
    <span
      title={`95 % of the tasks of version ${of.p95Version}, which had the most tasks in the last ${STATS_DAYS} days, took at most this long`}
    >
      {durationText(of.p95)}
    </span>
  );
}

function LastRun({ of }: { of: TemplateStats | undefined }) {
  if (!of) return <span className="text-faint">–</span>;
  if (of.lastAt) return <Time at={of.lastAt} />;
  return (
    <span className="text-faint" title={`No attempt ended in the last ${STATS_DAYS} days`}>
      –
    </span>
  );
}

function Acts({ row }: { row: Row }) {
  const link = useLinks();
  const navigate = useNavigate();
  return (
    <span className="inline-flex items-center gap-3">
      <Link
        className="text-soft hover:text-accent hover:underline"
        to={link('tasks', { namespace: row.namespace, name: row.name })}
      >
        Show tasks
      </Link>
      <ActButton
        method={api.tasks.create}
        target={`${row.namespace}/${row.name}`}
        look="quiet"
        className="h-7 px-2"
        onClick={() => void navigate(link(`${addressOfTemplate(row)}/new`))}
      >
        Create a task
      </ActButton>
    </span>
  );
}

export default function Templates() {
  const namespace = useNamespace();
  const { rows, error } = useList({ method: api.templates.list, rows: 'templates', query: { namespace } });
  const numbers = useTemplateNumbers();
  const stats = useTemplateStats();
  const templates = rows && activeOf(rows).map((row) => ({ ...row, numbers: numbers?.(row), stats: stats?.(row) }));
  const versions = rows?.length ?? 0;
  return (
    <>
      <Heading
        title="Templates"
        answer={
          templates
            ? `${counted(templates.length, 'template')}${versions > templates.length ? ` in ${counted(versions, 'version')}` : ''}`
            : '\u00a0'
        }
      />
      <ReadProblem error={error} hasData={rows !== undefined} />
      {templates && (
        <Panel>
          {templates.length > 0 ? (
            <Grid
              name="Templates"
              columns={COLUMNS}
              rows={templates}
              keyOf={({ namespace, name }) => `${namespace}/${name}`}
            />
          ) : (
            <Empty title="No templates yet">
              Put a YAML file into the folder of templates, or begin with <Code>npx tasker init</Code>.
            </Empty>
          )}
        </Panel>
      )}
    </>
  );
}

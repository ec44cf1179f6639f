import { Link, useNavigate } from 'react-router';
import { api } from '../api/client.ts';
import type { TemplateRow } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { ActButton } from '../parts/act-button.tsx';
import { Code, Empty, Heading, Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { useList } from '../parts/list-screen.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';
import { addressOfTemplate, newestFirst } from './template/use-template.ts';

/** The active version of a template, with the names of all versions. */
interface Row extends TemplateRow {
  versions: string[];
}

const COLUMNS: readonly Column<Row>[] = [
  { head: 'Template', cell: (row) => <TemplateLink row={row} /> },
  { head: 'Versions', cell: (row) => <Versions row={row} /> },
  { head: 'Description', kind: 'wide', cell: ({ description }) => <span className="text-soft">{description}</span> },
  { head: 'Steps', kind: 'num', cell: ({ step_count }) => step_count },
  { head: 'Registered', kind: 'num', cell: ({ registered_at }) => <Time at={registered_at} /> },
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

function activeOf(rows: readonly TemplateRow[]): Row[] {
  const found = new Map<string, TemplateRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.namespace, row.name]);
    const versions = found.get(key);
    if (versions) versions.push(row);
    else found.set(key, [row]);
  }
  return [...found.values()].map((versions) => {
    const sorted = versions.sort(newestFirst);
    const active = sorted.find((one) => one.active) ?? sorted[0]!;
    return { ...active, versions: sorted.map(({ version }) => version) };
  });
}

export default function Templates() {
  const namespace = useNamespace();
  const { rows, error } = useList({ method: api.templates.list, rows: 'templates', query: { namespace } });
  const templates = rows && activeOf(rows);
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

import { useNavigate } from 'react-router';
import { api } from '../../api/client.ts';
import { newestFirst } from '../../api/templates.ts';
import type { TemplateRow } from '../../api/types.ts';
import { useLinks, useNamespace } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Code, Empty, Panel } from '../../parts/controls.tsx';
import { useList } from '../../parts/list-screen.tsx';
import { counted } from '../../parts/words.ts';
import { addressOfTemplate } from '../template/use-template.ts';
import { useSlowSummary } from './needs.ts';

const MOST = 5;

/** Returns whether there is no open task, and none has ended recently. */
export function useIsNew(): boolean {
  const { data } = useSlowSummary();
  return data !== undefined && !Object.values(data.states).some((count) => count > 0);
}

/** Advice for the time before the first task: create one from a template. */
export function FirstSteps() {
  const namespace = useNamespace();
  const { rows } = useList({ method: api.templates.list, rows: 'templates', query: { namespace } });
  if (!rows) return null;
  if (rows.length === 0) {
    return (
      <Panel title="First steps">
        <Empty title="No templates yet">
          A template describes the steps of a task in YAML. <Code>npx tasker init</Code> writes an example with its
          handlers into a folder, and <Code>npx tasker dev</Code> runs it.
        </Empty>
      </Panel>
    );
  }
  const newest = new Map<string, TemplateRow>();
  for (const row of rows.toSorted(newestFirst)) {
    const key = `${row.namespace}/${row.name}`;
    if (!newest.has(key)) newest.set(key, row);
  }
  const shown = [...newest.values()].slice(0, MOST);
  return (
    <Panel title="First steps" more="Create a task of a template">
      <ul aria-label="Templates to begin with">
        {shown.map((row) => (
          <Item key={`${row.namespace}/${row.name}`} row={row} />
        ))}
      </ul>
    </Panel>
  );
}

function Item({ row }: { row: TemplateRow }) {
  const { namespace, name, description, step_count: steps } = row;
  const link = useLinks();
  const navigate = useNavigate();
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-2.5 last:border-b-0">
      <div className="min-w-0 grow basis-60">
        <p className="font-medium">
          <span className="font-normal text-faint">{namespace}/</span>
          {name}
        </p>
        <p className="text-sm break-words text-soft">{description ?? counted(steps, 'step')}</p>
      </div>
      <ActButton
        method={api.tasks.create}
        target={`${namespace}/${name}`}
        onClick={() => void navigate(link(`${addressOfTemplate(row)}/new`))}
      >
        Create a task
      </ActButton>
    </li>
  );
}

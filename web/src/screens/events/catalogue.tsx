import { useQueries } from '@tanstack/react-query';
import { Link } from 'react-router';
import { newestFirst, useTemplates } from '../../api/templates.ts';
import type { TemplateContent, TemplateRow } from '../../api/types.ts';
import { useLinks, useNamespace } from '../../frame/namespace.ts';
import { Code, Empty, Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { addressOfTemplate, sourceQuery } from '../template/use-template.ts';

type DeclaredEvent = NonNullable<TemplateContent['steps'][number]['publishes_events']>[number];

interface Row extends DeclaredEvent {
  /** Undefined for an event of tasker itself. */
  template?: TemplateRow;
  step: string;
}

/** The events that tasker publishes itself, for each step of the type approval. */
const BUILT_IN: readonly Row[] = Object.entries({
  requested: 'An approval begins. The payload has its title, form and assignees.',
  reminded: 'An approval is still open after remind_after.',
  escalated: 'An approval is still open after escalate_after. The payload has the additional assignees.',
  decided: 'An approval was decided, or timed out. The payload has the outcome.',
}).map(([what, description]) => ({
  name: `approval.${what}`,
  description,
  publisher: 'tasker',
  step: 'each approval',
  schema: {},
}));

/** Limited, because each template takes one request. */
const MOST_TEMPLATES = 200;

const COLUMNS: readonly Column<Row>[] = [
  { head: 'Event', cell: ({ name }) => <EventLink name={name} /> },
  { head: 'Published by', cell: ({ template, step }) => <TemplateLink template={template} step={step} /> },
  {
    head: 'On',
    cell: ({ condition }) => <span className="text-soft">{(condition ?? 'success').replaceAll('_', ' ')}</span>,
  },
  {
    head: 'Publisher',
    cell: ({ publisher }) => <span className="font-mono text-xs text-soft">{publisher ?? 'result of the step'}</span>,
  },
  { head: 'Delivery', cell: ({ delivery_mode: mode }) => <span className="text-soft">{mode ?? 'durable'}</span> },
  { head: 'Description', kind: 'wide', cell: ({ description }) => <span className="text-soft">{description}</span> },
];

/** An event of tasker has no condition, and is always durable. */
const BUILT_IN_COLUMNS = COLUMNS.filter(({ head }) => head !== 'On' && head !== 'Delivery');

function EventLink({ name }: { name: string }) {
  const link = useLinks();
  return (
    <Link className="font-medium hover:text-accent hover:underline" to={link('events', { name })}>
      {name}
    </Link>
  );
}

function TemplateLink({ template, step }: Pick<Row, 'template' | 'step'>) {
  const link = useLinks();
  if (!template) return <span className="text-soft">{step}</span>;
  return (
    <Link className="hover:text-accent hover:underline" to={link(addressOfTemplate(template))}>
      <span className="text-faint">{template.namespace}/</span>
      {template.name} <span className="text-faint">· {step}</span>
    </Link>
  );
}

/** The events that the newest versions of the templates declare, and those of tasker itself. */
export function Catalogue() {
  const namespace = useNamespace();
  const { data: list } = useTemplates(5_000);
  const newest = new Map<string, TemplateRow>();
  for (const row of [...(list?.templates ?? [])].sort(newestFirst)) {
    const key = `${row.namespace}/${row.name}`;
    if (!newest.has(key) && (namespace === undefined || row.namespace === namespace)) newest.set(key, row);
  }
  const templates = [...newest.values()].slice(0, MOST_TEMPLATES);
  const sources = useQueries({
    queries: templates.map((template) => ({ ...sourceQuery(template), staleTime: 60_000 })),
  });
  if (!list || sources.some(({ isPending }) => isPending)) return null;
  const rows: Row[] = sources.flatMap(({ data }, at) =>
    (data?.template.steps ?? []).flatMap((step) =>
      (step.publishes_events ?? []).map((event) => ({
        ...event,
        template: templates[at]!,
        step: step.name,
      })),
    ),
  );
  rows.sort((a, b) => a.name.localeCompare(b.name));
  return (
    <>
      <Panel
        {...(newest.size > MOST_TEMPLATES && {
          title: 'Catalogue',
          more: `of the first ${MOST_TEMPLATES} templates; choose a namespace to see others`,
        })}
      >
        {rows.length > 0 ? (
          <Grid
            name="Catalogue"
            columns={COLUMNS}
            rows={rows}
            keyOf={({ name, template, step, condition }) =>
              `${name} ${template?.namespace}/${template?.name} ${step} ${condition}`
            }
          />
        ) : (
          <Empty title="No template declares an event">
            Add <Code>publishes_events</Code> to a step. Its events and their schemas then appear here.
          </Empty>
        )}
      </Panel>
      <Panel title="Built-in events">
        <Grid name="Built-in events" columns={BUILT_IN_COLUMNS} rows={BUILT_IN} keyOf={({ name }) => name} />
      </Panel>
    </>
  );
}

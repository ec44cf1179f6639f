import { Link } from 'react-router';
import type { Templates as Answer } from '../api/types.ts';
import { useLinks } from '../frame/namespace.ts';
import { Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { counted } from '../parts/words.ts';

type Row = Answer['templates'][number];

const COLUMNS: readonly Column<Row>[] = [
  { head: 'Template', cell: (row) => <TemplateLink row={row} /> },
  { head: 'Version', cell: ({ version }) => version },
  { head: 'Description', kind: 'wide', cell: ({ description }) => <span className="text-soft">{description}</span> },
  { head: 'Steps', kind: 'num', cell: ({ step_count }) => step_count },
  { head: 'Tasks', cell: (row) => <TasksLink row={row} /> },
];

function TemplateLink({ row: { namespace, name, version } }: { row: Row }) {
  const link = useLinks();
  return (
    <Link
      className="font-medium hover:text-accent hover:underline"
      to={link(`templates/${namespace}/${name}/${version}`)}
    >
      <span className="font-normal text-faint">{namespace}/</span>
      {name}
    </Link>
  );
}

function TasksLink({ row: { namespace, name } }: { row: Row }) {
  const link = useLinks();
  return (
    <Link className="text-soft hover:text-accent hover:underline" to={link('tasks', { namespace, name })}>
      Show tasks
    </Link>
  );
}

export default function Templates() {
  return (
    <ListScreen<Row>
      title="Templates"
      path="/v1/templates"
      rows="templates"
      columns={COLUMNS}
      keyOf={({ namespace, name, version }) => `${namespace}/${name}@${version}`}
      answer={(templates) => counted(templates.length, 'template')}
      empty={{
        title: 'No templates yet',
        next: (
          <>
            Put a YAML file into the folder of templates, or begin with <Code>npx tasker init</Code>.
          </>
        ),
      }}
    />
  );
}

import { Link } from 'react-router';
import { useLinks } from '../frame/namespace.ts';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Id, Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

interface AuditEntry {
  id: number;
  at: string;
  actor: string;
  door: string | null;
  action: string;
  task_uuid: string | null;
  template: string | null;
  step: string | null;
  target: string | null;
  reason: string | null;
}

const COLUMNS: readonly Column<AuditEntry>[] = [
  { head: 'When', cell: ({ at }) => <Time at={at} /> },
  { head: 'Who', cell: ({ actor }) => <span className="font-medium">{actor}</span> },
  { head: 'Act', cell: ({ action }) => action.replaceAll('_', ' ') },
  { head: 'On', cell: (entry) => <Target entry={entry} /> },
  { head: 'Step', cell: ({ step }) => step },
  { head: 'Reason', kind: 'wide', cell: ({ reason }) => <span className="text-soft">{reason}</span> },
  { head: 'Through', cell: ({ door }) => <span className="text-faint">{door}</span> },
];

function Target({ entry: { task_uuid: uuid, target, template } }: { entry: AuditEntry }) {
  const link = useLinks();
  if (!uuid) return target ?? template;
  return (
    <span className="inline-flex items-baseline gap-2">
      <Link className="hover:text-accent hover:underline" to={link(`tasks/${uuid}`)}>
        {template ?? 'task'}
      </Link>
      <Id id={uuid} what="task id" />
    </span>
  );
}

export default function Audit() {
  return (
    <ListScreen<AuditEntry>
      title="Audit"
      path="/v1/audit"
      rows="entries"
      columns={COLUMNS}
      keyOf={({ id }) => String(id)}
      answer={(entries) =>
        entries.length === 0 ? 'No act of a person yet' : `The last ${counted(entries.length, 'act')}, newest first`
      }
      empty={{
        title: 'No acts yet',
        next: 'Retries, resolutions, pauses and other acts of people appear here, with their reasons.',
      }}
    />
  );
}

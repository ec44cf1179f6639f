import { Link } from 'react-router';
import { useLinks } from '../frame/namespace.ts';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Id, Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

interface AuditEntry {
  at: string;
  actor?: string;
  who?: string;
  action?: string;
  what?: string;
  act?: string;
  task_uuid: string | null;
  step?: string | null;
  target?: string | null;
  reason?: string | null;
  why?: string | null;
}

const COLUMNS: readonly Column<AuditEntry>[] = [
  { head: 'When', cell: ({ at }) => <Time at={at} /> },
  { head: 'Who', cell: ({ actor, who }) => <span className="font-medium">{actor ?? who}</span> },
  { head: 'Act', cell: ({ action, act, what }) => action ?? act ?? what },
  { head: 'On', cell: (entry) => <Target entry={entry} /> },
  { head: 'Step', cell: ({ step }) => step },
  { head: 'Reason', kind: 'wide', cell: ({ reason, why }) => <span className="text-soft">{reason ?? why}</span> },
];

function Target({ entry: { task_uuid: uuid, target } }: { entry: AuditEntry }) {
  const link = useLinks();
  if (!uuid) return <>{target}</>;
  return (
    <span className="inline-flex gap-2">
      <Link className="hover:text-accent hover:underline" to={link(`tasks/${uuid}`)}>
        task
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
      keyOf={(entry) => JSON.stringify(entry)}
      answer={(entries) =>
        entries.length === 0 ? 'No act of a person yet' : `The last ${counted(entries.length, 'act')}`
      }
      empty={{
        title: 'No acts yet',
        next: 'Retries, resolutions, pauses and other acts of people appear here, with their reasons.',
      }}
    />
  );
}

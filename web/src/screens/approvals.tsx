import { Link } from 'react-router';
import { useLinks } from '../frame/namespace.ts';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

interface Approval {
  task_uuid: string;
  step: string;
  namespace: string;
  name: string;
  title?: string | null;
  assignees: string[];
  since: string;
  until: string | null;
}

const COLUMNS: readonly Column<Approval>[] = [
  { head: 'Waiting since', cell: ({ since }) => <Time at={since} /> },
  { head: 'Task', cell: (approval) => <TaskLink approval={approval} /> },
  { head: 'Step', cell: ({ step }) => step },
  { head: 'Question', kind: 'wide', cell: ({ title }) => title },
  { head: 'Who may vote', cell: ({ assignees = [] }) => assignees.join(', ') },
  { head: 'Until', kind: 'num', cell: ({ until }) => <Time at={until} /> },
];

function TaskLink({ approval: { task_uuid: uuid, step, namespace, name } }: { approval: Approval }) {
  const link = useLinks();
  return (
    <Link className="font-medium hover:text-accent hover:underline" to={link(`tasks/${uuid}`, { step })}>
      {[namespace, name].filter(Boolean).join('/') || uuid}
    </Link>
  );
}

export default function Approvals() {
  return (
    <ListScreen<Approval>
      title="Approvals"
      path="/v1/approvals"
      rows="approvals"
      columns={COLUMNS}
      keyOf={({ task_uuid, step }) => `${task_uuid} ${step}`}
      answer={(approvals) =>
        approvals.length === 0
          ? 'Nothing waits for a decision'
          : `${counted(approvals.length, 'task')} waiting for a decision`
      }
      empty={{
        title: 'Nothing waits for a decision',
        next: 'Tasks with a step of type approval appear here until people have voted.',
      }}
    />
  );
}

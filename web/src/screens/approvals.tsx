import { useState } from 'react';
import { Link } from 'react-router';
import { ask, pathOf } from '../api/client.ts';
import { useLinks } from '../frame/namespace.ts';
import { type Act, ActDialog } from '../parts/act-dialog.tsx';
import { Button } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

interface Approval {
  task_uuid: string;
  step: string;
  namespace: string;
  name: string;
  title: string;
  assignees: string[];
  quorum: number;
  approvals: number;
  form: unknown;
  since: string;
  until: string | null;
}

const COLUMNS: readonly Column<Approval>[] = [
  { head: 'Waiting since', cell: ({ since }) => <Time at={since} /> },
  { head: 'Question', kind: 'wide', cell: ({ title }) => <span className="font-medium">{title}</span> },
  { head: 'Task', cell: (approval) => <TaskLink approval={approval} /> },
  { head: 'Who may vote', cell: ({ assignees }) => <span className="text-soft">{assignees.join(', ')}</span> },
  { head: 'Votes', kind: 'num', cell: ({ approvals, quorum }) => `${approvals} of ${quorum}` },
  { head: 'Until', kind: 'num', cell: ({ until }) => <Time at={until} /> },
  { head: '', kind: 'num', cell: (approval) => <Votes approval={approval} /> },
];

function TaskLink({ approval: { task_uuid: uuid, step, namespace, name } }: { approval: Approval }) {
  const link = useLinks();
  return (
    <Link className="hover:text-accent hover:underline" to={link(`tasks/${uuid}`, { step })}>
      <span className="text-faint">{namespace}/</span>
      {name}
    </Link>
  );
}

function Votes({ approval: { task_uuid: uuid, step, title, form } }: { approval: Approval }) {
  const [act, setAct] = useState<Act>();
  const vote = (decision: 'approve' | 'reject', verb: string): Act => ({
    title: `${verb} "${title}"`,
    verb,
    preview:
      decision === 'approve'
        ? 'Your vote counts for it. The vote that reaches the quorum decides, and the task continues.'
        : 'Your vote counts against it. One rejection decides, unless the template wants more.',
    danger: decision === 'reject',
    run: ({ reason, by }) =>
      ask(pathOf`v1/approvals/${uuid}/${step}/vote`, {
        method: 'POST',
        body: { decision, comment: reason, by },
      }),
  });
  // Votes with a form are given on the command line until the page has forms.
  if (form) return <span className="text-xs text-faint">has a form: use tasker approval approve</span>;
  return (
    <span className="inline-flex gap-1">
      <Button className="h-7" aria-label={`Approve ${title}`} onClick={() => setAct(vote('approve', 'Approve'))}>
        Approve
      </Button>
      <Button
        look="danger"
        className="h-7"
        aria-label={`Reject ${title}`}
        onClick={() => setAct(vote('reject', 'Reject'))}
      >
        Reject
      </Button>
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </span>
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
          : `${counted(approvals.length, 'task')} waiting for a decision, oldest first`
      }
      empty={{
        title: 'Nothing waits for a decision',
        next: 'Tasks with a step of type approval appear here until people have voted.',
      }}
    />
  );
}

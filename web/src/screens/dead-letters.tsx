import { Link } from 'react-router';
import type { DeadLetter } from '../api/types.ts';
import { useLinks } from '../frame/namespace.ts';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { State } from '../parts/state.tsx';
import { Id, Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

const COLUMNS: readonly Column<DeadLetter>[] = [
  { head: 'State of the task', cell: ({ current_state: state }) => state && <State state={state} /> },
  { head: 'Task', cell: (letter) => <TaskLink letter={letter} /> },
  { head: 'Id', cell: ({ task_uuid }) => <Id id={task_uuid} what="task id" /> },
  { head: 'Reason', kind: 'wide', cell: ({ dlq_reason }) => wordsOf(dlq_reason) },
  { head: 'Priority', kind: 'num', cell: ({ priority_score }) => Math.round(priority_score) },
  { head: 'Added', kind: 'num', cell: ({ dlq_timestamp }) => <Time at={dlq_timestamp} /> },
];

function wordsOf(pascal: string): string {
  const words = pascal.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words === 'Manual dlq' ? 'Added by hand' : words;
}

function TaskLink({ letter: { task_uuid: uuid, namespace_name: namespace, task_name: name } }: { letter: DeadLetter }) {
  const link = useLinks();
  return (
    <Link className="font-medium hover:text-accent hover:underline" to={link(`tasks/${uuid}`)}>
      {[namespace, name].filter(Boolean).join('/') || uuid}
    </Link>
  );
}

export default function DeadLetters() {
  return (
    <ListScreen<DeadLetter>
      title="Dead letters"
      path="/v1/dlq/investigation-queue"
      rows="entries"
      columns={COLUMNS}
      keyOf={({ dlq_entry_uuid }) => dlq_entry_uuid}
      answer={(letters) =>
        letters.length === 0
          ? 'Nothing to investigate'
          : `${counted(letters.length, 'task')} to investigate, the most urgent first`
      }
      empty={{
        title: 'No dead letters',
        next: 'Tasks that exceed a limit of their lifecycle, or that a person adds, wait here for an investigation.',
      }}
    />
  );
}

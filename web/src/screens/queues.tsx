import { Link } from 'react-router';
import { useLinks } from '../frame/namespace.ts';
import { Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Time } from '../parts/text.tsx';
import { counted, numberText } from '../parts/words.ts';

interface Queue {
  namespace: string;
  ready: number;
  ready_is_exact: boolean;
  paused: number;
  oldest_ready_at: string | null;
  running: number;
  retries: number;
  next_retry_at: string | null;
  workers: string[];
  slots: number;
  unserved_steps: number;
}

const COLUMNS: readonly Column<Queue>[] = [
  { head: 'Namespace', cell: ({ namespace }) => <NamespaceLink name={namespace} /> },
  {
    head: 'Ready',
    kind: 'num',
    cell: ({ ready, ready_is_exact: exact }) => `${exact ? '' : 'over '}${numberText(ready)}`,
  },
  { head: 'Oldest', kind: 'num', cell: ({ oldest_ready_at }) => <Time at={oldest_ready_at} /> },
  { head: 'Running', kind: 'num', cell: ({ running }) => numberText(running) },
  { head: 'Slots', kind: 'num', cell: ({ slots }) => numberText(slots) },
  { head: 'Retries', kind: 'num', cell: ({ retries }) => numberText(retries) },
  { head: 'Next retry', kind: 'num', cell: ({ next_retry_at }) => <Time at={next_retry_at} /> },
  { head: 'Paused', kind: 'num', cell: ({ paused }) => numberText(paused) },
  {
    head: 'Workers',
    kind: 'wide',
    cell: ({ workers, unserved_steps: unserved }) =>
      unserved > 0 ? (
        <span className="text-s-red">no worker for {counted(unserved, 'step')}</span>
      ) : (
        <span className="text-soft">{workers.join(', ')}</span>
      ),
  },
];

function NamespaceLink({ name }: { name: string }) {
  const link = useLinks();
  return (
    <Link
      className="font-medium hover:text-accent hover:underline"
      to={link('tasks', { namespace: name, open: 'true' })}
    >
      {name}
    </Link>
  );
}

export default function Queues() {
  return (
    <ListScreen<Queue>
      title="Queues"
      path="/v1/queues"
      rows="queues"
      columns={COLUMNS}
      keyOf={({ namespace }) => namespace}
      answer={(queues) => {
        const ready = queues.reduce((sum, queue) => sum + queue.ready, 0);
        const unserved = queues.reduce((sum, queue) => sum + queue.unserved_steps, 0);
        const rest =
          unserved > 0
            ? `, and no worker can run ${unserved === ready ? 'them' : `${numberText(unserved)} of them`}`
            : '';
        return `${counted(ready, 'step')} ready${rest}`;
      }}
      empty={{
        title: 'No queues yet',
        next: (
          <>
            A namespace has a queue once it has tasks. Create one with <Code>npx tasker task create NAME</Code>.
          </>
        ),
      }}
    />
  );
}

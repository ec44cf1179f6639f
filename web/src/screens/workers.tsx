import { Link } from 'react-router';
import { api, pathOf } from '../api/client.ts';
import type { Worker } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Time } from '../parts/text.tsx';
import { counted, numberText } from '../parts/words.ts';
import { Slots, WorkerAct, WorkerState } from './worker/worker-types.tsx';

const COLUMNS: readonly Column<Worker>[] = [
  { head: 'State', cell: ({ state }) => <WorkerState state={state} /> },
  { head: 'Worker', cell: (worker) => <WorkerLink worker={worker} /> },
  { head: 'Version', cell: ({ version }) => <span className="text-soft">{version}</span> },
  { head: 'Slots', cell: (worker) => <Slots {...worker} /> },
  { head: 'Namespaces', cell: ({ namespaces }) => namespaces.join(', ') },
  { head: 'Handlers', kind: 'wide', cell: (worker) => <Handlers worker={worker} /> },
  { head: 'Completed', kind: 'num', cell: ({ completed }) => numberText(completed ?? 0) },
  { head: 'Failed', kind: 'num', cell: ({ failed }) => numberText(failed ?? 0) },
  { head: 'Seen', kind: 'num', cell: ({ seen_at }) => <Time at={seen_at} /> },
  { head: '', kind: 'num', cell: (worker) => <WorkerAct worker={worker} small /> },
];

export function WorkerLink({ worker: { id, name, host } }: { worker: Worker }) {
  const link = useLinks();
  return (
    <Link
      className="font-medium hover:text-accent hover:underline"
      title={`on ${host}`}
      // Several workers may have the same name.
      to={link(pathOf`workers/${String(id)}`)}
    >
      {name}
    </Link>
  );
}

export function Handlers({ worker: { handlers, missing_handlers: missing } }: { worker: Worker }) {
  if (missing.length === 0) {
    return (
      <span className="text-soft" title={handlers.join(', ')}>
        {handlers.join(', ')}
      </span>
    );
  }
  const names = [...new Set(missing.map(({ handler }) => handler))].join(', ');
  return (
    <span className="text-s-red" title={names}>
      missing: {names}
    </span>
  );
}

export default function Workers() {
  const namespace = useNamespace();
  return (
    <ListScreen
      title="Workers"
      method={api.workers.list}
      rows="workers"
      query={{ namespace }}
      columns={COLUMNS}
      keyOf={({ id }) => String(id)}
      answer={answerOf}
      empty={{
        title: 'No worker is running',
        next: (
          <>
            Start one with <Code>npx tasker worker</Code>.
          </>
        ),
      }}
    />
  );
}

function answerOf(workers: readonly Worker[]): string {
  if (workers.length === 0) return 'No worker is running: no step can start';
  const alive = workers.filter(({ state }) => state === 'running');
  const sum = (of: (worker: Worker) => number) => alive.reduce((total, worker) => total + of(worker), 0);
  const rest = workers.length - alive.length;
  const slots = `${sum(({ running }) => running)} of ${counted(
    sum(({ concurrency }) => concurrency),
    'slot',
  )} in use`;
  return `${counted(alive.length, 'worker')} running, ${slots}${rest > 0 ? `, ${rest} not taking steps` : ''}`;
}

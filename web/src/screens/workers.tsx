import { Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { counted, numberText } from '../parts/words.ts';

export interface Worker {
  id: number;
  name: string;
  host: string;
  version: string | null;
  state: string;
  namespaces: string[];
  handlers: string[];
  missing_handlers: { handler: string; template: string; step: string }[];
  concurrency: number;
  running: number;
  seen_at: string | null;
  started_at: string;
  completed: number | null;
  failed: number | null;
}

const SHAPES: Readonly<Record<string, [state: string, hue: keyof typeof HUES]>> = {
  running: ['complete', 'green'],
  draining: ['paused', 'slate'],
  drained: ['paused', 'slate'],
  lost: ['error', 'red'],
};

export function WorkerState({ state }: { state: string }) {
  const [shape, hue] = SHAPES[state] ?? ['cancelled', 'grey'];
  return (
    <span className={`inline-flex items-center gap-1.5 ${HUES[hue]}`}>
      <StateShape state={shape} />
      <span className="capitalize">{state}</span>
    </span>
  );
}

const COLUMNS: readonly Column<Worker>[] = [
  { head: 'State', cell: ({ state }) => <WorkerState state={state} /> },
  { head: 'Worker', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Host', cell: ({ host }) => <span className="text-soft">{host}</span> },
  { head: 'Version', cell: ({ version }) => <span className="text-soft">{version}</span> },
  {
    head: 'Slots',
    cell: ({ running, concurrency }) => (
      <span className="inline-flex items-center gap-2">
        <span className="flex h-1 w-16 overflow-hidden rounded-full bg-line">
          <span className="bg-s-blue" style={{ width: `${(running / Math.max(concurrency, 1)) * 100}%` }} />
        </span>
        <span className="text-xs text-faint tabular-nums">
          {running}/{concurrency}
        </span>
      </span>
    ),
  },
  { head: 'Namespaces', cell: ({ namespaces }) => namespaces.join(', ') },
  {
    head: 'Handlers',
    kind: 'wide',
    cell: ({ handlers, missing_handlers: missing }) =>
      missing.length > 0 ? (
        <span className="text-s-red">missing: {[...new Set(missing.map(({ handler }) => handler))].join(', ')}</span>
      ) : (
        <span className="text-soft" title={handlers.join(', ')}>
          {handlers.join(', ')}
        </span>
      ),
  },
  { head: 'Completed', kind: 'num', cell: ({ completed }) => numberText(completed ?? 0) },
  { head: 'Failed', kind: 'num', cell: ({ failed }) => numberText(failed ?? 0) },
  { head: 'Seen', kind: 'num', cell: ({ seen_at }) => <Time at={seen_at} /> },
];

export default function Workers() {
  return (
    <ListScreen<Worker>
      title="Workers"
      path="/v1/workers"
      rows="workers"
      columns={COLUMNS}
      keyOf={({ id }) => String(id)}
      answer={(workers) => {
        const slots = workers.reduce((sum, { concurrency }) => sum + concurrency, 0);
        const used = workers.reduce((sum, { running }) => sum + running, 0);
        return workers.length === 0
          ? 'No worker is running: no step can start'
          : `${counted(workers.length, 'worker')}, ${used} of ${counted(slots, 'slot')} in use`;
      }}
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

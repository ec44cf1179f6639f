import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { api } from '../api/client.ts';
import { useLacking } from '../api/me.tsx';
import { usePolling } from '../api/polling.ts';
import type { Pause, Queue } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { ActButton } from '../parts/act-button.tsx';
import { Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { boundText, counted, countedBound, numberText } from '../parts/words.ts';
import { Pauses } from './queues/pauses.tsx';

/** Number of missing handlers that a row shows. */
const HANDLERS = 3;

/** The handlers that no live worker of a namespace has, since when, and for how many steps. */
function MissingHandlers({ unserved }: Pick<Queue, 'unserved'>) {
  const missing = unserved.filter(({ reason }) => reason === 'no_handler');
  return (
    <>
      {missing.slice(0, HANDLERS).map(({ handler, steps, since }) => (
        <div key={handler} className="text-soft">
          no worker has <Code>{handler}</Code> ({counted(steps, 'step')}), missing since <Time at={since} />
        </div>
      ))}
      {missing.length > HANDLERS && (
        <div className="text-soft">and {counted(missing.length - HANDLERS, 'more handler')}</div>
      )}
    </>
  );
}

const NAMESPACES_MS = 5_000;

/** The pauses of whole namespaces. */
function usePauses(): ReadonlyMap<string, Pause> | undefined {
  const lacking = useLacking()(api.namespaces.list);
  const { data } = useQuery({
    queryKey: ['namespaces'],
    queryFn: ({ signal }) => api.namespaces.list({ signal }),
    enabled: lacking === undefined,
    refetchInterval: usePolling(NAMESPACES_MS),
  });
  return data && new Map(data.namespaces.flatMap(({ name, pause }) => (pause ? [[name, pause] as const] : [])));
}

const columnsOf = (pauses: ReadonlyMap<string, Pause> | undefined): readonly Column<Queue>[] => [
  {
    head: 'Namespace',
    cell: ({ namespace }) => <NamespaceLink name={namespace} pause={pauses?.get(namespace)} />,
  },
  {
    head: 'Ready',
    kind: 'num',
    cell: (queue) => <Ready queue={queue} />,
  },
  { head: 'In / min', kind: 'num', cell: (queue) => <Incoming queue={queue} /> },
  { head: 'Out / min', kind: 'num', cell: ({ out_per_minute: out }) => rateText(out) },
  { head: 'Oldest', kind: 'num', cell: ({ oldest_ready_at }) => <Time at={oldest_ready_at} /> },
  { head: 'Running', kind: 'num', cell: ({ running }) => numberText(running) },
  { head: 'Slots', kind: 'num', cell: (queue) => <SlotsTaken queue={queue} /> },
  {
    head: 'Retries',
    kind: 'num',
    cell: ({ retries, at_least: atLeast }) => boundText(retries, atLeast.includes('retries')),
  },
  { head: 'Next retry', kind: 'num', cell: ({ next_retry_at }) => <Time at={next_retry_at} /> },
  {
    head: 'Paused',
    kind: 'num',
    cell: ({ paused, at_least: atLeast }) => boundText(paused, atLeast.includes('paused')),
  },
  {
    head: 'Workers',
    kind: 'wide',
    cell: ({ workers, unserved, unserved_steps: steps, lost }) => (
      <>
        {steps > 0 ? (
          <>
            <span className="text-s-red">no worker for {counted(steps, 'step')}</span>
            <MissingHandlers unserved={unserved} />
          </>
        ) : (
          <span className="text-soft">{workers.join(', ')}</span>
        )}
        {lost.length > 0 && <span className="text-s-red"> lost in the last hour: {lost.join(', ')}</span>}
      </>
    ),
  },
  {
    head: '',
    kind: 'num',
    cell: (queue) => pauses && <PauseAct queue={queue} paused={pauses.has(queue.namespace)} />,
  },
];

const DEPTH_HIGH = 24;

function Ready({ queue: { ready, at_least: atLeast, ready_by_minute: depths } }: { queue: Queue }) {
  return (
    <span className="inline-flex items-center gap-3">
      <Depths depths={depths} />
      <span className="min-w-8">{boundText(ready, atLeast.includes('ready'))}</span>
    </span>
  );
}

/** The ready steps in each minute of the last hour as bars. */
function Depths({ depths }: { depths: Queue['ready_by_minute'] }) {
  const known = depths.filter((depth) => depth !== null);
  if (known.length === 0) return null;
  const most = Math.max(...known);
  const text = `at most ${counted(most, 'ready step')} in the last hour`;
  return (
    <svg width={depths.length * 2} height={DEPTH_HIGH} role="img" aria-label={text} className="block">
      <title>{text}</title>
      {depths.map((depth, minute) => {
        if (depth === null) return null;
        const height = depth === 0 ? 1 : Math.max(2, (depth / most) * DEPTH_HIGH);
        return (
          <rect
            key={minute}
            x={minute * 2}
            y={DEPTH_HIGH - height}
            width={1.5}
            height={height}
            className={depth === 0 ? 'fill-line' : 'fill-s-slate'}
          />
        );
      })}
    </svg>
  );
}

const rateText = (rate: number | null) =>
  rate === null ? <span className="text-faint">–</span> : numberText(rate < 10 ? rate : Math.round(rate));

/** The steps that became ready, and whether the queue grows. */
function Incoming({ queue: { in_per_minute: rate, is_growing: grows } }: { queue: Queue }) {
  if (!grows) return rateText(rate);
  return (
    <span className="text-s-red" title="The queue has grown over the last 10 minutes">
      ↑ {rateText(rate)}
    </span>
  );
}

function SlotsTaken({ queue: { slots, slots_taken: taken, hung_slots: hung } }: { queue: Queue }) {
  return (
    <>
      {numberText(taken)}/{numberText(slots)}
      {hung > 0 && <span className="text-s-red"> ({numberText(hung)} hung)</span>}
    </>
  );
}

function NamespaceLink({ name, pause }: { name: string; pause: Pause | undefined }) {
  const link = useLinks();
  return (
    <span className="inline-flex items-center gap-2">
      <Link
        className="font-medium hover:text-accent hover:underline"
        to={link('tasks', { namespace: name, open: 'true' })}
      >
        {name}
      </Link>
      {pause && (
        <span
          className={`inline-flex items-center gap-1 text-xs ${HUES.slate}`}
          title={[`by ${pause.paused_by}`, pause.reason].filter(Boolean).join(': ')}
        >
          <StateShape state="paused" size={12} />
          Paused
        </span>
      )}
    </span>
  );
}

function PauseAct({ queue: { namespace, ready, at_least: atLeast }, paused }: { queue: Queue; paused: boolean }) {
  const verb = paused ? 'Resume' : 'Pause';
  const method = paused ? api.namespaces.resume : api.namespaces.pause;
  return (
    <ActButton
      method={method}
      target={namespace}
      look="quiet"
      className="h-7 px-2"
      act={{
        title: `${verb} ${namespace}`,
        verb: `${verb} the namespace`,
        preview: paused
          ? 'Its steps start again.'
          : `Running steps finish. No other step of the namespace starts until it is resumed${ready > 0 ? `, including the ${countedBound(ready, 'step', atLeast.includes('ready'))} that ${ready === 1 ? 'is' : 'are'} ready` : ''}.`,
        run: (said) => method(namespace, said),
      }}
    >
      {verb}
    </ActButton>
  );
}

export default function Queues() {
  const pauses = usePauses();
  const namespace = useNamespace();
  return (
    <>
      <ListScreen
        title="Queues"
        method={api.workers.queues}
        rows="queues"
        query={{ namespace }}
        columns={columnsOf(pauses)}
        keyOf={({ namespace }) => namespace}
        answer={answerOf}
        empty={{
          title: 'No queues yet',
          next: (
            <>
              A namespace has a queue once it has tasks. Create one with <Code>npx tasker task create NAME</Code>.
            </>
          ),
        }}
      />
      <Pauses />
    </>
  );
}

function answerOf(queues: readonly Queue[]): string {
  const ready = queues.reduce((sum, queue) => sum + queue.ready, 0);
  const atLeast = queues.some(({ at_least: names }) => names.includes('ready'));
  const unserved = queues.reduce((sum, queue) => sum + queue.unserved_steps, 0);
  const rest =
    unserved > 0
      ? `, and no worker can run ${unserved === ready ? 'them' : `${boundText(unserved, atLeast)} of them`}`
      : '';
  return `${countedBound(ready, 'step', atLeast)} ready${rest}`;
}

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { ask } from '../api/client.ts';
import { usePolling, usePrecaution } from '../api/polling.ts';
import { useRoutes } from '../api/routes.ts';
import type { Bottlenecks, Performance, Status, Summary } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { Code, Empty, Heading, Panel, Problem } from '../parts/controls.tsx';
import { Figures } from '../parts/figures.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { useList } from '../parts/list-screen.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Throughput } from '../parts/throughput.tsx';
import { counted, durationText, numberText, percentText } from '../parts/words.ts';
import { Groups } from './errors.tsx';
import { type Worker, WorkerState } from './workers.tsx';

const SLOWLY_MS = 10_000;

/** One thing that a person should look at. */
interface Need {
  count: number;
  /** The state that gives it its shape and colour. */
  state: string;
  hue: keyof typeof HUES;
  text: string;
  to: string;
}

export default function Home() {
  const { needs, error, loading } = useNeeds();
  const total = needs.reduce((sum, { count }) => sum + count, 0);
  return (
    <>
      <Heading title="Home" answer={loading ? '\u00a0' : answerOf(total)} />
      {error && loading && <Problem error={error} />}
      {!loading && (
        <Panel title="Needs a person">
          {needs.length > 0 ? (
            <ul>
              {needs.map((need) => (
                <NeedRow key={need.text} need={need} />
              ))}
            </ul>
          ) : (
            <Empty title="Nothing needs you">
              No task is blocked, and every step has a worker. To create a task:{' '}
              <Code>npx tasker task create NAME</Code>
            </Empty>
          )}
        </Panel>
      )}
      <Causes />
      <LastHour />
      <Throughput hours={1} />
      <WorkerTable />
    </>
  );
}

function answerOf(total: number): string {
  return total === 0 ? 'Everything is moving' : `${counted(total, 'thing')} ${total === 1 ? 'needs' : 'need'} a person`;
}

function NeedRow({ need: { count, state, hue, text, to } }: { need: Need }) {
  return (
    <li className="border-b border-line last:border-b-0">
      <Link to={to} className="flex h-11 items-center gap-3 px-4 hover:bg-hover">
        <StateShape state={state} size={16} />
        <span className={`min-w-10 text-right text-lg font-semibold tabular-nums ${HUES[hue]}`}>
          {numberText(count)}
        </span>
        <span className="grow truncate">{text}</span>
        <span className="text-faint" aria-hidden="true">
          ›
        </span>
      </Link>
    </li>
  );
}

/** Reads what needs a person: from the status of the system, or from counts by state. */
function useNeeds(): { needs: Need[]; error: Error | null; loading: boolean } {
  const routes = useRoutes();
  const link = useLinks();
  const served = routes?.has('GET /v1/status');
  const soon = usePrecaution();
  const later = usePolling(SLOWLY_MS);
  const status = useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => ask<Status>('v1/status', { signal }),
    enabled: served === true,
    refetchInterval: soon,
  });
  const counts = useQuery({
    queryKey: ['bottlenecks'],
    queryFn: ({ signal }) =>
      ask<Bottlenecks>('v1/analytics/bottlenecks', { query: { limit: 20, min_executions: 1 }, signal }),
    enabled: served === false,
    refetchInterval: later,
  });
  const attention = status.data?.attention ?? attentionOf(counts.data);
  if (!attention) return { needs: [], error: status.error ?? counts.error, loading: true };
  const { blocked = 0, unserved = 0, stale = 0, dead_letters: letters = 0 } = attention;
  const { dead_deliveries: deliveries = 0, late_timers: late = 0, approvals = 0 } = attention;
  const needs: Need[] = [
    {
      count: blocked,
      state: 'error',
      hue: 'red',
      text: `${plural(blocked, 'task is', 'tasks are')} blocked by a failed step`,
      to: link('tasks', { state: 'blocked_by_failures' }),
    },
    {
      count: unserved,
      state: 'error',
      hue: 'red',
      text: `${plural(unserved, 'step has', 'steps have')} no worker that can run ${plural(unserved, 'it', 'them')}`,
      to: link('queues'),
    },
    {
      count: letters,
      state: 'error',
      hue: 'red',
      text: `${plural(letters, 'dead letter waits', 'dead letters wait')} for an investigation`,
      to: link('dead-letters'),
    },
    {
      count: deliveries,
      state: 'error',
      hue: 'red',
      text: `${plural(deliveries, 'event', 'events')} could not be delivered`,
      to: link('events'),
    },
    {
      count: stale,
      state: 'waiting',
      hue: 'amber',
      text: `${plural(stale, 'task exceeds', 'tasks exceed')} a limit of ${plural(stale, 'its', 'their')} lifecycle`,
      to: link('tasks', { stale: 'true' }),
    },
    {
      count: late,
      state: 'waiting',
      hue: 'amber',
      text: `${plural(late, 'timer is', 'timers are')} late`,
      to: link('tasks', { state: 'waiting' }),
    },
    {
      count: approvals,
      state: 'waiting',
      hue: 'violet',
      text: `${plural(approvals, 'task waits', 'tasks wait')} for a decision`,
      to: link('approvals'),
    },
  ];
  return { needs: needs.filter(({ count }) => count > 0), error: null, loading: false };
}

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

function attentionOf(counts: Bottlenecks | undefined): Record<string, number> | undefined {
  const health = counts?.resource_utilization.system_health;
  return health && { blocked: health.blocked_by_failures_tasks ?? 0 };
}

/** The causes of most failures. */
function Causes() {
  const routes = useRoutes();
  const namespace = useNamespace();
  const link = useLinks();
  const { data } = useQuery({
    queryKey: ['summary', namespace],
    queryFn: ({ signal }) => ask<Summary>('v1/summary', { query: { namespace }, signal }),
    enabled: routes?.has('GET /v1/summary') ?? false,
    refetchInterval: usePolling(SLOWLY_MS),
    placeholderData: keepPreviousData,
  });
  const groups = data?.failed.groups.slice(0, 3) ?? [];
  if (groups.length === 0) return null;
  return (
    <Panel
      title="Causes"
      more={
        <Link to={link('errors')} className="hover:text-accent hover:underline">
          All errors
        </Link>
      }
    >
      <Groups groups={groups} time="last" />
    </Panel>
  );
}

function LastHour() {
  const { data } = useQuery({
    queryKey: ['performance', 1],
    queryFn: ({ signal }) => ask<Performance>('v1/analytics/performance', { query: { hours: 1 }, signal }),
    refetchInterval: usePolling(SLOWLY_MS),
  });
  if (!data) return null;
  const seconds = (value: number) => (value === 0 ? '–' : durationText(value * 1000));
  return (
    <section aria-label="Last hour">
      <h2 className="mb-2 text-sm font-semibold">Last hour</h2>
      <Figures
        figures={[
          { name: 'Tasks completed', value: numberText(data.completed_tasks) },
          { name: 'Tasks open', value: numberText(data.active_tasks) },
          { name: 'Average task', value: seconds(data.average_task_duration_seconds) },
          { name: 'Average attempt', value: seconds(data.average_step_duration_seconds) },
          { name: 'Failed', value: percentText(data.error_rate), bad: data.error_rate > 0 },
        ]}
      />
    </section>
  );
}

const WORKERS: readonly Column<Worker>[] = [
  { head: 'State', cell: ({ state }) => <WorkerState state={state} /> },
  { head: 'Worker', cell: ({ name }) => <span className="font-medium">{name}</span> },
  {
    head: 'Namespaces',
    kind: 'wide',
    cell: ({ namespaces }) => <span className="text-soft">{namespaces.join(', ')}</span>,
  },
  { head: 'Slots in use', kind: 'num', cell: ({ running, concurrency }) => `${running}/${concurrency}` },
];

function WorkerTable() {
  const { rows } = useList<Worker>('/v1/workers', 'workers');
  if (!rows) return null;
  return (
    <Panel title="Workers">
      {rows.length > 0 ? (
        <Grid name="Workers" columns={WORKERS} rows={rows} keyOf={({ id }) => String(id)} />
      ) : (
        <Empty title="No worker is running">
          No step can start. Start a worker with <Code>npx tasker worker</Code>.
        </Empty>
      )}
    </Panel>
  );
}

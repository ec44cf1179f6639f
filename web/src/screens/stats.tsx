import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { ask } from '../api/client.ts';
import { usePolling } from '../api/polling.ts';
import type { Bottlenecks, Performance, Slow } from '../api/types.ts';
import { useLinks } from '../frame/namespace.ts';
import { Empty, Heading, Panel, Problem } from '../parts/controls.tsx';
import { Figures } from '../parts/figures.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { Time } from '../parts/text.tsx';
import { Throughput } from '../parts/throughput.tsx';
import { counted, durationText, numberText, percentText } from '../parts/words.ts';

const PERIODS = [1, 24, 168] as const;
const STATS_MS = 10_000;

const seconds = (value: number) => (value === 0 ? '–' : durationText(value * 1000));

const SLOW: readonly Column<Slow>[] = [
  { head: 'Template', cell: (row) => <SlowLink row={row} /> },
  { head: 'Step', kind: 'wide', cell: ({ step_name }) => step_name },
  { head: 'Runs', kind: 'num', cell: ({ execution_count }) => numberText(execution_count) },
  {
    head: 'Errors',
    kind: 'num',
    cell: ({ error_rate }) => (
      <span className={error_rate > 0 ? 'text-s-red' : 'text-faint'}>{percentText(error_rate)}</span>
    ),
  },
  { head: 'Average', kind: 'num', cell: ({ average_duration_seconds }) => seconds(average_duration_seconds) },
  { head: 'Longest', kind: 'num', cell: ({ max_duration_seconds }) => seconds(max_duration_seconds) },
  { head: 'Last', kind: 'num', cell: ({ last_executed_at }) => <Time at={last_executed_at} /> },
];

function SlowLink({ row: { namespace_name: namespace, task_name: name, version } }: { row: Slow }) {
  const link = useLinks();
  return (
    <Link
      className="font-medium hover:text-accent hover:underline"
      to={link(`templates/${namespace}/${name}/${version}`)}
    >
      <span className="font-normal text-faint">{namespace}/</span>
      {name} <span className="text-xs font-normal text-faint">{version}</span>
    </Link>
  );
}

export default function Stats() {
  const [search, setSearch] = useSearchParams();
  const hours = PERIODS.find((period) => String(period) === search.get('hours')) ?? 24;
  const refetchInterval = usePolling(STATS_MS);
  const performance = useQuery({
    queryKey: ['performance', hours],
    queryFn: ({ signal }) => ask<Performance>('v1/analytics/performance', { query: { hours }, signal }),
    refetchInterval,
  });
  const bottlenecks = useQuery({
    queryKey: ['bottlenecks'],
    queryFn: ({ signal }) =>
      ask<Bottlenecks>('v1/analytics/bottlenecks', { query: { limit: 20, min_executions: 1 }, signal }),
    refetchInterval,
  });
  const { data } = performance;
  return (
    <>
      <Heading
        title="Stats"
        answer={data ? `${counted(data.total_tasks, 'task')}, ${percentText(data.error_rate)} failed` : '\u00a0'}
      >
        <select
          aria-label="Period"
          className="h-8 rounded-md border border-edge bg-surface px-2 text-sm"
          value={hours}
          onChange={({ target }) =>
            setSearch((now) => {
              now.set('hours', target.value);
              return now;
            })
          }
        >
          <option value="1">Last hour</option>
          <option value="24">Last 24 hours</option>
          <option value="168">Last 7 days</option>
        </select>
      </Heading>
      {performance.error && !data && <Problem error={performance.error} />}
      {data && (
        <Figures
          figures={[
            { name: 'Tasks an hour', value: numberText(Math.round(data.tasks_per_hour)) },
            { name: 'Attempts an hour', value: numberText(Math.round(data.steps_per_hour)) },
            { name: 'Average task', value: seconds(data.average_task_duration_seconds) },
            { name: 'Average attempt', value: seconds(data.average_step_duration_seconds) },
            { name: 'Failed', value: percentText(data.error_rate), bad: data.error_rate > 0 },
          ]}
        />
      )}
      <Throughput hours={hours} />
      <SlowTable title="Slowest steps of the last day" rows={bottlenecks.data?.slow_steps} columns={SLOW} />
      <SlowTable
        title="Slowest templates of the last day"
        rows={bottlenecks.data?.slow_tasks}
        columns={SLOW.map((column) => (column.head === 'Step' ? { ...column, head: '' } : column))}
      />
    </>
  );
}

function SlowTable({
  title,
  rows,
  columns,
}: {
  title: string;
  rows: Slow[] | undefined;
  columns: readonly Column<Slow>[];
}) {
  if (!rows) return null;
  return (
    <Panel title={title}>
      {rows.length > 0 ? (
        <Grid
          name={title}
          columns={columns}
          rows={rows}
          keyOf={(row) => `${row.namespace_name}/${row.task_name}@${row.version} ${row.step_name}`}
        />
      ) : (
        <Empty title="Nothing has ended in the last day">Durations appear once tasks have ended.</Empty>
      )}
    </Panel>
  );
}

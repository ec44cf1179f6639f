import { Link, useSearchParams } from 'react-router';
import type { Durations, SlowStep, SlowTemplate, Statistics, TemplateName } from '../api/types.ts';
import { useLinks } from '../frame/namespace.ts';
import { Figures } from '../parts/charts/figures.tsx';
import { type StatsQuery, useStats } from '../parts/charts/stats.ts';
import { Throughput } from '../parts/charts/throughput.tsx';
import { Empty, Heading, Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { Prose } from '../parts/prose.tsx';
import { ReadProblem } from '../parts/read-problem.tsx';
import { Time } from '../parts/text.tsx';
import { areBlocked, counted, durationText, numberText, percentText } from '../parts/words.ts';
import { addressOfTemplate, blockedOf } from './template/use-template.ts';

const PERIODS = [1, 24, 168] as const;
const ORDERS = {
  time: 'most time in total',
  duration: 'slowest',
  queueing: 'longest in the queue',
  failures: 'most failures',
  count: 'most attempts',
} as const satisfies Record<NonNullable<StatsQuery['sort']>, string>;
const ORDER_NAMES = Object.keys(ORDERS) as (keyof typeof ORDERS)[];

const took = (ms: number | null) => (ms === null ? <span className="text-faint">–</span> : durationText(ms));
const tookText = (ms: number | null) => (ms === null ? '–' : durationText(ms));

function TemplateLink({ row: { namespace, name, version } }: { row: TemplateName }) {
  const link = useLinks();
  return (
    <Link
      className="font-medium hover:text-accent hover:underline"
      to={link(addressOfTemplate({ namespace, name, version }))}
    >
      <span className="font-normal text-faint">{namespace}/</span>
      {name} <span className="text-xs font-normal text-faint">{version}</span>
    </Link>
  );
}

/** A duration that links to the task that took it. */
function Slowest({ ms, task }: { ms: number | null; task: string | null }) {
  const link = useLinks();
  if (ms === null || task === null) return took(ms);
  return (
    <Link className="hover:text-accent hover:underline" to={link(`tasks/${task}`)}>
      {durationText(ms)}
    </Link>
  );
}

function Rate({ rate }: { rate: number | null }) {
  if (rate === null) return <span className="text-faint">–</span>;
  return <span className={rate > 0 ? 'text-s-red' : 'text-faint'}>{percentText(rate)}</span>;
}

/** The share of attempts that failed. If steps gave up, it leads to the errors of the template. */
function FailedAttempts({ row: { error_rate: rate, gave_up: count, namespace, name } }: { row: SlowStep }) {
  const link = useLinks();
  if (count === 0) return <Rate rate={rate} />;
  return (
    <Link
      to={link('errors', { namespace, name })}
      className="hover:underline"
      title={`${counted(count, 'step')} gave up`}
    >
      <Rate rate={rate} />
    </Link>
  );
}

/** The percentiles of a duration. */
function percentiles<Row>(durations: (row: Row) => Durations): Column<Row>[] {
  return [
    { head: 'p50', kind: 'num', cell: (row) => took(durations(row).p50_ms) },
    { head: 'p95', kind: 'num', cell: (row) => took(durations(row).p95_ms) },
    { head: 'p99', kind: 'num', cell: (row) => took(durations(row).p99_ms) },
  ];
}

const STEPS: readonly Column<SlowStep>[] = [
  { head: 'Step', cell: ({ step }) => <span className="font-medium">{step}</span> },
  { head: 'Template', kind: 'wide', cell: (row) => <TemplateLink row={row} /> },
  { head: 'Attempts', kind: 'num', cell: ({ attempts }) => numberText(attempts) },
  { head: 'Failed', kind: 'num', cell: (row) => <FailedAttempts row={row} /> },
  ...percentiles<SlowStep>(({ duration }) => duration),
  {
    head: 'Longest',
    kind: 'num',
    cell: ({ duration, slowest_task_uuid: task }) => <Slowest ms={duration.max_ms} task={task} />,
  },
  { head: 'Queued p95', kind: 'num', cell: ({ queueing }) => took(queueing.p95_ms) },
  { head: 'Last', kind: 'num', cell: ({ last_ended_at: at }) => <Time at={at} /> },
];

const TEMPLATES: readonly Column<SlowTemplate>[] = [
  { head: 'Template', kind: 'wide', cell: (row) => <TemplateLink row={row} /> },
  { head: 'Ended', kind: 'num', cell: ({ tasks }) => numberText(tasks.ended) },
  { head: 'Failed', kind: 'num', cell: ({ tasks }) => <Rate rate={tasks.error_rate} /> },
  { head: 'Blocked now', kind: 'num', cell: (row) => <Blocked row={row} /> },
  ...percentiles<SlowTemplate>(({ tasks }) => tasks.duration),
  {
    head: 'Longest',
    kind: 'num',
    cell: ({ tasks }) => <Slowest ms={tasks.duration.max_ms} task={tasks.slowest_task_uuid} />,
  },
  { head: 'Last', kind: 'num', cell: ({ tasks }) => <Time at={tasks.last_ended_at} /> },
];

/** A blocked task has not ended, so the share of the failed tasks does not contain it. */
function Blocked({ row }: { row: SlowTemplate }) {
  const link = useLinks();
  if (!row.open || row.open.blocked === 0) return <span className="text-faint">{row.open ? 0 : '–'}</span>;
  return (
    <Link className="text-s-red hover:underline" to={link('tasks', blockedOf(row))}>
      {numberText(row.open.blocked)}
    </Link>
  );
}

function Answer({ of: { tasks, steps, open } }: { of: Statistics }) {
  const link = useLinks();
  return (
    <>
      {counted(tasks.ended, 'task')} ended
      {tasks.ended > 0 && `, ${percentText(tasks.error_rate ?? 0)} of them failed`}
      {open && open.blocked > 0 && (
        <>
          {'; '}
          <Link to={link('errors')} className="underline decoration-edge hover:text-accent">
            {areBlocked(open.blocked)}
          </Link>
        </>
      )}
      {`; ${counted(steps.attempts, 'attempt')}`}
    </>
  );
}

/** A command of a recommendation that shows the causes of failures, as the screen of errors does. */
const SHOWS_CAUSES = /: `tasker task summary` shows the causes$/;

function Recommendation({ text }: { text: string }) {
  const link = useLinks();
  return (
    <>
      <Prose text={text.replace(SHOWS_CAUSES, '')} />
      {SHOWS_CAUSES.test(text) && (
        <>
          {'. '}
          <Link to={link('errors')} className="underline decoration-edge hover:text-accent">
            Show the causes
          </Link>
        </>
      )}
    </>
  );
}

export default function Stats() {
  const [search, setSearch] = useSearchParams();
  const hours = PERIODS.find((period) => String(period) === search.get('hours')) ?? 24;
  const sort = ORDER_NAMES.find((order) => order === search.get('order')) ?? 'time';
  const { data, error } = useStats({ hours, sort, limit: 20 });
  const link = useLinks();
  const change = (name: string) => (value: string) =>
    setSearch((now) => {
      now.set(name, value);
      return now;
    });
  return (
    <>
      <Heading title="Stats" answer={data ? <Answer of={data} /> : '\u00a0'}>
        <Select
          label="Period"
          value={String(hours)}
          onChange={change('hours')}
          options={{ 1: 'Last hour', 24: 'Last 24 hours', 168: 'Last 7 days' }}
        />
      </Heading>
      <ReadProblem error={error} hasData={data !== undefined} />
      {data && (
        <Figures
          figures={[
            { name: 'Tasks an hour', value: numberText(Math.round(data.tasks.ended_per_hour)) },
            { name: 'Attempts an hour', value: numberText(Math.round(data.steps.attempts_per_hour)) },
            { name: 'Task, median', value: tookText(data.tasks.duration.p50_ms) },
            { name: 'Task, p95', value: tookText(data.tasks.duration.p95_ms) },
            { name: 'Attempt, p95', value: tookText(data.steps.duration.p95_ms) },
            { name: 'In the queue, p95', value: tookText(data.steps.queueing.p95_ms) },
            {
              name: 'Attempts failed',
              value: percentText(data.steps.error_rate ?? 0),
              bad: (data.steps.error_rate ?? 0) > 0,
              to: link('errors'),
            },
          ]}
        />
      )}
      {data && <Throughput title="Attempts" of={data} />}
      {data && data.recommendations.length > 0 && (
        <Panel title="Recommendations">
          <ul className="list-disc py-3 pr-4 pl-8 text-sm text-soft">
            {data.recommendations.map((text) => (
              <li key={text}>
                <Recommendation text={text} />
              </li>
            ))}
          </ul>
        </Panel>
      )}
      {data && (
        <Panel
          title="Steps"
          more={<Select label="Order of the steps" value={sort} onChange={change('order')} options={ORDERS} />}
        >
          {data.slow_steps.length > 0 ? (
            <Grid
              name="Steps"
              columns={STEPS}
              rows={data.slow_steps}
              keyOf={(row) => `${row.namespace}/${row.name}@${row.version} ${row.step}`}
            />
          ) : (
            <Nothing />
          )}
        </Panel>
      )}
      {data && (
        <Panel title="Templates">
          {data.templates.length > 0 ? (
            <Grid
              name="Templates"
              columns={TEMPLATES}
              rows={data.templates}
              keyOf={(row) => `${row.namespace}/${row.name}@${row.version}`}
            />
          ) : (
            <Nothing />
          )}
        </Panel>
      )}
    </>
  );
}

function Nothing() {
  return <Empty title="Nothing has ended in this period">Durations appear once attempts have ended.</Empty>;
}

interface SelectProps {
  label: string;
  value: string;
  options: Record<string, string>;
  onChange(value: string): void;
}

function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <select
      aria-label={label}
      className="h-8 rounded-md border border-edge bg-surface px-2 text-sm text-ink"
      value={value}
      onChange={({ target }) => onChange(target.value)}
    >
      {Object.entries(options).map(([name, text]) => (
        <option key={name} value={name}>
          {text}
        </option>
      ))}
    </select>
  );
}

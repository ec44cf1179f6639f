import { Link } from 'react-router';
import { useLinks } from '../frame/namespace.ts';
import { Figures } from '../parts/charts/figures.tsx';
import { useStats } from '../parts/charts/stats.ts';
import { Throughput } from '../parts/charts/throughput.tsx';
import { Code, Empty, Heading, Panel, Problem } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { useList } from '../parts/list-screen.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { counted, durationText, numberText, percentText } from '../parts/words.ts';
import { CauseList } from './errors/cause-list.tsx';
import { causesOf } from './errors/causes.ts';
import { FirstSteps, useIsNew } from './home/first-steps.tsx';
import { type Need, useNeeds, useSummary } from './home/needs.ts';
import { Slots } from './worker/worker-types.tsx';
import { Handlers, type Worker, WorkerLink, WorkerState } from './workers.tsx';

const CAUSES = 3;

export default function Home() {
  const { needs, error, loading } = useNeeds();
  const isNew = useIsNew();
  return (
    <>
      <Heading
        title="Home"
        answer={loading ? '\u00a0' : isNew && needs.length === 0 ? 'No task has run yet' : answerOf(needs)}
      />
      {error && loading && <Problem error={error} />}
      {isNew && <FirstSteps />}
      {!loading && !(isNew && needs.length === 0) && (
        <Panel title="Needs a person">
          {needs.length > 0 ? (
            <ul>
              {needs.map((need) => (
                <NeedRow key={need.text} need={need} />
              ))}
            </ul>
          ) : (
            <Empty title="Nothing needs you">No task is blocked, no step lacks a worker, and no approval waits.</Empty>
          )}
        </Panel>
      )}
      <Causes />
      {!isNew && <LastHour />}
      <WorkerTable />
    </>
  );
}

function answerOf(needs: readonly Need[]): string {
  const total = needs.reduce((sum, { count }) => sum + count, 0);
  const more = needs.some((need) => need.more) ? 'more than ' : '';
  return total === 0
    ? 'Everything is moving'
    : `${more}${counted(total, 'thing')} ${total === 1 ? 'needs' : 'need'} a person`;
}

function NeedRow({ need: { count, more, isOne, state, hue, text, to } }: { need: Need }) {
  return (
    <li className="border-b border-line last:border-b-0">
      <Link to={to} className="flex min-h-11 items-center gap-3 px-4 py-1.5 hover:bg-hover">
        <StateShape state={state} size={16} />
        <span className={`min-w-10 text-right text-lg font-semibold tabular-nums ${HUES[hue]}`}>
          {!isOne && numberText(count)}
          {more && '+'}
        </span>
        <span className="min-w-0 grow">{text}</span>
        <span className="text-faint" aria-hidden="true">
          ›
        </span>
      </Link>
    </li>
  );
}

/** The causes of most failures. */
function Causes() {
  const link = useLinks();
  const { data } = useSummary();
  const groups = data?.failed.groups ?? [];
  if (!data || groups.length === 0) return null;
  const all = causesOf(groups).length + data.failed.more_groups;
  return (
    <Panel
      title="Causes"
      more={
        <Link to={link('errors')} className="hover:text-accent hover:underline">
          {all > CAUSES ? `All ${numberText(all)} causes` : 'All errors'}
        </Link>
      }
    >
      <CauseList groups={groups} time="last" most={CAUSES} />
    </Panel>
  );
}

function LastHour() {
  const link = useLinks();
  const { data } = useStats({ hours: 1 });
  if (!data) return null;
  const { tasks, steps } = data;
  const took = (ms: number | null) => (ms === null ? '–' : durationText(ms));
  return (
    <>
      <section aria-label="Last hour">
        <div className="mb-2 flex items-baseline justify-between">
          <h2 className="text-sm font-semibold">Last hour</h2>
          <Link to={link('stats')} className="text-sm text-soft hover:text-accent hover:underline">
            All statistics
          </Link>
        </div>
        <Figures
          figures={[
            { name: 'Tasks ended', value: numberText(tasks.ended) },
            { name: 'Task, median', value: took(tasks.duration.p50_ms) },
            { name: 'Attempts', value: numberText(steps.attempts) },
            { name: 'In the queue, p95', value: took(steps.queueing.p95_ms) },
            {
              name: 'Attempts failed',
              value: percentText(steps.error_rate ?? 0),
              bad: (steps.error_rate ?? 0) > 0,
            },
          ]}
        />
      </section>
      <Throughput title="Attempts of the last hour" points={data.timeline} />
    </>
  );
}

const WORKERS: readonly Column<Worker>[] = [
  { head: 'State', cell: ({ state }) => <WorkerState state={state} /> },
  { head: 'Worker', cell: (worker) => <WorkerLink worker={worker} /> },
  { head: 'Slots', cell: (worker) => <Slots {...worker} /> },
  { head: 'Namespaces', cell: ({ namespaces }) => <span className="text-soft">{namespaces.join(', ')}</span> },
  { head: 'Handlers', kind: 'wide', cell: (worker) => <Handlers worker={worker} /> },
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

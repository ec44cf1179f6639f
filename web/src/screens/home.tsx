import { Link } from 'react-router';
import { api } from '../api/client.ts';
import type { Worker } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { Figures } from '../parts/charts/figures.tsx';
import { useStats } from '../parts/charts/stats.ts';
import { Throughput } from '../parts/charts/throughput.tsx';
import { Code, Empty, Heading, Panel } from '../parts/controls.tsx';
import { type Column, Grid } from '../parts/grid.tsx';
import { useList } from '../parts/list-screen.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { boundText, counted, durationText, numberText, percentText } from '../parts/words.ts';
import { CauseList } from './errors/cause-list.tsx';
import { causesOf } from './errors/causes.ts';
import { FirstSteps, useIsNew } from './home/first-steps.tsx';
import { type Need, type Unknown, useNeeds, useSlowSummary } from './home/needs.ts';
import { Slots, WorkerState } from './worker/worker-types.tsx';
import { Handlers, WorkerLink } from './workers.tsx';

const CAUSES = 3;

export default function Home() {
  const { needs, unknown, loading } = useNeeds();
  const isNew = useIsNew();
  const isQuiet = needs.length === 0 && unknown.length === 0;
  return (
    <>
      <Heading
        title="Home"
        answer={loading ? '\u00a0' : isNew && isQuiet ? 'No task has run yet' : answerOf(needs, unknown)}
      />
      {isNew && <FirstSteps />}
      {(needs.length > 0 || unknown.length > 0 || !(loading || isNew)) && (
        <Panel title="Needs a person">
          {isQuiet ? (
            <Empty title="Nothing needs you">
              No task is blocked, stale or paused, no step lacks a worker, nothing is late, and no approval waits.
            </Empty>
          ) : (
            <ul>
              {needs.map((need) => (
                <NeedRow key={need.text} need={need} />
              ))}
              {unknown.map((one) => (
                <UnknownRow key={one.what} unknown={one} />
              ))}
            </ul>
          )}
        </Panel>
      )}
      <Causes />
      {!isNew && <LastHour />}
      <WorkerTable />
    </>
  );
}

function answerOf(needs: readonly Need[], unknown: readonly Unknown[]): string {
  const [first, ...others] = needs;
  if (!first) return unknown.length > 0 ? 'Not everything is known' : 'Everything is moving';
  const count = first.isOne ? '' : `${boundText(first.count, first.more ?? false)} `;
  if (others.length === 0) return `${count}${first.text}`;
  return `${count}${first.text}, and ${counted(others.length, 'other problem')} ${others.length === 1 ? 'needs' : 'need'} a person`;
}

/** Shows a part that could not be read. Its problems are missing from the list. */
function UnknownRow({ unknown: { what, why } }: { unknown: Unknown }) {
  return (
    <li className="flex min-h-11 items-center gap-3 border-b border-line px-4 py-1.5 last:border-b-0">
      <StateShape state="error" size={16} />
      <span className={`min-w-10 text-right text-lg font-semibold ${HUES.red}`}>?</span>
      <span className="min-w-0 grow break-words">
        Could not read {what}: {why}
      </span>
    </li>
  );
}

function NeedRow({ need: { count, more = false, isOne, state, hue, text, to } }: { need: Need }) {
  return (
    <li className="border-b border-line last:border-b-0">
      <Link to={to} className="flex min-h-11 items-center gap-3 px-4 py-1.5 hover:bg-hover">
        <StateShape state={state} size={16} />
        <span className={`min-w-10 text-right text-lg font-semibold tabular-nums ${HUES[hue]}`}>
          {!isOne && boundText(count, more)}
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
  const { data } = useSlowSummary();
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
              to: link('errors'),
            },
          ]}
        />
      </section>
      <Throughput title="Attempts of the last hour" of={data} />
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
  const namespace = useNamespace();
  const { rows } = useList({ method: api.workers.list, rows: 'workers', query: { namespace } });
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

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { api, pathOf } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import type { Schedule, ScheduleFiring } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { Empty, Heading, Panel } from '../../parts/controls.tsx';
import { type Column, Grid } from '../../parts/grid.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { ReadProblem } from '../../parts/read-problem.tsx';
import { State } from '../../parts/state.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { dateText, durationText, exactText, timeOf } from '../../parts/words.ts';
import { timeFormat } from '../../parts/zone.ts';
import { BackfillDialog } from './backfill-dialog.tsx';
import { Outcome, ScheduleActs, ScheduleState } from './schedule-parts.tsx';

const SCHEDULE_MS = 5_000;

const COLUMNS: readonly Column<ScheduleFiring>[] = [
  { head: 'Outcome', cell: (firing) => <Outcome firing={firing} /> },
  { head: 'Due', cell: ({ due_at }) => <Time at={due_at} /> },
  { head: 'Cause', cell: ({ cause }) => <span className="text-soft">{cause.replaceAll('_', ' ')}</span> },
  {
    head: 'Task',
    cell: (firing) => firing.task_uuid && <TaskLink uuid={firing.task_uuid} state={firing.task_state} />,
  },
  { head: 'Reason', kind: 'wide', cell: ({ reason }) => <span className="text-soft">{reason}</span> },
  { head: 'Handled', kind: 'num', cell: ({ at }) => <Time at={at} /> },
];

function TaskLink({ uuid, state }: { uuid: string; state: string | null }) {
  const link = useLinks();
  return (
    <span className="inline-flex items-center gap-2">
      <Link className="hover:text-accent hover:underline" to={link(pathOf`tasks/${uuid}`)}>
        {state ? <State state={state} /> : 'Show'}
      </Link>
      <Id id={uuid} what="task id" />
    </span>
  );
}

export function useSchedule(name: string) {
  return useQuery({
    queryKey: ['schedule', name],
    queryFn: ({ signal }) => api.schedules.get(name, { limit: 50 }, { signal }),
    refetchInterval: usePolling(SCHEDULE_MS),
    placeholderData: keepPreviousData,
  });
}

export default function ScheduleScreen() {
  const { name = '' } = useParams();
  const { data, error } = useSchedule(name);
  return (
    <>
      <ScheduleCrumbs />
      <Heading title={name} answer={data ? answerOf(data) : '\u00a0'}>
        {data && <Acts schedule={data} />}
      </Heading>
      <ReadProblem error={error} hasData={data !== undefined} />
      {data && <Contents schedule={data} />}
    </>
  );
}

export function ScheduleCrumbs() {
  const link = useLinks();
  return (
    <nav aria-label="Breadcrumbs" className="mb-1 text-sm text-faint">
      <Link to={link('schedules')} className="hover:text-ink hover:underline">
        Schedules
      </Link>
    </nav>
  );
}

function answerOf({ words, state, paused_by: by, pause_reason: reason }: Schedule): ReactNode {
  return (
    <span className="flex flex-wrap items-center gap-x-3">
      <ScheduleState state={state} />
      <span>
        {words}
        {state === 'paused' && by && ` · paused by ${by}${reason ? `: ${reason}` : ''}`}
      </span>
    </span>
  );
}

function Acts({ schedule }: { schedule: Schedule }) {
  const { name } = schedule;
  const [backfill, setBackfill] = useState(false);
  const navigate = useNavigate();
  const link = useLinks();
  return (
    <div className="flex flex-wrap gap-2">
      <ScheduleActs schedule={schedule} />
      <ActButton method={api.schedules.backfill} onClick={() => setBackfill(true)}>
        Backfill
      </ActButton>
      <ActButton method={api.schedules.update} onClick={() => void navigate(link(pathOf`schedules/${name}/edit`))}>
        Edit
      </ActButton>
      <ActButton
        method={api.schedules.delete}
        look="danger"
        act={{
          title: `Delete ${name}`,
          verb: 'Delete the schedule',
          danger: true,
          preview:
            'No further tasks are created. The tasks that it created are kept. The record of its due times is deleted.',
          run: async (said) => {
            await api.schedules.delete(name, said);
            void navigate(link('schedules'));
          },
        }}
      >
        Delete
      </ActButton>
      {backfill && <BackfillDialog name={name} onClose={() => setBackfill(false)} />}
    </div>
  );
}

function Contents({ schedule }: { schedule: Schedule }) {
  const { next, last, context, timezone } = schedule;
  return (
    <>
      <div className="grid items-start gap-x-6 lg:grid-cols-2">
        <Panel title="Next times" more={timezone}>
          {next.length > 0 && schedule.state === 'active' ? (
            <ol className="px-4 py-2 text-sm">
              {next.map((at, index) => (
                <li key={at} className="flex justify-between gap-4 py-1 tabular-nums">
                  <time dateTime={at} title={exactText(timeOf(at))}>
                    {inZone(at, timezone)}
                  </time>
                  {index === 0 && (
                    <span className="text-soft">
                      <Time at={at} />
                    </span>
                  )}
                </li>
              ))}
            </ol>
          ) : (
            <Empty title={schedule.state === 'paused' ? 'Paused' : 'No further times'}>
              {schedule.state === 'paused' ? 'Resume it to create tasks again.' : 'Its last due time has passed.'}
            </Empty>
          )}
        </Panel>
        <Panel title="Settings">
          <Facts schedule={schedule} />
        </Panel>
      </div>
      <Panel title="Last times">
        {last.length > 0 ? (
          <Grid
            name="Last times"
            columns={COLUMNS}
            rows={last}
            keyOf={({ due_at, cause, at }) => `${due_at} ${cause} ${at}`}
          />
        ) : (
          <Empty title="No due time yet">The first task appears here. Trigger creates a task now.</Empty>
        )}
      </Panel>
      <Panel title="Context of its tasks">
        <JsonTree name="the context" value={context ?? {}} />
      </Panel>
    </>
  );
}

/** Returns a time in the zone of the schedule. */
function inZone(at: string, timeZone: string): string {
  try {
    return timeFormat({ dateStyle: 'medium', timeStyle: 'medium' }, timeZone)(timeOf(at));
  } catch {
    return dateText(timeOf(at)); // a zone that this browser does not know
  }
}

function Facts({ schedule }: { schedule: Schedule }) {
  const link = useLinks();
  const {
    template,
    cron,
    every_ms: every,
    overlap,
    catch_up: catchUp,
    on_failure: onFailure,
    jitter_ms: jitter,
  } = schedule;
  const [namespace = '', rest = ''] = template.split('/');
  const [name = '', version = ''] = rest.split('@');
  const facts: [string, ReactNode][] = [
    [
      'Creates',
      version === 'latest' ? (
        template
      ) : (
        <Link className="text-accent hover:underline" to={link(pathOf`templates/${namespace}/${name}/${version}`)}>
          {template}
        </Link>
      ),
    ],
    cron === null ? ['Every', every === null ? '–' : durationText(every)] : ['Cron', <code key="cron">{cron}</code>],
    ['Overlap', overlap],
    ['Catch up', catchUp],
    ['On failure', onFailure],
    ...(jitter > 0 ? [['Jitter', durationText(jitter)] as [string, ReactNode]] : []),
    ...(schedule.tags.length > 0 ? [['Tags', schedule.tags.join(', ')] as [string, ReactNode]] : []),
    ['Source', schedule.source ?? 'created by hand'],
    ...(schedule.description ? [['Description', schedule.description] as [string, ReactNode]] : []),
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 px-4 py-3 text-sm">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

import { Link, useNavigate } from 'react-router';
import { api, pathOf } from '../api/client.ts';
import type { Schedule } from '../api/types.ts';
import { useLinks, useNamespace } from '../frame/namespace.ts';
import { ActButton } from '../parts/act-button.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';
import { LastOutcome, ScheduleActs, ScheduleState } from './schedule/schedule-parts.tsx';

const COLUMNS: readonly Column<Schedule>[] = [
  { head: 'State', cell: ({ state }) => <ScheduleState state={state} /> },
  { head: 'Schedule', cell: ({ name }) => <ScheduleLink name={name} /> },
  { head: 'Creates', cell: ({ template }) => <span className="text-soft">{template}</span> },
  { head: 'When', kind: 'wide', cell: ({ words, cron }) => <span title={cron ?? words}>{words}</span> },
  { head: 'Last', cell: ({ last: [newest] }) => newest && <LastOutcome firing={newest} /> },
  { head: 'Next', kind: 'num', cell: ({ next_firing_at: next }) => <Time at={next} /> },
  {
    head: '',
    kind: 'num',
    cell: (schedule) => (
      <span className="inline-flex gap-1">
        <ScheduleActs schedule={schedule} small />
      </span>
    ),
  },
];

function ScheduleLink({ name }: { name: string }) {
  const link = useLinks();
  return (
    <Link className="font-medium hover:text-accent hover:underline" to={link(pathOf`schedules/${name}`)}>
      {name}
    </Link>
  );
}

function answerOf(schedules: readonly Schedule[]): string {
  const paused = schedules.filter(({ state }) => state === 'paused').length;
  return `${counted(schedules.length, 'schedule')}${paused > 0 ? `, ${paused} paused` : ''}`;
}

export default function Schedules() {
  const namespace = useNamespace();
  return (
    <ListScreen
      title="Schedules"
      method={api.schedules.list}
      rows="schedules"
      query={{ limit: 1000 }}
      isShown={({ template }) => namespace === undefined || template.startsWith(`${namespace}/`)}
      columns={COLUMNS}
      keyOf={({ id }) => id}
      answer={answerOf}
      acts={<CreateSchedule />}
      empty={{
        title: 'No schedules yet',
        next: (
          <>
            A schedule creates a task of a template at each of its due times: every night, or every 15 minutes.
            <span className="mt-3 block">
              <CreateSchedule />
            </span>
          </>
        ),
      }}
    />
  );
}

function CreateSchedule() {
  const navigate = useNavigate();
  const link = useLinks();
  return (
    <ActButton method={api.schedules.create} look="primary" onClick={() => void navigate(link('schedules/new/form'))}>
      Create a schedule
    </ActButton>
  );
}

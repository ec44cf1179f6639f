import { Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { State } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

interface Schedule {
  name: string;
  namespace?: string;
  template?: string;
  cron?: string | null;
  every?: string | null;
  timezone?: string | null;
  next?: string[] | string | null;
  next_at?: string | null;
  paused_at?: string | null;
  state?: string;
}

const COLUMNS: readonly Column<Schedule>[] = [
  {
    head: 'State',
    cell: ({ paused_at, state }) => (paused_at || state === 'paused' ? <State state="paused" /> : 'Active'),
  },
  { head: 'Schedule', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Creates', cell: ({ namespace, template }) => [namespace, template].filter(Boolean).join('/') },
  { head: 'When', cell: ({ cron, every }) => <span className="font-mono text-xs">{cron ?? every}</span> },
  { head: 'Zone', kind: 'wide', cell: ({ timezone }) => <span className="text-soft">{timezone}</span> },
  {
    head: 'Next',
    kind: 'num',
    cell: ({ next_at, next }) => <Time at={next_at ?? (Array.isArray(next) ? next[0] : next)} />,
  },
];

export default function Schedules() {
  return (
    <ListScreen<Schedule>
      title="Schedules"
      path="/v1/schedules"
      rows="schedules"
      columns={COLUMNS}
      keyOf={({ name, namespace = '' }) => `${namespace}/${name}`}
      answer={(schedules) => counted(schedules.length, 'schedule')}
      empty={{
        title: 'No schedules yet',
        next: (
          <>
            A schedule creates tasks at its due times: <Code>npx tasker schedule create NAME --cron "0 2 * * *"</Code>
          </>
        ),
      }}
    />
  );
}

import { useState } from 'react';
import { ask, pathOf } from '../api/client.ts';
import { useRoutes } from '../api/routes.ts';
import { type Act, ActDialog } from '../parts/act-dialog.tsx';
import { Button, Code } from '../parts/controls.tsx';
import type { Column } from '../parts/grid.tsx';
import { ListScreen } from '../parts/list-screen.tsx';
import { HUES, StateShape } from '../parts/state.tsx';
import { Time } from '../parts/text.tsx';
import { counted } from '../parts/words.ts';

interface Schedule {
  id: string;
  name: string;
  template: string;
  words: string;
  cron: string | null;
  state: 'active' | 'paused' | 'over';
  next_firing_at: string | null;
  last: { at: string; outcome: string }[];
}

const LOOKS = {
  active: ['complete', 'green', 'Active'],
  paused: ['paused', 'slate', 'Paused'],
  over: ['cancelled', 'grey', 'Over'],
} as const;

function ScheduleState({ state }: { state: Schedule['state'] }) {
  const [shape, hue, word] = LOOKS[state];
  return (
    <span className={`inline-flex items-center gap-1.5 ${HUES[hue]}`}>
      <StateShape state={shape} />
      {word}
    </span>
  );
}

const COLUMNS: readonly Column<Schedule>[] = [
  { head: 'State', cell: ({ state }) => <ScheduleState state={state} /> },
  { head: 'Schedule', cell: ({ name }) => <span className="font-medium">{name}</span> },
  { head: 'Creates', cell: ({ template }) => template },
  { head: 'When', kind: 'wide', cell: ({ words, cron }) => <span title={cron ?? ''}>{words}</span> },
  { head: 'Last', cell: ({ last = [] }) => <span className="text-soft">{last[0]?.outcome.replaceAll('_', ' ')}</span> },
  { head: 'Next', kind: 'num', cell: ({ next_firing_at: next }) => <Time at={next} /> },
  { head: '', kind: 'num', cell: (schedule) => <ScheduleActs schedule={schedule} /> },
];

function ScheduleActs({ schedule: { name, state } }: { schedule: Schedule }) {
  const [act, setAct] = useState<Act>();
  const routes = useRoutes();
  if (state === 'over' || !routes?.has('POST /v1/schedules/{name}/pause')) return null;
  const verb = state === 'paused' ? 'Resume' : 'Pause';
  const path = pathOf`v1/schedules/${name}`;
  const pause: Act = {
    title: `${verb} ${name}`,
    verb: `${verb} the schedule`,
    preview:
      state === 'paused'
        ? 'Due times during the pause get no task.'
        : 'No tasks are created until the schedule is resumed. Its open tasks continue.',
    run: (said) => ask(`${path}/${verb.toLowerCase()}`, { method: 'POST', body: said }),
  };
  const trigger: Act = {
    title: `Trigger ${name}`,
    verb: 'Create a task now',
    preview: 'One task is created now. The next due times stay the same.',
    run: (said) => ask(`${path}/trigger`, { method: 'POST', body: said }),
  };
  return (
    <span className="inline-flex gap-1">
      <Button look="quiet" className="h-7 px-2" aria-label={`${verb} ${name}`} onClick={() => setAct(pause)}>
        {verb}
      </Button>
      <Button look="quiet" className="h-7 px-2" aria-label={`Trigger ${name}`} onClick={() => setAct(trigger)}>
        Trigger
      </Button>
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </span>
  );
}

export default function Schedules() {
  return (
    <ListScreen<Schedule>
      title="Schedules"
      path="/v1/schedules"
      rows="schedules"
      columns={COLUMNS}
      keyOf={({ id }) => id}
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

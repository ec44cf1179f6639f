import { ask, pathOf } from '../../api/client.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';
import type { Firing, Schedule } from './schedule-types.ts';

const LOOKS = {
  active: ['complete', 'green', 'Active'],
  paused: ['paused', 'slate', 'Paused'],
  over: ['cancelled', 'grey', 'Over'],
} as const;

export function ScheduleState({ state }: { state: Schedule['state'] }) {
  const [shape, hue, word] = LOOKS[state];
  return (
    <span className={`inline-flex items-center gap-1.5 ${HUES[hue]}`}>
      <StateShape state={shape} />
      {word}
    </span>
  );
}

/** The outcome of a due time, such as `Created` or `Skipped`. */
export function Outcome({ firing: { outcome, task_state: state } }: { firing: Firing }) {
  const words = outcome.replaceAll('_', ' ');
  const failed = outcome === 'failed' || state === 'error' || state === 'blocked_by_failures';
  return (
    <span className={`inline-flex items-center gap-1.5 capitalize ${failed ? HUES.red : ''}`}>
      {state && <StateShape state={state} />}
      {words}
    </span>
  );
}

interface ActsProps {
  schedule: Schedule;
  /** Whether the buttons are in a row of a table. */
  small?: boolean;
}

/** The buttons to pause or resume, and to trigger. */
export function ScheduleActs({ schedule: { name, state }, small }: ActsProps) {
  const verb = state === 'paused' ? 'Resume' : 'Pause';
  const path = pathOf`v1/schedules/${name}`;
  const look = small ? ({ look: 'quiet', className: 'h-7 px-2' } as const) : {};
  return (
    <>
      {state !== 'over' && (
        <ActButton
          route={`POST /v1/schedules/{name}/${verb.toLowerCase()}`}
          target={name}
          {...look}
          act={{
            title: `${verb} ${name}`,
            verb: `${verb} the schedule`,
            preview:
              state === 'paused'
                ? 'Due times during the pause get no task.'
                : 'No tasks are created until the schedule is resumed. Its open tasks continue.',
            run: (said) => ask(`${path}/${verb.toLowerCase()}`, { method: 'POST', body: said }),
          }}
        >
          {verb}
        </ActButton>
      )}
      <ActButton
        route="POST /v1/schedules/{name}/trigger"
        target={name}
        {...look}
        act={{
          title: `Trigger ${name}`,
          verb: 'Create a task now',
          preview: 'One task is created now. The next due times stay the same.',
          run: (said) => ask(`${path}/trigger`, { method: 'POST', body: said }),
        }}
      >
        Trigger
      </ActButton>
    </>
  );
}

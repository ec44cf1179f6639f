import { api } from '../../api/client.ts';
import type { Schedule, ScheduleFiring } from '../../api/types.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { HUES, StateShape } from '../../parts/state.tsx';

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
export function Outcome({ firing: { outcome, task_state: state } }: { firing: ScheduleFiring }) {
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
  const method = state === 'paused' ? api.schedules.resume : api.schedules.pause;
  const look = small ? ({ look: 'quiet', className: 'h-7 px-2' } as const) : {};
  return (
    <>
      {state !== 'over' && (
        <ActButton
          method={method}
          target={name}
          {...look}
          act={{
            title: `${verb} ${name}`,
            verb: `${verb} the schedule`,
            preview:
              state === 'paused'
                ? 'Due times during the pause get no task.'
                : 'No tasks are created until the schedule is resumed. Its open tasks continue.',
            run: (said) => method(name, said),
          }}
        >
          {verb}
        </ActButton>
      )}
      <ActButton
        method={api.schedules.trigger}
        target={name}
        {...look}
        act={{
          title: `Trigger ${name}`,
          verb: 'Create a task now',
          preview: 'One task is created now. The next due times stay the same.',
          run: (said) => api.schedules.trigger(name, said),
        }}
      >
        Trigger
      </ActButton>
    </>
  );
}

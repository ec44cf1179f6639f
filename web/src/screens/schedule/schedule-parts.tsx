import { api } from '../../api/client.ts';
import type { Schedule, ScheduleFiring } from '../../api/types.ts';
import { ActButton } from '../../parts/act-button.tsx';
import { HUES, State, StateShape } from '../../parts/state.tsx';

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

function sentenceText(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll('_', ' ')}`;
}

/** The outcome of a due time, such as `Created` or `Skipped`. */
export function Outcome({ firing: { outcome } }: { firing: ScheduleFiring }) {
  const failed = outcome === 'failed';
  return (
    <span className={`inline-flex items-center gap-1.5 ${failed ? HUES.red : ''}`}>
      {failed && <StateShape state="error" />}
      {sentenceText(outcome)}
    </span>
  );
}

/** The state of the task of a due time, or the outcome if it has no task. */
export function LastOutcome({ firing }: { firing: ScheduleFiring }) {
  return firing.task_state ? <State state={firing.task_state} /> : <Outcome firing={firing} />;
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

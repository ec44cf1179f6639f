import type { ReactNode } from 'react';
import type { StepState, TaskState } from '../api/types.ts';

interface Look {
  word: string;
  hue: 'grey' | 'blue' | 'violet' | 'amber' | 'green' | 'red' | 'slate';
  shape: keyof typeof SHAPES;
}

const ring = <circle cx="8" cy="8" r="5.75" fill="none" stroke="currentColor" strokeWidth="1.5" />;
const disc = <circle cx="8" cy="8" r="6.5" fill="currentColor" />;
const mark = (d: string) => (
  <path d={d} fill="none" stroke="var(--surface)" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" />
);
const line = (d: string) => (
  <path d={d} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
);

/** Each state has its own shape, because colors alone are not enough. */
const SHAPES = {
  hollow: ring,
  half: (
    <>
      {ring}
      <path d="M8 2.25a5.75 5.75 0 0 1 0 11.5z" fill="currentColor" />
    </>
  ),
  hourglass: line('M4.5 2.5h7M4.5 13.5h7M5.5 2.5c0 3 5 4 5 5.5s-5 2.5-5 5.5M10.5 2.5c0 3-5 4-5 5.5s5 2.5 5 5.5'),
  again: line('M12.9 6.2A5.3 5.3 0 1 0 13.2 9M13.3 3v3.4H9.9'),
  check: (
    <>
      {disc}
      {mark('M5.2 8.3l2 2 3.7-4.2')}
    </>
  ),
  cross: (
    <>
      {disc}
      {mark('M5.9 5.9l4.2 4.2M10.1 5.9l-4.2 4.2')}
    </>
  ),
  bar: (
    <>
      {ring}
      {line('M5.2 8h5.6')}
    </>
  ),
  hand: (
    <>
      {ring}
      {line('M5.4 8.3l1.9 1.9 3.4-4')}
    </>
  ),
  pause: line('M6 3.5v9M10 3.5v9'),
  skip: line('M3.5 4.5L7 8l-3.5 3.5M9 4.5L12.5 8 9 11.5'),
} satisfies Record<string, ReactNode>;

const PENDING: Look = { word: 'Pending', hue: 'grey', shape: 'hollow' };
const QUEUED: Look = { word: 'Queued', hue: 'grey', shape: 'hollow' };
const RUNNING: Look = { word: 'Running', hue: 'blue', shape: 'half' };
const WAITING: Look = { word: 'Waiting', hue: 'violet', shape: 'hourglass' };

const LOOKS: Readonly<Record<TaskState | StepState | 'paused', Look>> = {
  pending: PENDING,
  initializing: QUEUED,
  enqueuing_steps: QUEUED,
  enqueued: QUEUED,
  steps_in_process: RUNNING,
  evaluating_results: RUNNING,
  in_progress: RUNNING,
  enqueued_for_orchestration: RUNNING,
  enqueued_as_error_for_orchestration: RUNNING,
  waiting_for_dependencies: PENDING,
  waiting: WAITING,
  waiting_for_retry: { word: 'Retrying', hue: 'amber', shape: 'again' },
  complete: { word: 'Complete', hue: 'green', shape: 'check' },
  skipped: { word: 'Skipped', hue: 'grey', shape: 'skip' },
  blocked_by_failures: { word: 'Blocked', hue: 'red', shape: 'cross' },
  error: { word: 'Failed', hue: 'red', shape: 'cross' },
  cancelled: { word: 'Cancelled', hue: 'grey', shape: 'bar' },
  resolved_manually: { word: 'Resolved', hue: 'green', shape: 'hand' },
  undoing: { word: 'Undoing', hue: 'blue', shape: 'half' },
  undone: { word: 'Undone', hue: 'grey', shape: 'bar' },
  paused: { word: 'Paused', hue: 'slate', shape: 'pause' },
};

export const HUES = {
  grey: 'text-s-grey',
  blue: 'text-s-blue',
  violet: 'text-s-violet',
  amber: 'text-s-amber',
  green: 'text-s-green',
  red: 'text-s-red',
  slate: 'text-s-slate',
} as const;

/** Returns the word, hue and shape of a state of a task or step. */
export function lookOf(state: string): Look {
  // A newer server may have more states.
  const look: Look | undefined = LOOKS[state as keyof typeof LOOKS];
  return look ?? { word: state.replaceAll('_', ' '), hue: 'grey', shape: 'hollow' };
}

/** The shape of a state, without its word. */
export function StateShape({ state, size = 14 }: { state: string; size?: number }) {
  const { hue, shape } = lookOf(state);
  const moves = shape === 'half' ? 'breathe' : '';
  return (
    <svg className={`shrink-0 ${HUES[hue]} ${moves}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[shape]}
    </svg>
  );
}

interface PausableTask {
  status: string;
  in_progress_steps: number;
  paused: readonly unknown[] | null;
}

/** Returns the state to show first. A pause keeps neither running nor failed steps from being what they are. */
const mainState = ({ status, in_progress_steps: running, paused }: PausableTask) =>
  paused && running === 0 && status !== 'blocked_by_failures' ? 'paused' : status;

/** Returns the words for the state of a task, and whether it is paused: `Blocked, paused`. */
export function taskStateText(task: PausableTask): string {
  const state = mainState(task);
  return `${lookOf(state).word}${task.paused && state !== 'paused' ? ', paused' : ''}`;
}

/** The state of a task, and whether it is paused. */
export function StateOfTask({ task }: { task: PausableTask }) {
  const state = mainState(task);
  return (
    <span className="whitespace-nowrap">
      <State state={state} />
      {task.paused && state !== 'paused' && <span className={HUES.slate}>, paused</span>}
    </span>
  );
}

/** The state of a task or step: its shape and its word. */
export function State({ state }: { state: string }) {
  const { word, hue } = lookOf(state);
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${HUES[hue]}`}>
      <StateShape state={state} />
      <span className={state === 'cancelled' ? 'line-through' : ''}>{word}</span>
    </span>
  );
}

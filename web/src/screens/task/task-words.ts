import type { StepResponse, TaskState } from '../../api/types.ts';
import { durationText, timeOf } from '../../parts/words.ts';

const ENDED: ReadonlySet<string> = new Set<TaskState>([
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
  'undone',
]);

/** Returns whether no further step of the task will run unless a person acts. */
export function hasEnded(status: string): boolean {
  return ENDED.has(status);
}

/** The times of a step from which its duration is computed. */
interface TimedStep {
  state: string | null;
  startedAt: string | null;
  nextRetryAt: string | null;
  ms: number | null | undefined;
}

/** Returns whether the text of {@link stepTimeText} changes every second. */
export function isTicking({ state }: Pick<TimedStep, 'state'>): boolean {
  return state === 'in_progress' || state === 'waiting_for_retry';
}

/** The duration of the last attempt of a step, or the time until its retry. */
export function stepTimeText({ state, startedAt, nextRetryAt, ms }: TimedStep, now: Date): string {
  if (state === 'waiting_for_retry' && nextRetryAt) {
    return `in ${durationText(Math.max(0, timeOf(nextRetryAt).getTime() - now.getTime()))}`;
  }
  if (state === 'in_progress' && startedAt) {
    return durationText(Math.max(0, now.getTime() - timeOf(startedAt).getTime()));
  }
  // A skipped step took only the time of its condition.
  return ms === undefined || ms === null || state === 'skipped' ? '' : durationText(ms);
}

export function stepTimesOf(step: StepResponse): TimedStep {
  return {
    state: step.current_state,
    startedAt: step.last_attempted_at,
    nextRetryAt: step.next_retry_at,
    ms: step.results?.metadata.execution_time_ms,
  };
}

/** Returns how long a step waited and ran. Its handler does not run while it is in the queue. */
export function spentText(waitedMs: number, ranMs: number): string {
  const parts = [
    ...(waitedMs >= 1 ? [`waited ${durationText(waitedMs)}`] : []),
    ...(ranMs > 0 ? [`ran ${durationText(ranMs)}`] : []),
  ];
  return parts.join(' and ') || `ran ${durationText(0)}`;
}

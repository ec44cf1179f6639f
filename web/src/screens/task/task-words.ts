import type { StepDetail, Task } from '../../api/types.ts';
import { durationText, timeOf } from '../../parts/words.ts';

const ENDED = new Set(['complete', 'error', 'cancelled', 'resolved_manually']);

/** Whether nothing of the task will run any more, unless a person acts. */
export function hasEnded(status: string): boolean {
  return ENDED.has(status);
}

/** Why a task is not moving, for servers that do not explain it. */
export function reasonOf(task: Task, steps: readonly StepDetail[]): string | undefined {
  const failed = steps.find(({ current_state }) => current_state === 'error');
  if (failed) return `${failed.name} failed: ${failed.results?.error?.message ?? 'it has no error text'}`;
  const retrying = steps.find(({ current_state }) => current_state === 'waiting_for_retry');
  if (retrying) return `waits for the retry of ${retrying.name}`;
  if (task.in_progress_steps === 0 && task.ready_steps > 0) return 'waits for a worker';
  return undefined;
}

/** The duration of the last attempt of a step, or the time until its retry. */
export function stepTimeText(step: StepDetail, now: Date): string {
  if (step.current_state === 'waiting_for_retry' && step.next_retry_at) {
    return `in ${durationText(Math.max(0, timeOf(step.next_retry_at).getTime() - now.getTime()))}`;
  }
  if (step.current_state === 'in_progress' && step.last_attempted_at) {
    return durationText(Math.max(0, now.getTime() - timeOf(step.last_attempted_at).getTime()));
  }
  const ms = step.results?.metadata.execution_time_ms;
  return ms === undefined || ms === null ? '' : durationText(ms);
}

import type { StepDetail } from '../../api/types.ts';
import { timeOf } from '../../parts/words.ts';
import type { TaskData } from './use-task.ts';

/** One attempt of a step. */
export interface Attempt {
  step: string;
  attempt: number;
  start: Date;
  /** Undefined while it runs. */
  end: Date | undefined;
  /** The state of the step after the attempt. */
  state: string;
  who: string | null;
  error: string | null;
}

/** Returns the attempts of a task: from its history, or else the last one of each step. */
export function attemptsOf({ steps, history }: TaskData): Attempt[] {
  const running = steps.filter(({ current_state }) => current_state === 'in_progress');
  if (!history) return steps.flatMap(lastAttemptOf);
  const ended = history.flatMap((entry): Attempt[] =>
    entry.kind === 'attempt' && entry.started_at && entry.step
      ? [
          {
            step: entry.step,
            attempt: entry.attempt ?? 1,
            start: timeOf(entry.started_at),
            end: timeOf(entry.at),
            state: entry.to_state ?? 'complete',
            who: entry.who,
            error: entry.error?.message ?? null,
          },
        ]
      : [],
  );
  return [...ended, ...running.flatMap(lastAttemptOf)];
}

function lastAttemptOf(step: StepDetail): Attempt[] {
  const { metadata, error } = step.results ?? {};
  const running = step.current_state === 'in_progress';
  const start = running ? step.last_attempted_at : (metadata?.started_at ?? step.last_attempted_at);
  if (!start) return [];
  const end = metadata?.completed_at ?? step.completed_at ?? step.last_failure_at;
  return [
    {
      step: step.name,
      attempt: step.attempts,
      start: timeOf(start),
      end: running || !end ? undefined : timeOf(end),
      state: step.current_state,
      who: metadata?.worker_id ?? null,
      error: running ? null : (error?.message ?? null),
    },
  ];
}

import type { HistoryEntry, StepError, StepResponse } from '../../../api/types.ts';
import { timeOf } from '../../../parts/words.ts';

/** One attempt of a step. */
export interface Attempt {
  number: number;
  /** The rerun that the attempt belongs to. 0 is the first run. */
  rerun: number;
  start: Date;
  /** Milliseconds that it ran. Undefined while the attempt runs, or if it is unknown. */
  ms: number | undefined;
  /** `error` if the attempt failed, even if the step was retried. */
  state: string;
  who: string | null;
  error: StepError | null;
}

/** Returns the attempts of a step, the oldest first. */
export function attemptsOf(step: StepResponse, history: readonly HistoryEntry[]): Attempt[] {
  const ended = history.flatMap((entry): Attempt[] =>
    entry.kind === 'attempt' && entry.started_at && entry.step === step.name
      ? [
          {
            number: entry.attempt ?? 1,
            rerun: entry.rerun ?? 0,
            start: timeOf(entry.started_at),
            ms: entry.duration_ms ?? undefined,
            state: entry.error ? 'error' : (entry.to_state ?? 'complete'),
            who: entry.who,
            error: entry.error,
          },
        ]
      : [],
  );
  if (step.current_state !== 'in_progress' || !step.last_attempted_at) return ended;
  const running: Attempt = {
    number: step.attempts,
    rerun: ended.at(-1)?.rerun ?? 0,
    start: timeOf(step.last_attempted_at),
    ms: undefined,
    state: step.current_state,
    who: step.worker,
    error: null,
  };
  return [...ended, running];
}

/** Returns how an attempt differs from the previous attempt. Undefined for the first. */
export function differenceOf({ ms, error }: Attempt, before: Attempt | undefined): string | undefined {
  if (!before) return undefined;
  const parts = [errorDifference(error, before.error)];
  const msBefore = before.ms ?? 0;
  if (ms !== undefined && msBefore > 0 && ms > 0) {
    const times = ms / msBefore;
    if (times >= 2) parts.push(`${times.toFixed(times < 10 ? 1 : 0)} times as long`);
    else if (times <= 0.5) parts.push(`${(1 / times).toFixed(1 / times < 10 ? 1 : 0)} times faster`);
  }
  return parts.filter(Boolean).join(', ') || undefined;
}

function errorDifference(error: StepError | null, before: StepError | null): string | undefined {
  if (!error || !before) return undefined;
  if (withoutNumbers(error.message) === withoutNumbers(before.message)) return 'same error';
  return error.error_type === before.error_type ? `another ${error.error_type ?? 'error'}` : 'another error';
}

/** Two errors that differ only in ids, times or counts are the same. */
function withoutNumbers(message: string): string {
  return message.replace(/[\da-f]{8}-[\da-f-]{27}|\d+/gi, '#');
}

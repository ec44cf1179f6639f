import { KIND } from '../engine/engine.ts';
import type { EventOutcome } from '../engine/events/declared-events.ts';
import type { EndedAttempt } from '../events/publishing/ended-attempt.ts';
import type { AttemptEnd } from './attempt-end.ts';

/** The end of an attempt, as its events tell of it. It waits with them for the commit, so it holds nothing of its own. */
export class EndedStep implements EndedAttempt {
  readonly outcome: EventOutcome;
  readonly worker: string;
  readonly detail: string;
  readonly #end: AttemptEnd;

  constructor(end: AttemptEnd, worker: string) {
    this.#end = end;
    this.worker = worker;
    this.outcome = outcomeOf(end);
    // As it is now: problems of events are noted there.
    this.detail = end.detail;
  }

  get taskUuid(): string {
    return this.#end.taskUuid;
  }

  get idx(): number {
    return this.#end.idx;
  }

  get stepName(): string {
    return this.#end.step.name;
  }

  get templateStepName(): string {
    return this.#end.step.template.name;
  }

  get namespace(): string {
    return this.#end.step.task.snapshot.template.namespace;
  }

  get correlationId(): string {
    return this.#end.step.correlationId;
  }

  get attempt(): number {
    return this.#end.attempt;
  }

  get result(): string {
    return this.#end.result;
  }

  get durationMs(): number {
    return this.#end.durationMs;
  }
}

/** Whether a failed step will be tried again, as the recording will decide it. */
function outcomeOf({ kind, step }: AttemptEnd): EventOutcome {
  if (kind === KIND.completed) return 'completed';
  const again = step.template.retry.retryable && step.attempt - step.spared < step.maxAttempts;
  return kind === KIND.retryable && again ? 'retried' : 'failed';
}

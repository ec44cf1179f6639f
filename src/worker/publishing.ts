import type { EventOutcome } from '../engine/declared-events.ts';
import { KIND } from '../engine/engine.ts';
import type { EventProblem } from '../engine/task-view.ts';
import { type EndedAttempt, type Publication, prepareEvents, storedEvents } from '../events/publication.ts';
import { StepHandlerResult } from '../handlers/step-handler-result.ts';
import type { Logger } from '../logging/logger.ts';
import { type AttemptEnd, failedInstead, withEventProblems } from './attempt-end.ts';
import type { HeldStep } from './held-step.ts';
import { stepFields } from './step-log.ts';

/** What the publishing of a worker's steps needs. */
export interface PublishingOptions {
  /** The worker's name. */
  worker: string;
  logger: Logger;
}

/** Lets the events of steps go with the recordings of what they came to. */
export class Publishing {
  readonly #options: PublishingOptions;

  constructor(options: PublishingOptions) {
    this.#options = options;
  }

  /** The same end with its events. A step without declared events is not to be brought here: that costs nothing then. */
  prepare(end: AttemptEnd): AttemptEnd {
    const { step } = end;
    const declared = step.task.snapshot.events[step.templateIdx];
    if (!declared || end.kind === KIND.released) return end;
    const attempt = this.#attemptOf(end);
    const publication = prepareEvents(attempt, declared);
    this.#log(step, publication.problems);
    if (publication.failStep !== undefined) return this.#fail(end, publication);
    return this.#with(end, attempt, publication);
  }

  /** Its events are those of the failure that it is now. */
  #fail(end: AttemptEnd, { failStep, problems }: Publication): AttemptEnd {
    const failure = StepHandlerResult.failure({ message: failStep!, errorType: 'event_invalid', retryable: false });
    const failed = this.prepare(failedInstead(end, failure));
    return withEventProblems(failed, problems);
  }

  #with(end: AttemptEnd, attempt: EndedAttempt, { events, problems }: Publication): AttemptEnd {
    const detailed = withEventProblems(end, problems);
    return events.length === 0 ? detailed : { ...detailed, events: storedEvents(attempt, events) };
  }

  #attemptOf(end: AttemptEnd): EndedAttempt {
    const { step, result, detail, durationMs } = end;
    return {
      outcome: outcomeOf(end),
      stepName: step.name,
      result,
      detail,
      durationMs,
      worker: this.#options.worker,
    };
  }

  #log(step: HeldStep, problems: readonly EventProblem[]): void {
    for (const { event, message, path } of problems) {
      this.#options.logger.warn({ ...stepFields(step), event, path }, `event ${event} is not published: ${message}`);
    }
  }
}

/** Whether a failed step will be tried again, as the recording will decide it. */
function outcomeOf({ kind, step }: AttemptEnd): EventOutcome {
  if (kind === KIND.completed) return 'completed';
  const again = step.template.retry.retryable && step.attempt - step.spared < step.maxAttempts;
  return kind === KIND.retryable && again ? 'retried' : 'failed';
}

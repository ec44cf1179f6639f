import { type Engine, type HeldKey, KIND, type RecordAnswer } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import type { AttemptEnd } from '../attempt-end.ts';
import type { Publishing } from '../publishing.ts';
import { Recorder, type RecorderEvents, type Reserved } from '../recorder.ts';
import type { StepReports } from '../step-reports.ts';
import type { Ended, Given, GivenSteps } from './given-steps.ts';

/** Children go to the queue, because this server runs no steps. */
const NO_CHILDREN: Reserved = { freeSlots: 0, token: 0, lastRank: -101 };

/** Options of {@link Recording}. */
export interface RecordingOptions {
  engine: Engine;
  given: GivenSteps;
  publishing: Publishing;
  reports: StepReports;
  logger: Logger;
  onTasksEnded(ended: RecordAnswer['ended']): void;
  onEventsStored(): void;
  /** Called when the queue holds steps. */
  onWork(): void;
  /** Called when a retry or a wait is due in `ms`. */
  onDue(ms: number): void;
}

/** Records the reports of HTTP workers, many requests in one transaction. Uses the same recorder as every worker. */
export class Recording implements RecorderEvents {
  readonly #options: RecordingOptions;
  readonly #recorder: Recorder;
  #forgotten: HeldKey[] = [];
  #forgetting: Promise<void> | undefined;

  constructor(options: RecordingOptions) {
    this.#options = options;
    this.#recorder = new Recorder(options.engine, this, options.logger);
  }

  get pending(): number {
    return this.#recorder.pending + this.#options.publishing.pending;
  }

  /** Records the end of an attempt, once. Resolves to undefined if the worker no longer held the step. */
  end(given: Given, make: () => AttemptEnd): Promise<Ended | undefined> {
    given.ending ??= new Promise((resolve) => {
      given.settle = resolve;
      const end = make();
      if (given.ranMs > 0) end.durationMs = Math.min(Math.round(end.durationMs + given.ranMs), 2 ** 31 - 1);
      end.step.ended = true;
      const prepared = this.#options.publishing.prepare(end);
      if (prepared instanceof Promise) void prepared.then((ready) => this.#push(ready));
      else this.#push(prepared);
    });
    return given.ending;
  }

  #push(end: AttemptEnd): void {
    this.#options.reports.pushed();
    this.#recorder.push(end);
  }

  // ---- the recorder

  reserve(): Reserved {
    return NO_CHILDREN;
  }

  doubt(): void {
    // No children are claimed, so the worker cannot hold any without knowing.
  }

  release(): void {
    // No children are claimed.
  }

  withoutEvents(end: AttemptEnd, refusal: string): AttemptEnd {
    return this.#options.publishing.withoutStored(end, refusal);
  }

  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer): void {
    const { given, reports, publishing, onTasksEnded, onEventsStored, onWork, onDue } = this.#options;
    given.cache.keepRecorded(accepted, answer);
    const taken = accepted.length === batch.length ? undefined : new Set(accepted);
    for (const end of batch) {
      const entry = given.of(end);
      if (entry) given.forget(entry);
      entry?.settle?.(taken === undefined || taken.has(end) ? endedOf(end) : undefined);
      const { claim, taskUuid, idx } = end;
      this.#forgotten.push({ claim, taskUuid, idx });
    }
    this.#forget();
    reports.recorded(batch, accepted);
    reports.uncompleted(accepted, answer.uncompleted, onDue);
    if (batch.some(({ publication }) => publication)) publishing.recorded(batch, accepted);
    if (accepted.some(({ events }) => events !== undefined)) onEventsStored();
    if (answer.ended.length > 0) {
      reports.tasksEnded(batch, answer.ended);
      onTasksEnded(answer.ended);
    }
    if (answer.queued > 0 || accepted.some((end) => end.kind === KIND.released)) onWork();
  }

  /** Deletes the entries of steps that ended, after their commit. A later cleanup deletes the rest. */
  #forget(): void {
    this.#forgetting ??= (async () => {
      while (this.#forgotten.length > 0) {
        const steps = this.#forgotten.splice(0);
        try {
          await this.#options.engine.httpWorkers.forget(steps);
        } catch (error) {
          this.#options.logger.debug({ error: messageOf(error) }, 'entries of ended steps not deleted');
        }
      }
    })().finally(() => (this.#forgetting = undefined));
  }

  /** Waits at most `ms` until everything is recorded, and stops. */
  async stop(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (this.pending > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#recorder.stop();
    await waitAtMost(Math.max(0, until - performance.now()), this.#forgetting ?? Promise.resolve());
  }
}

function endedOf({ kind, error }: AttemptEnd): Ended {
  const outcome = kind === KIND.completed ? 'completed' : kind === KIND.released ? 'released' : 'failed';
  return { outcome, errorType: error?.type ?? null };
}

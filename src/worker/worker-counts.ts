import { KIND } from '../engine/engine.ts';
import type { Counter, Histogram } from '../metrics/instrument.ts';
import type { Instruments } from '../metrics/instruments.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { StepTemplate } from '../template/task-template.ts';
import type { AttemptEnd } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';

/** How much a worker has to do right now. */
export interface Load {
  tasks: number;
  running: number;
  /** Ends that are not acknowledged. */
  unrecorded: number;
  slots: number;
  /** How late the event loop was. */
  lagMs: number;
  threads: { size: number; busy: number; waiting: number };
}

/** The series of one handler, looked up once for each step of a template. */
interface OfHandler {
  executed: Counter;
  succeeded: Counter;
  retryable: Counter;
  permanent: Counter;
  duration: Histogram;
}

/** Counts what a worker's handlers do. What is done for every step here must cost next to nothing. */
export class WorkerCounts {
  readonly #metrics: Metrics;
  readonly #on: Instruments;
  readonly #handlers = new WeakMap<StepTemplate, OfHandler>();
  #forget: (() => void) | undefined;
  /** Attempts that were recorded. */
  processed = 0;
  /** Steps that failed permanently. */
  failed = 0;
  /** Outcomes that were refused. */
  refused = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#on = metrics.instruments;
  }

  /** Reports the load whenever metrics are collected, until {@link stop}. */
  observe(load: () => Load): void {
    const { tasksActive, stepsActive, backlog, saturation, bufferSize, loopLag, threads: ofThreads } = this.#on;
    this.#forget = this.#metrics.onCollect(() => {
      const { tasks, running, unrecorded, slots, lagMs, threads } = load();
      tasksActive.set(tasks);
      stepsActive.set(running);
      backlog.of('results').set(unrecorded);
      saturation.of('steps').set(running / slots);
      bufferSize.of('steps').set(slots);
      loopLag.set(lagMs / 1000);
      ofThreads.of('busy').set(threads.busy);
      ofThreads.of('idle').set(threads.size - threads.busy);
      ofThreads.of('waiting').set(threads.waiting);
    });
  }

  #of(step: DispatchedStep): OfHandler {
    const { template } = step;
    let known = this.#handlers.get(template);
    if (!known) {
      const labels = labelsOf(step);
      known = {
        executed: this.#on.stepsExecuted.of(...labels),
        succeeded: this.#on.stepsSucceeded.of(...labels),
        retryable: this.#on.stepsFailed.of(...labels, 'true'),
        permanent: this.#on.stepsFailed.of(...labels, 'false'),
        duration: this.#on.stepExecution.of(...labels),
      };
      this.#handlers.set(template, known);
    }
    return known;
  }

  /** A handler is called for the first time in this attempt. */
  begun(step: DispatchedStep): void {
    if (this.#metrics.on) this.#of(step).executed.add();
  }

  pushed(): void {
    this.#on.resultsSubmitted.add();
  }

  /** A batch was recorded. */
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[]): void {
    this.processed += accepted.length;
    this.refused += batch.length - accepted.length;
    if (!this.#metrics.on) return;
    let completed = 0;
    let released = 0;
    for (const { step, kind, durationMs } of accepted) {
      if (kind === KIND.released) {
        released++;
        continue;
      }
      const handler = this.#of(step);
      if (step.started) handler.duration.observe(durationMs / 1000);
      if (kind === KIND.completed) {
        completed++;
        handler.succeeded.add();
      } else if (kind === KIND.retryable) handler.retryable.add();
      else handler.permanent.add();
    }
    const failed = accepted.length - completed - released;
    this.#on.stepAttempts.of('completed').add(completed);
    if (failed > 0) this.#on.stepAttempts.of('failed').add(failed);
    if (released > 0) this.#on.stepAttempts.of('released').add(released);
  }

  timedOut(step: DispatchedStep): void {
    this.#on.stepsTimedOut.of(...labelsOf(step)).add();
  }

  blocked(step: DispatchedStep): void {
    this.#on.loopBlocked.of(...labelsOf(step)).add();
  }

  settledLate(step: DispatchedStep): void {
    this.#on.stepsSettledLate.of(...labelsOf(step)).add();
  }

  stop(): void {
    this.#forget?.();
  }
}

function labelsOf(step: DispatchedStep): [namespace: string, handler: string] {
  return [step.task.snapshot.template.namespace, step.handlerName];
}

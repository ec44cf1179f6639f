import { FAILED_KINDS, KIND, type RecordAnswer } from '../engine/engine.ts';
import { nameOf } from '../engine/template-store.ts';
import type { Logger } from '../logging/logger.ts';
import type { Counter, Histogram } from '../metrics/instrument.ts';
import type { Instruments } from '../metrics/instruments.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { StepTemplate } from '../template/task-template.ts';
import type { AttemptEnd } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import type { WorkerStats } from './worker-options.ts';

/** The current load of a worker. */
export interface Load extends Pick<WorkerStats, 'running' | 'unrecorded' | 'threads'> {
  tasks: number;
  slots: number;
  /** Lag of the event loop in milliseconds. */
  lagMs: number;
}

/** The metric series of one handler, looked up once for each step of a template. */
interface OfHandler {
  executed: Counter;
  succeeded: Counter;
  retryable: Counter;
  permanent: Counter;
  duration: Histogram;
}

/** Fields of every log line about a step. */
export function stepFields(step: DispatchedStep) {
  return {
    task_uuid: step.taskUuid,
    correlation_id: step.correlationId,
    step: step.name,
    attempt: step.number,
  };
}

/** Counts and logs the events of a worker's steps. These methods run for every step, so they must be cheap. */
export class StepReports {
  readonly #metrics: Metrics;
  readonly #on: Instruments;
  readonly #logger: Logger;
  readonly #handlers = new WeakMap<StepTemplate, OfHandler>();
  #forget: (() => void) | undefined;
  /** Number of recorded attempts. */
  processed = 0;
  /** Number of steps that failed permanently. */
  failed = 0;
  /** Number of rejected outcomes. */
  refused = 0;
  /** Number of recorded attempts, by outcome. */
  readonly counts = { completed: 0, failed: 0 };

  constructor(metrics: Metrics, logger: Logger) {
    this.#metrics = metrics;
    this.#on = metrics.instruments;
    this.#logger = logger;
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

  #writes(level: string): boolean {
    return this.#logger.isLevelEnabled?.(level) ?? true;
  }

  /** Called when the worker holds these steps. */
  held(steps: readonly DispatchedStep[]): void {
    if (!this.#writes('debug')) return;
    for (const step of steps) this.#logger.debug({ ...stepFields(step), state: 'in_progress' }, 'step claimed');
  }

  /** Called when a handler is called for the first time in this attempt. */
  begun(step: DispatchedStep): void {
    if (this.#metrics.on) this.#of(step).executed.add();
  }

  pushed(): void {
    this.#on.resultsSubmitted.add();
  }

  /** Called when a batch was recorded. Retries and failures are logged by {@link uncompleted}. */
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[]): void {
    this.processed += accepted.length;
    this.refused += batch.length - accepted.length;
    for (const end of accepted) {
      if (end.kind === KIND.completed) this.counts.completed++;
      else if (FAILED_KINDS.has(end.kind)) this.counts.failed++;
    }
    if (this.#metrics.on) this.#count(accepted);
    if (this.#writes('debug')) {
      for (const { step, kind, durationMs, wait } of accepted) {
        if (kind === KIND.completed) {
          this.#logger.debug({ ...stepFields(step), state: 'complete', duration_ms: durationMs }, 'step complete');
        } else if (wait !== undefined) {
          this.#logger.debug({ ...stepFields(step), state: 'waiting', wait: wait.kind }, 'step waits');
        }
      }
    }
    if (accepted.length === batch.length) return;
    const taken = new Set(accepted);
    for (const end of batch) {
      if (!taken.has(end)) {
        this.#logger.info(stepFields(end.step), 'result rejected: step no longer held by this worker');
      }
    }
  }

  #count(accepted: readonly AttemptEnd[]): void {
    let completed = 0;
    let released = 0;
    for (const { step, kind, durationMs } of accepted) {
      if (kind === KIND.released) released++;
      if (kind === KIND.released || kind === KIND.skipped || kind === KIND.listed) continue;
      const handler = this.#of(step);
      if (step.started) handler.duration.observe(durationMs / 1000);
      if (kind === KIND.completed) {
        completed++;
        handler.succeeded.add();
      } else if (kind === KIND.retryable) handler.retryable.add();
      else if (kind !== KIND.waits) handler.permanent.add();
    }
    const failed = accepted.filter(({ kind }) => FAILED_KINDS.has(kind)).length;
    this.#on.stepAttempts.of('completed').add(completed);
    if (failed > 0) this.#on.stepAttempts.of('failed').add(failed);
    if (released > 0) this.#on.stepAttempts.of('released').add(released);
  }

  /** Called when the recording of these attempts ended tasks, or left them unable to continue. */
  tasksEnded(batch: readonly AttemptEnd[], ended: RecordAnswer['ended']): void {
    if (!this.#writes('info')) return;
    const steps = new Map(batch.map(({ taskUuid, step }) => [taskUuid, step]));
    for (const { taskUuid, state, ms } of ended) {
      const step = steps.get(taskUuid);
      const of = step && { correlation_id: step.correlationId, template: nameOf(step.task.snapshot.template) };
      this.#logger.info({ task_uuid: taskUuid, ...of, state, duration_ms: ms }, `task ${state}`);
    }
  }

  /** Called when steps of a batch failed. `retried` receives the delay of each step that waits for a retry. */
  uncompleted(
    accepted: readonly AttemptEnd[],
    rows: RecordAnswer['uncompleted'],
    retried: (delayMs: number) => void,
  ): void {
    if (rows.length === 0) return;
    const ends = new Map(accepted.map((end) => [`${end.taskUuid}:${end.idx}`, end]));
    for (const row of rows) {
      const end = ends.get(`${row.taskUuid}:${row.idx}`);
      if (!end) continue;
      this.#uncompleted(row, end);
      if (row.state === 'waiting_for_retry') retried(end.delayMs);
    }
  }

  /** Called when a step failed: it is retried, or has failed permanently. */
  #uncompleted(row: RecordAnswer['uncompleted'][number], { step, error, delayMs }: AttemptEnd): void {
    const fields = {
      ...stepFields(step),
      attempt: row.attempts - row.spared,
      template: nameOf(step.task.snapshot.template),
      max_attempts: row.maxAttempts,
      error_type: error?.type,
      error: error && step.withoutSensitive(error.message),
    };
    if (row.state === 'error') {
      this.failed++;
      this.#logger.warn(fields, 'step failed permanently');
    } else if (row.state === 'waiting_for_retry') {
      this.#logger.info({ ...fields, retry_in_ms: delayMs }, 'step failed; retry scheduled');
    } else if (error) this.#logger.info(fields, 'step failed; retrying now');
  }

  timedOut(step: DispatchedStep): void {
    this.#on.stepsTimedOut.of(...labelsOf(step)).add();
    this.#logger.warn(
      { ...stepFields(step), handler: step.handlerName },
      'handler timed out; its slot stays occupied until it settles',
    );
  }

  blocked(step: DispatchedStep): void {
    this.#on.loopBlocked.of(...labelsOf(step)).add();
  }

  /** Called when a handler settled after its step had ended. */
  settledLate(step: DispatchedStep): void {
    this.#on.stepsSettledLate.of(...labelsOf(step)).add();
    this.#logger.info(
      { ...stepFields(step), over: step.over },
      'handler settled after its step ended; result discarded',
    );
  }

  /** Called when a handler is still running while its worker stops. */
  unsettled(step: DispatchedStep): void {
    this.#logger.warn(stepFields(step), 'handler did not settle within the drain time');
  }

  stop(): void {
    this.#forget?.();
  }
}

function labelsOf(step: DispatchedStep): [namespace: string, handler: string] {
  return [step.task.snapshot.template.namespace, step.handlerName];
}

import { DEFAULTS } from '../../config/defaults.ts';
import type { AdoptedStepRow, Engine, HeldKey } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { moduleLogger } from '../../logging/module-logger.ts';
import type { AttemptEnd } from '../attempt-end.ts';
import { DispatchedStep, type StepHost } from '../dispatched-step.ts';
import { incarnationOf } from '../lease/incarnation.ts';
import { stepEvent } from '../step-event.ts';
import { loadDetails, stepProgress } from '../step-progress.ts';
import type { StepReports } from '../step-reports.ts';
import { TaskCache } from '../task-cache.ts';
import { type Attempt, keyOf } from './fence.ts';

/** How an attempt ended. */
export interface Ended {
  outcome: 'completed' | 'failed' | 'released' | 'worker_lost' | 'cancelled';
  errorType: string | null;
}

/** A step that was given to a worker over HTTP, in the cache of this server. */
export interface Given {
  readonly step: DispatchedStep;
  readonly workerId: number;
  /** How long its attempt had run when this server first saw it, in milliseconds. */
  readonly ranMs: number;
  /** Settles when its outcome is recorded or rejected (undefined). Undefined if it has not ended. */
  ending?: Promise<Ended | undefined>;
  settle?: (ended: Ended | undefined) => void;
}

/** Options of {@link GivenSteps}. */
export interface GivenStepsOptions {
  engine: Engine;
  reports: StepReports;
  logger: Logger;
}

/**
 * The steps that were given to workers over HTTP, as far as this server has seen them. The list is only a cache:
 * another server, or this server after a restart, reads the steps from the database.
 */
export class GivenSteps {
  readonly cache = new TaskCache();
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #host: StepHost;
  readonly #given = new Map<string, Given>();

  constructor({ engine, reports, logger }: GivenStepsOptions) {
    this.#engine = engine;
    this.#logger = logger;
    const restart = (step: DispatchedStep) => void this.#restart(step);
    this.#host = {
      keepsLogs: false,
      logger: moduleLogger(logger, 'handlers'),
      event: stepEvent,
      ...stepProgress(engine, { restart }),
      begins: (step) => {
        if (!step.started) reports.begun(step);
      },
      isolated: (_step, handler) => handler,
      calls: () => undefined,
      called: () => undefined,
      within: undefined,
    };
  }

  async #restart(step: DispatchedStep): Promise<void> {
    try {
      await this.#engine.httpWorkers.restartTimeout(step);
    } catch (error) {
      this.#logger.warn({ error: messageOf(error), step: step.name }, 'timeout of a step not restarted');
    }
  }

  get size(): number {
    return this.#given.size;
  }

  get(key: HeldKey): Given | undefined {
    return this.#given.get(keyOf(key));
  }

  /** Returns the entry for the step whose attempt ended. */
  of({ step }: Pick<AttemptEnd, 'step'>): Given | undefined {
    return this.get(step);
  }

  /** Adds steps whose templates are loaded. Known steps are not changed. */
  hold(rows: readonly (AdoptedStepRow & { ranMs?: number })[]): Given[] {
    return rows.map((row) => {
      const known = this.get(row);
      if (known) return known;
      const task = this.cache.take(row, this.#engine.templates.get(row.templateId));
      const step = new DispatchedStep(task, row, row.claim, this.#host);
      if (row.ranMs !== undefined) step.firstStartedAt = performance.now() - row.ranMs;
      this.cache.hold(task, row.idx);
      const given = { step, workerId: incarnationOf(row.claim), ranMs: row.ranMs ?? 0 };
      this.#given.set(keyOf(row), given);
      return given;
    });
  }

  /** Returns the steps that are still held. Steps that are not in the cache are read from the database. */
  async find(attempts: readonly Attempt[]): Promise<void> {
    const unknown = attempts.filter((attempt) => !this.get(attempt));
    if (unknown.length === 0) return;
    const rows = await this.#engine.httpWorkers.rows(unknown);
    const unreadable = await this.#engine.templates.load(rows.map((row) => row.templateId));
    const found = this.hold(rows.filter((row) => !unreadable.has(row.templateId)));
    const lacking = found.map(({ step }) => step).filter((step) => step.lacksDetails);
    if (lacking.length > 0) await loadDetails(this.#engine, lacking);
  }

  /** Loads the data that steps need before they are given to a worker. */
  async hydrate(given: readonly Given[]): Promise<void> {
    const steps = given.map(({ step }) => step);
    await Promise.all([
      steps.some((step) => step.lacksDetails) && loadDetails(this.#engine, steps),
      this.cache.load(this.#engine, steps, DEFAULTS.dependencyBytes),
    ]);
  }

  /** Removes a step from the cache. Its row in the database is deleted separately. */
  forget({ step }: Given): void {
    if (this.#given.delete(keyOf(step))) this.cache.forget(step.task, step.idx);
  }

  /** Removes all steps of workers from the cache, except for those whose outcome is being recorded. */
  forgetWorkers(gone: (workerId: number) => boolean): void {
    for (const given of this.#given.values()) if (!given.ending && gone(given.workerId)) this.forget(given);
  }
}

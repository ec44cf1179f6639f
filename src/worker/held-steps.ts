import { DEFAULTS } from '../config/defaults.ts';
import type { ClaimedStepRow, Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import { backOff } from '../time/back-off.ts';
import type { DispatchChannel } from './dispatch-channel.ts';
import { DispatchedStep, type DispatchedStepRow, type StepHost } from './dispatched-step.ts';
import { type Incarnation, incarnationOf } from './lease/incarnation.ts';
import type { LoopWatch } from './lease/loop-watch.ts';
import type { Deadlines, Slots, Stopping } from './running-steps.ts';
import { stepEvent } from './step-event.ts';
import { loadDetails, stepProgress } from './step-progress.ts';
import type { StepReports } from './step-reports.ts';
import type { StepTraces } from './step-traces.ts';
import type { CachedTask, TaskCache } from './task-cache.ts';
import type { Isolation } from './threads/isolation.ts';
import type { MissingHandlers } from './unrunnable-steps.ts';

/** Each poll verifies that the steps of handlers that run for longer than this are still held. */
const LONG_RUNNING_MS = 2_000;
const NONE_UNREADABLE: ReadonlyMap<number, Error> = new Map();

export interface HeldStepsOptions {
  /** The held steps. Other parts of the worker read this set. */
  steps: Set<DispatchedStep>;
  engine: Engine;
  cache: TaskCache;
  slots: Slots;
  stopping: Stopping;
  deadlines: Deadlines;
  isolation: Isolation;
  reports: StepReports;
  traces: StepTraces | undefined;
  incarnation: Incarnation;
  loop: LoopWatch;
  missing: MissingHandlers;
  channel: DispatchChannel | undefined;
  logger: Logger;
  keepsLogs: boolean;
}

/**
 * The steps that a worker holds, from the claim until their outcome is acknowledged or they are taken away. Loads the
 * data that steps need before they start: templates, results of earlier steps, checkpoints.
 */
export class HeldSteps {
  readonly #options: HeldStepsOptions;
  readonly #steps: Set<DispatchedStep>;
  readonly #host: StepHost;

  constructor(options: HeldStepsOptions) {
    this.#options = options;
    this.#steps = options.steps;
    this.#host = stepHost(options);
  }

  get size(): number {
    return this.#steps.size;
  }

  [Symbol.iterator](): Iterator<DispatchedStep> {
    return this.#steps.values();
  }

  hold(task: CachedTask, row: DispatchedStepRow, claim: number): DispatchedStep {
    const { cache, incarnation } = this.#options;
    const step = new DispatchedStep(task, row, claim, this.#host);
    cache.hold(task, row.idx);
    incarnation.hold(claim);
    this.#steps.add(step);
    return step;
  }

  /** Removes a step whose outcome was acknowledged or rejected, or that was taken away. */
  forget(step: DispatchedStep): void {
    if (!this.#steps.delete(step)) return;
    const { traces, incarnation, cache } = this.#options;
    traces?.forget(step);
    incarnation.forget(step.claim);
    cache.forget(step.task, step.idx);
  }

  /** Stops waiting for an ended step, even if its handler still runs. */
  drop(step: DispatchedStep): void {
    this.#options.isolation.over(step);
    this.#options.channel?.over(step);
  }

  // ---- load the data that steps need before they start

  /**
   * Loads the templates of claimed steps. Returns, by template, the reasons why some cannot be read. Returns undefined
   * if the worker stopped before the database responded.
   */
  async templates(rows: readonly ClaimedStepRow[]): Promise<ReadonlyMap<number, Error> | undefined> {
    const { templates } = this.#options.engine;
    if (rows.every((row) => templates.isCurrent(row.templateId))) return NONE_UNREADABLE;
    return this.#untilItSucceeds('templates of claimed steps not read; retrying', () =>
      templates.load(rows.map((row) => row.templateId)),
    );
  }

  /** Returns whether something must be loaded before a step can start. */
  lacks(step: DispatchedStep): boolean {
    return !this.#options.cache.ready(step) || step.lacksDetails;
  }

  /**
   * Loads the data that these steps lack, and calls `start` with the steps that can start. The results that a step
   * reads may not fit in memory together with those of other steps. They are then loaded again when there is room.
   */
  async hydrate(steps: readonly DispatchedStep[], start: (steps: readonly DispatchedStep[]) => void): Promise<void> {
    const { engine, cache } = this.#options;
    await this.#untilItSucceeds('results of earlier steps not read; retrying', () =>
      Promise.all([
        steps.some((step) => step.lacksDetails) && loadDetails(engine, steps),
        cache.load(engine, steps, DEFAULTS.dependencyBytes),
      ]),
    );
    const later = new Set(steps.filter((step) => this.#mustWait(step)));
    if (later.size > 0) void this.#hydrateLater([...later], start);
    start(steps.filter((step) => !later.has(step)));
  }

  /** Returns whether the step's results fit in memory alone, but not together with the results of earlier steps. */
  #mustWait(step: DispatchedStep): boolean {
    const { cache, stopping } = this.#options;
    if (step.over || stopping.begun || !cache.lacks(step)) return false;
    return cache.sizeFor(step) <= DEFAULTS.dependencyBytes;
  }

  async #hydrateLater(steps: readonly DispatchedStep[], start: (steps: readonly DispatchedStep[]) => void) {
    while (this.#options.slots.crowded && !this.#options.stopping.begun) await backOff(0);
    await this.hydrate(steps, start);
  }

  /** Repeats `load` until it succeeds. Returns undefined if the worker stopped before that. */
  async #untilItSucceeds<T>(failing: string, load: () => Promise<T>): Promise<T | undefined> {
    for (let tries = 0; ; tries++) {
      try {
        return await load();
      } catch (error) {
        if (tries === 0) this.#options.logger.warn({ error: messageOf(error) }, failing);
        if (this.#options.stopping.begun) return undefined;
        await backOff(tries);
      }
    }
  }

  // ---- verify that they are still held

  /** Called when these incarnations were declared dead. Other workers may have their steps. */
  lost(incarnations: readonly number[]): void {
    for (const step of this.#steps) {
      if (incarnations.includes(incarnationOf(step.claim)) && !step.over) this.#takenAway(step, 'lease_lost');
    }
  }

  /** Called when an operator acted on a task. Verifies which of its steps are still held. */
  checkTask(taskUuid: string): void {
    void this.#checkMatching((step) => step.taskUuid === taskUuid);
  }

  /** Verifies steps that have been running for a while, because a notification may be lost. */
  checkLongRunning(): void {
    const before = performance.now() - LONG_RUNNING_MS;
    void this.#checkMatching((step) => step.startedAt < before && !step.over && !step.ended);
  }

  async #checkMatching(chosen: (step: DispatchedStep) => boolean): Promise<void> {
    const steps = [...this.#steps].filter(chosen);
    if (steps.length > 0) await this.check(steps);
  }

  /**
   * Asks the database which steps are still held. Omits a step whose outcome is with the recorder, because it may
   * already be recorded, with children that this worker holds. Returns false if the database did not respond.
   */
  async check(steps: readonly DispatchedStep[]): Promise<boolean> {
    const { engine, incarnation, logger } = this.#options;
    try {
      const held = await engine.held(steps);
      steps.forEach((step, i) => {
        if (held.has(i) || step.over || step.ended || !this.#steps.has(step)) return;
        // Without a recent heartbeat, an expired lease is the more likely reason.
        this.#takenAway(step, incarnation.sure ? 'cancelled' : 'lease_lost');
      });
      return true;
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'held steps not verified');
      return false;
    }
  }

  #takenAway(step: DispatchedStep, why: 'cancelled' | 'lease_lost'): void {
    step.end(why);
    this.#options.deadlines.delete(step);
    this.#options.missing.delete(step);
    this.forget(step);
    this.drop(step);
  }
}

/** Creates the services that steps call while they run. */
function stepHost(options: HeldStepsOptions): StepHost {
  const { engine, logger, cache, deadlines, isolation, reports, loop, traces, keepsLogs } = options;
  const most = DEFAULTS.dependencyBytes;
  return {
    keepsLogs,
    logger: moduleLogger(logger, 'handlers'),
    event: stepEvent,
    ...stepProgress(engine, deadlines),
    begins: (step) => {
      if (!step.started) reports.begun(step);
      traces?.begun(step);
      step.lazy = !cache.surelyWithin(step, most) && cache.sizeFor(step) > most;
    },
    isolated: (step, handler) => isolation.handlerFor(step, handler),
    calls: (step) => loop.calls(step),
    called: (step, from) => loop.called(step, from),
    within: traces && ((step, call) => traces.run(step, call)),
  };
}

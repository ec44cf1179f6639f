import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { Deadlines } from './deadlines.ts';
import type { DispatchChannel } from './dispatch-channel.ts';
import { DispatchedStep, type DispatchedStepRow, type StepHost } from './dispatched-step.ts';
import { type Incarnation, incarnationOf } from './lease/incarnation.ts';
import type { MissingHandlers } from './missing-handlers.ts';
import type { StepTraces } from './step-traces.ts';
import type { CachedTask, TaskCache } from './task-cache.ts';
import type { Isolation } from './threads/isolation.ts';

/** A handler that runs for this long is verified to be still held at each poll. */
const LONG_RUNNING_MS = 2_000;

export interface HeldStepsOptions {
  host: StepHost;
  engine: Engine;
  cache: TaskCache;
  incarnation: Incarnation;
  deadlines: Deadlines;
  missing: MissingHandlers;
  isolation: Isolation;
  channel: DispatchChannel | undefined;
  traces: StepTraces | undefined;
  logger: Logger;
}

/** The steps that a worker holds, from the claim until their outcome is acknowledged or they are taken away. */
export class HeldSteps {
  readonly #options: HeldStepsOptions;
  readonly #steps: Set<DispatchedStep>;

  /** `steps`: the set in which they are kept, so that others can read it. */
  constructor(steps: Set<DispatchedStep>, options: HeldStepsOptions) {
    this.#steps = steps;
    this.#options = options;
  }

  get size(): number {
    return this.#steps.size;
  }

  [Symbol.iterator](): Iterator<DispatchedStep> {
    return this.#steps.values();
  }

  hold(task: CachedTask, row: DispatchedStepRow, claim: number): DispatchedStep {
    const { cache, incarnation, host } = this.#options;
    const step = new DispatchedStep(task, row, claim, host);
    cache.hold(task);
    incarnation.hold(claim);
    this.#steps.add(step);
    return step;
  }

  /** Its outcome was acknowledged or refused, or it was taken away. */
  letGo(step: DispatchedStep): void {
    if (!this.#steps.delete(step)) return;
    const { traces, incarnation, cache } = this.#options;
    traces?.letGo(step);
    incarnation.letGo(step.claim);
    cache.letGo(step.task);
  }

  /** Stops waiting for a step that is over, whatever its handler still does. */
  drop(step: DispatchedStep): void {
    this.#options.isolation.over(step);
    this.#options.channel?.over(step);
  }

  /** These incarnations were declared dead: other workers may have their steps. */
  lost(incarnations: readonly number[]): void {
    for (const step of this.#steps) {
      if (incarnations.includes(incarnationOf(step.claim)) && !step.over) this.#takenAway(step, 'lease_lost');
    }
  }

  /** An operator acted on a task: finds out which of its steps are still held. */
  checkTask(taskUuid: string): void {
    void this.#checkThose((step) => step.taskUuid === taskUuid);
  }

  /** Verifies the steps that run for long, because a notification may be lost. */
  checkLongRunning(): void {
    const before = performance.now() - LONG_RUNNING_MS;
    void this.#checkThose((step) => step.startedAt < before && !step.over && !step.ended);
  }

  async #checkThose(chosen: (step: DispatchedStep) => boolean): Promise<void> {
    const steps = [...this.#steps].filter(chosen);
    if (steps.length > 0) await this.check(steps);
  }

  /**
   * Asks the database which steps are still held. A step whose outcome is with the recorder is left to that: it may be
   * recorded already, with children that are ours. False: there was no answer.
   */
  async check(steps: readonly DispatchedStep[]): Promise<boolean> {
    const { engine, incarnation, logger } = this.#options;
    try {
      const held = await engine.held(steps);
      steps.forEach((step, i) => {
        if (held.has(i) || step.over || step.ended || !this.#steps.has(step)) return;
        // After a time without a heartbeat, the lease is the more likely reason.
        this.#takenAway(step, incarnation.sure ? 'cancelled' : 'lease_lost');
      });
      return true;
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'verifying held steps failed');
      return false;
    }
  }

  #takenAway(step: DispatchedStep, why: 'cancelled' | 'lease_lost'): void {
    step.end(why);
    this.#options.deadlines.delete(step);
    this.#options.missing.delete(step);
    this.letGo(step);
    this.drop(step);
  }
}

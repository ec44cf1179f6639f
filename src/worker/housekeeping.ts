import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';

/** Between looks for stale tasks. */
const LIFECYCLE_MS = 30_000;
/** Between looks for workers that are long gone. */
const FORGET_MS = 3_600_000;

/** What any worker does for all: takes back the steps of dead workers, ends stale tasks, and keeps tables short. */
export class Housekeeping {
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #leaseMs: number;
  #claims = 0;
  #lifecycleAt = Number.NEGATIVE_INFINITY;
  #endingStale = false;
  #forgotAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(engine: Engine, leaseMs: number, logger: Logger) {
    this.#engine = engine;
    this.#leaseMs = leaseMs;
    this.#logger = logger;
  }

  /** The queue was taken from. */
  claimed(): void {
    this.#claims++;
  }

  /** Takes back steps of workers whose lease is over; answers whether there were any. */
  async sweep(): Promise<boolean> {
    try {
      const { lost, steps } = await this.#engine.sweep(this.#leaseMs);
      if (lost.length > 0) {
        this.#logger.warn(
          {
            dead_workers: lost.map(({ id }) => id),
            names: lost.map(({ name }) => name),
            steps: steps.length,
            in_error: steps.filter((step) => step.state === 'error').length,
          },
          'workers were lost; their steps were taken back',
        );
      }
      return steps.length > 0;
    } catch (error) {
      // A stop closes the connections; whoever is left takes those steps back.
      if (this.#stopped) return false;
      this.#logger.warn(
        { error: messageOf(error) },
        'taking back steps of lost workers failed; trying again at the next heartbeat',
      );
      return false;
    }
  }

  /** What has its time, when that has come. */
  async look(): Promise<void> {
    await Promise.all([this.#tidyQueue(), this.#endStale(), this.#forgetWorkers()]);
  }

  /** Begins nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Limits are minutes; looking twice a minute is enough. */
  async #endStale(): Promise<void> {
    if (this.#endingStale || performance.now() - this.#lifecycleAt < LIFECYCLE_MS) return;
    this.#lifecycleAt = performance.now();
    this.#endingStale = true;
    try {
      for await (const { ended, noted } of this.#engine.endStale()) {
        for (const { taskUuid, reason } of ended) {
          this.#logger.warn({ task_uuid: taskUuid, state: 'error', reason }, 'task error: its lifecycle ended it');
        }
        for (const { taskUuid, reason } of noted) {
          this.#logger.warn({ task_uuid: taskUuid, reason }, 'task is stale: its lifecycle noted it for an operator');
        }
        if (this.#stopped) break;
      }
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'looking for stale tasks did not get through; trying again');
    } finally {
      this.#endingStale = false;
    }
  }

  async #forgetWorkers(): Promise<void> {
    if (performance.now() - this.#forgotAt < FORGET_MS) return;
    this.#forgotAt = performance.now();
    try {
      await this.#engine.forgetWorkers();
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'clearing away workers that are long gone did not get through');
    }
  }

  /** Only who works on the queue looks after it. */
  async #tidyQueue(): Promise<void> {
    if (this.#claims === 0) return;
    this.#claims = 0;
    try {
      if (await this.#engine.tidyQueue()) this.#logger.debug('the queue was mostly dead rows; it was written anew');
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'looking after the queue did not get through');
    }
  }
}

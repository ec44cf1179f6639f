import { DEFAULTS } from '../config/defaults.ts';
import type { ClaimedStepRow, Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { backOff } from '../time/back-off.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import type { Slots, Stopping } from './slots.ts';
import { loadDetails } from './step-progress.ts';
import type { TaskCache } from './task-cache.ts';

export interface HydrationOptions {
  engine: Engine;
  cache: TaskCache;
  slots: Slots;
  stopping: Stopping;
  logger: Logger;
}

/** Loads what steps need before they start: templates, results of earlier steps, checkpoints. */
export class Hydration {
  readonly #options: HydrationOptions;

  constructor(options: HydrationOptions) {
    this.#options = options;
  }

  /** Loads the templates of claimed steps; returns why some can't be read. Undefined: the worker stops before that. */
  async templates(rows: readonly ClaimedStepRow[]): Promise<ReadonlyMap<number, Error> | undefined> {
    const { templates } = this.#options.engine;
    if (rows.every((row) => templates.has(row.templateId))) return NONE_UNREADABLE;
    return this.#untilItSucceeds("templates of claimed steps can't be read; trying again", () =>
      templates.load(rows.map((row) => row.templateId)),
    );
  }

  /** Whether something must be loaded before a step can start. */
  lacks(step: DispatchedStep): boolean {
    return !this.#options.cache.ready(step) || step.lacksDetails;
  }

  /**
   * Loads what these steps lack, and passes on those that can start. A step may read results that did not fit in memory
   * beside those of the others; it is loaded again when there is room.
   */
  async hydrate(steps: readonly DispatchedStep[], start: (steps: readonly DispatchedStep[]) => void): Promise<void> {
    const { engine, cache } = this.#options;
    await this.#untilItSucceeds("results of earlier steps can't be read; trying again", () =>
      Promise.all([
        steps.some((step) => step.lacksDetails) && loadDetails(engine, steps),
        cache.load(engine, steps, DEFAULTS.dependencyBytes),
      ]),
    );
    const later = new Set(steps.filter((step) => this.#mustWait(step)));
    if (later.size > 0) void this.#hydrateLater([...later], start);
    start(steps.filter((step) => !later.has(step)));
  }

  /** Its results did not fit beside those of the steps before it. Alone they do. */
  #mustWait(step: DispatchedStep): boolean {
    const { cache, stopping } = this.#options;
    if (step.over || stopping.begun || !cache.lacks(step)) return false;
    return cache.sizeFor(step) <= DEFAULTS.dependencyBytes;
  }

  async #hydrateLater(steps: readonly DispatchedStep[], start: (steps: readonly DispatchedStep[]) => void) {
    while (this.#options.slots.crowded && !this.#options.stopping.begun) await backOff(0);
    await this.hydrate(steps, start);
  }

  /** Undefined: the worker stops. */
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
}

const NONE_UNREADABLE: ReadonlyMap<number, Error> = new Map();

import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';

/** The longest time that a timer of Node.js can wait. */
const LONGEST_MS = 2 ** 31 - 1;
/** Pause after a run that fired no schedule. */
const HELD_MS = 100;
/** Pause after a failure. */
const FAILED_MS = 1_000;

/** Fires schedules when they are due. Every worker does this; the database decides which worker handles a due time. */
export class ScheduleTimer {
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #fired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  /** Delays the next run after a run that fired nothing, because another process holds the schedules. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #firing: Promise<void> | undefined;
  #stopped = false;

  /** `fired` is called after each run. The callback polls, so that the worker finds new steps and the next due time. */
  constructor(engine: Engine, logger: Logger, fired: () => void) {
    this.#engine = engine;
    this.#logger = logger;
    this.#fired = fired;
  }

  /** Sets the timer for a schedule that is due in `delayMs`. */
  dueIn(delayMs: number): void {
    const now = performance.now();
    const delay = Math.min(Math.max(0, this.#notBefore - now, Math.ceil(delayMs)), LONGEST_MS);
    const at = now + delay;
    if (this.#stopped || this.#firing || at >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => {
      this.#firing = this.#fire().finally(() => {
        this.#firing = undefined;
        if (!this.#stopped) this.#fired();
      });
    }, delay);
  }

  async #fire(): Promise<void> {
    this.#dueAt = Number.POSITIVE_INFINITY;
    try {
      const { passed, tasks } = await this.#engine.schedules.fire();
      if (passed === 0) this.#notBefore = performance.now() + HELD_MS;
      if (tasks > 0) this.#logger.debug({ tasks }, 'scheduled tasks created');
    } catch (error) {
      if (!this.#stopped) this.#logger.warn({ error: messageOf(error) }, 'firing of schedules failed; retrying');
      await new Promise((resolve) => setTimeout(resolve, FAILED_MS));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#firing;
  }
}

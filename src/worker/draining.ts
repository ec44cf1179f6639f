import type { WorkerPhase } from '../engine/engine.ts';
import type { Logger } from '../logging/logger.ts';
import type { Slots, Stopping } from './running-steps.ts';

/** How often a draining worker checks whether it still holds a step. */
const CHECK_MS = 100;

/** Options of {@link Draining}. */
export interface DrainingOptions {
  slots: Slots;
  stopping: Stopping;
  /** Returns whether the worker holds no step and is not about to receive one. */
  isIdle(): boolean;
  /** Releases the steps that wait for a handler. */
  release(): void;
  /** Called when the worker takes steps again. */
  resumed(): void;
  /** Called when the phase changed, so that it is reported to other processes. */
  changed(): void;
  logger: Logger;
}

/**
 * Stops a worker from taking steps while an operator wants it drained. Its running steps finish, and their children are
 * left to other workers. The request is in the worker's row, so a lost notification only delays it until the next
 * heartbeat.
 */
export class Draining {
  readonly #options: DrainingOptions;
  #wanted = false;
  #drained = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DrainingOptions) {
    this.#options = options;
  }

  get phase(): WorkerPhase {
    if (!this.#wanted) return this.#options.stopping.begun ? 'draining' : 'running';
    return this.#drained ? 'drained' : 'draining';
  }

  /** Called when an operator wants the worker drained, or no longer does. */
  want(wanted: boolean): void {
    if (wanted === this.#wanted || this.#options.stopping.begun) return;
    const { slots, logger, release, resumed, changed } = this.#options;
    this.#wanted = wanted;
    this.#drained = false;
    slots.paused = wanted;
    if (wanted) {
      logger.info({ running: slots.running }, 'draining: no longer taking steps, on request of an operator');
      release();
      this.#check();
      if (!this.#drained) {
        this.#timer = setInterval(() => this.#check(), CHECK_MS);
        this.#timer.unref();
      }
    } else {
      clearInterval(this.#timer);
      logger.info('taking steps again, on request of an operator');
      resumed();
    }
    changed();
  }

  #check(): void {
    if (this.#drained || !this.#options.isIdle()) return;
    this.#drained = true;
    const isLater = this.#timer !== undefined;
    this.stop();
    this.#options.logger.info('drained: this worker no longer holds steps');
    if (isLater) this.#options.changed();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

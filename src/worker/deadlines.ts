import type { HeldStep } from './held-step.ts';

/** One timer for the timeouts of all running steps: a timer a step would cost more than most handlers. */
export class Deadlines {
  readonly #held: () => Iterable<HeldStep>;
  readonly #expired: (step: HeldStep) => void;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** `held`: all steps that may have a deadline; a list of our own would cost each step more than a look costs all. */
  constructor(held: () => Iterable<HeldStep>, expired: (step: HeldStep) => void) {
    this.#held = held;
    this.#expired = expired;
  }

  /** `timeoutMs` from now; 0: never. */
  add(step: HeldStep, timeoutMs: number): void {
    if (timeoutMs <= 0) return;
    step.deadline = performance.now() + timeoutMs;
    if (step.deadline < this.#timerAt) this.#set(step.deadline);
  }

  delete(step: HeldStep): void {
    step.deadline = Number.POSITIVE_INFINITY;
  }

  #set(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#ring(), Math.min(Math.max(0, Math.ceil(at - performance.now())), 2 ** 31 - 1));
    this.#timer.unref();
  }

  #ring(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const step of this.#held()) {
      if (step.deadline <= now) {
        this.delete(step);
        this.#expired(step);
      } else if (step.deadline < next) next = step.deadline;
    }
    if (next < this.#timerAt) this.#set(next);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

import type { HeldStep } from './held-step.ts';

/** One timer for the timeouts of all running steps: a timer a step would cost more than most handlers. */
export class Deadlines {
  readonly #expired: (step: HeldStep) => void;
  readonly #steps = new Set<HeldStep>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(expired: (step: HeldStep) => void) {
    this.#expired = expired;
  }

  /** `timeoutMs` from now; 0: never. */
  add(step: HeldStep, timeoutMs: number): void {
    if (timeoutMs <= 0) return;
    step.deadline = performance.now() + timeoutMs;
    this.#steps.add(step);
    if (step.deadline < this.#timerAt) this.#set(step.deadline);
  }

  delete(step: HeldStep): void {
    this.#steps.delete(step);
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
    for (const step of this.#steps) {
      if (step.deadline <= now) {
        this.#steps.delete(step);
        this.#expired(step);
      } else if (step.deadline < next) next = step.deadline;
    }
    if (next < this.#timerAt) this.#set(next);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#steps.clear();
  }
}

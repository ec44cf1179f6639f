import type { DispatchedStep } from './dispatched-step.ts';

export interface DeadlinesOptions {
  /** All steps that may have a deadline. A list of its own would cost each step more than a look costs all. */
  held: Iterable<DispatchedStep>;
  /** For steps without `timeout_seconds`, in milliseconds; 0: none. */
  handlerTimeoutMs: number;
  expired(step: DispatchedStep): void;
}

/** One timer for the timeouts of all running steps: a timer a step would cost more than most handlers. */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
  }

  /** Milliseconds that its handler may take; 0: no limit. */
  timeoutMs({ template: { timeoutSeconds }, delivery }: DispatchedStep): number {
    return timeoutSeconds === null ? (delivery?.timeoutMs ?? this.#options.handlerTimeoutMs) : timeoutSeconds * 1000;
  }

  /** Starts its time. */
  start(step: DispatchedStep): void {
    const timeoutMs = this.timeoutMs(step);
    if (timeoutMs <= 0) return;
    step.deadline = performance.now() + timeoutMs;
    if (step.deadline < this.#timerAt) this.#set(step.deadline);
  }

  /** Gives it its whole time again, for example after it saved its progress. */
  restart(step: DispatchedStep): void {
    if (step.over || step.ended) return;
    this.delete(step);
    this.start(step);
  }

  delete(step: DispatchedStep): void {
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
    for (const step of this.#options.held) {
      if (step.deadline <= now) {
        this.delete(step);
        this.#options.expired(step);
      } else if (step.deadline < next) next = step.deadline;
    }
    if (next < this.#timerAt) this.#set(next);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

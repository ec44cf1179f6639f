import type { DispatchedStep } from './dispatched-step.ts';

// The limits of running steps: slots, timeouts, and the shutdown of their worker.

/** Maximum bytes of contexts and results in memory. Beyond this, no slot is free. */
const MEMORY_BOUND = 256 * 1024 * 1024;
/**
 * Number of unrecorded steps that are allowed in addition to the running steps. Enough to keep the recorder's lanes
 * full.
 */
const HELD_AHEAD = 1_500;

/** The slots of a worker: running steps take one each, and claims reserve them. */
export class Slots {
  readonly #concurrency: number;
  readonly #memory: { readonly bytes: number };
  readonly #steps = new Set<Pick<DispatchedStep, 'over'>>();
  #capacity: number;
  #reserved = 0;
  #closed = false;
  /** No slot is free while this is set. */
  paused = false;
  #whenIdle: (() => void) | undefined;
  #cutWait: (() => void) | undefined;

  /** `memory`: the size of the contexts and results of tasks. */
  constructor(concurrency: number, memory: { readonly bytes: number }) {
    this.#concurrency = concurrency;
    this.#capacity = concurrency;
    this.#memory = memory;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Number of steps that take a slot. */
  get running(): number {
    return this.#steps.size;
  }

  /** Number of slots whose attempt is over, for example after a timeout, while the handler has not settled. */
  get hung(): number {
    let hung = 0;
    for (const step of this.#steps) if (step.over !== undefined) hung++;
    return hung;
  }

  /** Changes the number of slots: `most`, but not more than the concurrency. */
  resize(most: number): void {
    this.#capacity = Math.min(this.#concurrency, most);
  }

  /** Number of slots that are neither taken nor reserved. Can be negative after a resize. */
  get free(): number {
    if (this.#closed || this.paused || this.crowded) return 0;
    return this.#capacity - this.#steps.size - this.#reserved;
  }

  /** Whether memory is full and running steps will free some. */
  get crowded(): boolean {
    return this.#memory.bytes > MEMORY_BOUND && this.#steps.size > 0;
  }

  /**
   * Maximum number of steps for the next claim. Unrecorded outcomes are subtracted, because their children will need
   * slots. If a claim took those slots, the children would go through the queue and lose the results that are cached
   * here.
   */
  roomToClaim(unrecorded: number): number {
    return Math.min(this.free, this.#concurrency + HELD_AHEAD - this.#steps.size - this.#reserved - unrecorded);
  }

  reserve(count: number): void {
    this.#reserved += count;
  }

  release(count: number): void {
    this.#reserved -= count;
  }

  /** Takes a slot for a step. */
  occupy(step: Pick<DispatchedStep, 'over'>): void {
    this.#steps.add(step);
  }

  /** Frees the slot of a step. */
  vacate(step: Pick<DispatchedStep, 'over'>): void {
    this.#steps.delete(step);
    if (this.#steps.size === 0) this.#whenIdle?.();
  }

  /** Closes the slots. From now on, none is free. */
  close(): void {
    this.#closed = true;
  }

  /** Waits at most `ms` until no step is running. Resolves to false if some still are. */
  idleWithin(ms: number): Promise<boolean> {
    if (this.#steps.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(0, ms));
      const end = (idle: boolean) => {
        clearTimeout(timer);
        resolve(idle);
      };
      this.#whenIdle = () => end(true);
      this.#cutWait = () => end(false);
    });
  }

  /** Ends {@link idleWithin} early. */
  cutWait(): void {
    this.#cutWait?.();
  }
}

/** The progress of a worker's shutdown. */
export class Stopping {
  readonly #begin = new AbortController();
  /** Whether the signals of running handlers fired. Their failures then spend no attempt. */
  aborting = false;
  /**
   * Whether the worker holds steps in the database that it cannot release. These steps are freed when its lease
   * expires.
   */
  leftBehind = false;
  /** Whether the shutdown does not wait for running handlers. */
  hurried = false;

  /** Whether the shutdown has begun. Nothing new is taken then. */
  get begun(): boolean {
    return this.#begin.signal.aborted;
  }

  /** Fires when the shutdown begins. */
  get signal(): AbortSignal {
    return this.#begin.signal;
  }

  begin(): void {
    this.#begin.abort();
  }
}

export interface DeadlinesOptions {
  /** All steps that may have a deadline. Scanning them all is cheaper than keeping a list of the steps that have one. */
  held: Iterable<DispatchedStep>;
  /** Timeout for steps without `timeout_seconds`, in milliseconds; 0 means none. */
  handlerTimeoutMs: number;
  expired(step: DispatchedStep): void;
}

/** The timeouts of all running steps, with one timer, because a timer per step would cost more than most handlers. */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
  }

  /** Returns the timeout of a step in milliseconds, 0 for none. */
  timeoutMs({ template: { timeoutSeconds }, delivery }: DispatchedStep): number {
    return timeoutSeconds === null ? (delivery?.timeoutMs ?? this.#options.handlerTimeoutMs) : timeoutSeconds * 1000;
  }

  /** Starts the timeout of a step. */
  start(step: DispatchedStep): void {
    const timeoutMs = this.timeoutMs(step);
    if (timeoutMs <= 0) return;
    step.deadline = performance.now() + timeoutMs;
    if (step.deadline < this.#timerAt) this.#set(step.deadline);
  }

  /** Starts the timeout again in full, for example after the step saved a checkpoint. */
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

/** Contexts and results that are held in memory at most, before fewer steps are taken at once. */
export const MEMORY_BOUND = 256 * 1024 * 1024;
/** Steps that may wait to be recorded beside those that run: enough to keep the recorder's lanes full. */
const HELD_AHEAD = 1_500;

/** The slots of a worker: running steps take one each, and claims reserve them. */
export class Slots {
  readonly #concurrency: number;
  readonly #memory: { readonly bytes: number };
  #capacity: number;
  #running = 0;
  #reserved = 0;
  #closed = false;
  #whenIdle: (() => void) | undefined;
  #cutWait: (() => void) | undefined;

  /** `memory`: what is held of tasks; beyond a bound, no slot is free. */
  constructor(concurrency: number, memory: { readonly bytes: number }) {
    this.#concurrency = concurrency;
    this.#capacity = concurrency;
    this.#memory = memory;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Steps that take a slot. */
  get running(): number {
    return this.#running;
  }

  /** Changes the number of slots: `most`, but not more than the concurrency. */
  resize(most: number): void {
    this.#capacity = Math.min(this.#concurrency, most);
  }

  /** Slots that are neither taken nor reserved; can be negative after a resize. */
  get free(): number {
    if (this.#closed || this.crowded) return 0;
    return this.#capacity - this.#running - this.#reserved;
  }

  /** Whether memory is full and running steps will free some. */
  get crowded(): boolean {
    return this.#memory.bytes > MEMORY_BOUND && this.#running > 0;
  }

  /**
   * Steps that a claim may take. Outcomes that are not recorded yet count, because their children need slots soon: a
   * claim that takes those sends the children to the queue, from where they come back without the results kept here.
   */
  roomToClaim(unrecorded: number): number {
    return Math.min(this.free, this.#concurrency + HELD_AHEAD - this.#running - this.#reserved - unrecorded);
  }

  reserve(count: number): void {
    this.#reserved += count;
  }

  release(count: number): void {
    this.#reserved -= count;
  }

  /** A step takes a slot. */
  occupy(): void {
    this.#running++;
  }

  /** A step gives its slot back. */
  vacate(): void {
    this.#running--;
    if (this.#running === 0) this.#whenIdle?.();
  }

  /** No slot is free from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Waits until no step runs, `ms` at most; false: some still do. */
  idleWithin(ms: number): Promise<boolean> {
    if (this.#running === 0) return Promise.resolve(true);
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

  /** Ends the wait for idle slots that is under way. */
  cutWait(): void {
    this.#cutWait?.();
  }
}

/** How far the stop of a worker came. */
export class Stopping {
  readonly #begin = new AbortController();
  /** The signals of running handlers fired: their failures spend no attempt. */
  aborting = false;
  /** Steps are held in the database that this worker can't give back: the end of its lease does. */
  leftBehind = false;
  /** Running handlers are not waited for. */
  hurried = false;

  /** Nothing new is taken. */
  get begun(): boolean {
    return this.#begin.signal.aborted;
  }

  /** Fires when the stop begins. */
  get signal(): AbortSignal {
    return this.#begin.signal;
  }

  begin(): void {
    this.#begin.abort();
  }
}

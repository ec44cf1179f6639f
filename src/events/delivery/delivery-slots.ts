/** How many deliveries of a group run at once; who comes first is served first. */
export class DeliverySlots {
  #free: number;
  #closed = false;
  readonly #waiting: ((got: boolean) => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Callers that wait for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for a slot. False: there is none for this caller. */
  take(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a slot back. */
  give(): void {
    const next = this.#waiting.shift();
    if (next) next(true);
    else this.#free++;
  }

  /** Those who wait get none. */
  turnAway(): void {
    for (const answer of this.#waiting.splice(0)) answer(false);
  }

  /** Nobody gets one any more. */
  close(): void {
    this.#closed = true;
    this.turnAway();
  }
}

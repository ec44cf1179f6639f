/** Does something at once when it is wanted, and then no more often than every so many milliseconds, however often that is. */
export class Paced {
  readonly #act: () => Promise<void>;
  readonly #everyMs: number;
  #pause: NodeJS.Timeout | undefined;
  #wanted = false;

  /** @param act must not reject */
  constructor(everyMs: number, act: () => Promise<void>) {
    this.#everyMs = everyMs;
    this.#act = act;
  }

  /** Now, or when the pause since the last time is over. */
  want(): void {
    this.#wanted = true;
    if (!this.#pause) void this.flush();
  }

  /** Now, if it is wanted and not done yet. */
  async flush(): Promise<void> {
    if (!this.#wanted) return;
    this.#wanted = false;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      void this.flush();
    }, this.#everyMs);
    await this.#act();
  }

  /** What is wanted is not done any more. */
  stop(): void {
    this.#wanted = false;
    clearTimeout(this.#pause);
  }
}

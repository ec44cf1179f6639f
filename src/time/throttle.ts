/**
 * Does something at once when it is wanted, and then no more often than every so many milliseconds, however often that is;
 * nor before it is done: what takes long would be under way many times.
 */
export class Throttle {
  readonly #act: () => Promise<void>;
  readonly #everyMs: number;
  #pause: NodeJS.Timeout | undefined;
  #wanted = false;
  #over = false;

  /** @param act must not reject */
  constructor(everyMs: number, act: () => Promise<void>) {
    this.#everyMs = everyMs;
    this.#act = act;
  }

  /** Now, or when the pause since the last time is over. */
  want(): void {
    if (this.#over) return;
    this.#wanted = true;
    if (!this.#pause) void this.flush();
  }

  /** Now, if it is wanted and not done yet. */
  async flush(): Promise<void> {
    if (!this.#wanted) return;
    this.#wanted = false;
    clearTimeout(this.#pause);
    const acted = this.#act();
    const pause = setTimeout(() => void acted.then(() => this.#pauseIsOver(pause)), this.#everyMs);
    this.#pause = pause;
    await acted;
  }

  #pauseIsOver(pause: NodeJS.Timeout): void {
    if (this.#pause !== pause) return;
    this.#pause = undefined;
    void this.flush();
  }

  /** What is wanted is not done any more. */
  stop(): void {
    this.#over = true;
    this.#wanted = false;
    clearTimeout(this.#pause);
  }
}

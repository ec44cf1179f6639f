/**
 * Runs an action immediately on the first request, and then at most once per interval. Only `flush` starts a run while
 * another is in progress.
 */
export class Throttle {
  readonly #act: () => Promise<void>;
  readonly #everyMs: number;
  #pause: NodeJS.Timeout | undefined;
  #wanted = false;
  #over = false;
  /** Resolves when the runs in progress have ended. */
  #acting: Promise<void> = Promise.resolve();

  /** @param act must not reject */
  constructor(everyMs: number, act: () => Promise<void>) {
    this.#everyMs = everyMs;
    this.#act = act;
  }

  /** Requests a run: now, or at the end of the current interval. */
  want(): void {
    if (this.#over) return;
    this.#wanted = true;
    if (!this.#pause) void this.flush();
  }

  /** Runs the action now if a run is pending. Resolves when this run and all earlier runs have ended. */
  async flush(): Promise<void> {
    if (this.#wanted) {
      this.#wanted = false;
      clearTimeout(this.#pause);
      // Drops the values, because each run would keep those of all earlier runs.
      const acting = Promise.all([this.#acting, this.#act()]).then(() => {});
      this.#acting = acting;
      const pause = setTimeout(() => void acting.then(() => this.#pauseIsOver(pause)), this.#everyMs);
      this.#pause = pause;
    }
    await this.#acting;
  }

  #pauseIsOver(pause: NodeJS.Timeout): void {
    if (this.#pause !== pause) return;
    this.#pause = undefined;
    void this.flush();
  }

  /** Drops the pending run. Later requests do nothing. */
  stop(): void {
    this.#over = true;
    this.#wanted = false;
    clearTimeout(this.#pause);
  }
}

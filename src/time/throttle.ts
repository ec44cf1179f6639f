/**
 * Runs an action immediately on the first request, and then at most once per interval. A run does not start before the
 * previous run has ended, so that runs of a slow action do not overlap.
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

  /** Requests a run: now, or at the end of the current interval. */
  want(): void {
    if (this.#over) return;
    this.#wanted = true;
    if (!this.#pause) void this.flush();
  }

  /** Runs the action now if a run is pending. Resolves when it ends. */
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

  /** Drops the pending run. Later requests do nothing. */
  stop(): void {
    this.#over = true;
    this.#wanted = false;
    clearTimeout(this.#pause);
  }
}

/**
 * A one-time signal to stop waiting for running work. Its `AbortSignal` is created only on demand, because that costs more
 * than all other work for an event.
 */
export class Halt {
  #halted = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  readonly #listeners = new Set<() => void>();

  /** Whether it has been halted. */
  get halted(): boolean {
    return this.#halted;
  }

  /** The reason; undefined until it is halted. */
  get reason(): unknown {
    return this.#reason;
  }

  /** Fires when it is halted. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#halted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Halts. Only the first call has an effect. */
  halt(reason: unknown): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /**
   * Calls the listener on the halt, or immediately if the halt has already occurred. Returns a function that removes
   * the listener.
   */
  onHalt(listener: () => void): () => void {
    if (this.#halted) listener();
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

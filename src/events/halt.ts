/**
 * That nobody waits any more for what runs, said once. An `AbortSignal` of it is made for those who ask for one: it would
 * cost more than all else that is done for an event.
 */
export class Halt {
  #halted = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  readonly #listeners = new Set<() => void>();

  /** Whether it was said. */
  get halted(): boolean {
    return this.#halted;
  }

  /** Why; undefined as long as it was not said. */
  get reason(): unknown {
    return this.#reason;
  }

  /** Fires when it is said. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#halted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Says it; what was said first counts. */
  halt(reason: unknown): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /** Calls when it is said, at once if it was; what this answers takes that back. */
  onHalt(listener: () => void): () => void {
    if (this.#halted) listener();
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

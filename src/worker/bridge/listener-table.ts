/** A function that is called with what is published under a name. */
export type AnyListener = (...args: never[]) => unknown;

interface Entry {
  listener: AnyListener;
  once: boolean;
}

/** Who listens to what. One that throws, or whose promise rejects, is reported and disturbs nobody else. */
export class ListenerTable {
  readonly #entries = new Map<string, readonly Entry[]>();
  readonly #failed: (name: string, error: unknown) => void;

  constructor(failed: (name: string, error: unknown) => void) {
    this.#failed = failed;
  }

  add(name: string, listener: AnyListener, { once = false }: { once?: boolean } = {}): void {
    this.#entries.set(name, [...(this.#entries.get(name) ?? []), { listener, once }]);
  }

  /** Takes the listener out that was added last; false when it is not there. */
  remove(name: string, listener: AnyListener): boolean {
    const entries = this.#entries.get(name) ?? [];
    const at = entries.findLastIndex((entry) => entry.listener === listener);
    if (at < 0) return false;
    this.#keep(
      name,
      entries.filter((_, i) => i !== at),
    );
    return true;
  }

  clear(name?: string): void {
    if (name === undefined) this.#entries.clear();
    else this.#entries.delete(name);
  }

  count(name: string): number {
    return this.#entries.get(name)?.length ?? 0;
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  listeners(name: string): AnyListener[] {
    return (this.#entries.get(name) ?? []).map(({ listener }) => listener);
  }

  /** Calls all, in the order in which they were added; false when nobody listens. */
  call(name: string, args: readonly unknown[]): boolean {
    const entries = this.#entries.get(name);
    if (!entries) return false;
    for (const entry of entries) {
      if (entry.once) this.#drop(name, entry);
      try {
        const returned = (entry.listener as (...all: readonly unknown[]) => unknown)(...args);
        if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    }
    return true;
  }

  #drop(name: string, gone: Entry): void {
    this.#keep(
      name,
      (this.#entries.get(name) ?? []).filter((entry) => entry !== gone),
    );
  }

  #keep(name: string, entries: readonly Entry[]): void {
    if (entries.length === 0) this.#entries.delete(name);
    else this.#entries.set(name, entries);
  }
}

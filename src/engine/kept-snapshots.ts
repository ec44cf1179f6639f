/** Number of unused snapshots to keep: as many as one claim can need at once. */
export const MOST_KEPT = 1_000;

/**
 * Snapshots by their ids. The newest ones are kept. Older ones are dropped once no task in this process uses them, so
 * that templates that are registered again and again do not fill the memory.
 */
export class KeptSnapshots<S extends { id: number }> {
  readonly #kept = new Map<number, S>();
  readonly #used = new Map<number, WeakRef<S>>();
  readonly #collected = new FinalizationRegistry<number>((id) => {
    if (this.#used.get(id)?.deref() === undefined) this.#used.delete(id);
  });

  /** Returns a snapshot that is kept or still used. A dropped one that is still used is kept again. */
  get(id: number): S | undefined {
    const kept = this.#kept.get(id);
    if (kept) return kept;
    const used = this.#used.get(id)?.deref();
    if (used) this.put(used);
    return used;
  }

  put(snapshot: S): void {
    // Registered once each time it goes: without this, one that stays in use would be registered without end.
    if (this.#used.delete(snapshot.id)) this.#collected.unregister(snapshot);
    this.#kept.delete(snapshot.id);
    this.#kept.set(snapshot.id, snapshot);
    if (this.#kept.size <= MOST_KEPT) return;
    const oldest = this.#kept.values().next().value!;
    this.#kept.delete(oldest.id);
    this.#used.set(oldest.id, new WeakRef(oldest));
    this.#collected.register(oldest, oldest.id, oldest);
  }
}

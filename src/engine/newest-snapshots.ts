import { MOST_KEPT } from './kept-snapshots.ts';

/** How long the newest registration of a version is remembered; another process may register a new one. */
const FOR_MS = 1_000;

/** What is known of a name and version that was asked for. */
export interface KeptEntry {
  /** Of what is kept now: since it was first kept. */
  ageSeconds: number;
  /** How often it was asked for. */
  uses: number;
}

/** How well a memory does. */
export interface KeptStats {
  cached: number;
  hits: number;
  misses: number;
  /** Number of snapshots that were dropped because there are too many names and versions. */
  evictions: number;
  /** Null: nothing is kept. */
  oldestAgeSeconds: number | null;
  averageUses: number;
}

interface Entry<S> {
  snapshot: S;
  until: number;
  since: number;
  uses: number;
}

/** The newest snapshot of each name and version, for a moment: a task's creation asks the database once in a while only. */
export class NewestSnapshots<S> {
  readonly #entries = new Map<string, Entry<S>>();
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  get(key: string): S | undefined {
    const entry = this.#entries.get(key);
    if (entry) entry.uses++;
    if (entry && entry.until > performance.now()) {
      this.#hits++;
      return entry.snapshot;
    }
    this.#misses++;
    return undefined;
  }

  /** `uses`: how often it was asked for before it was known. */
  put(key: string, snapshot: S, { uses = 0 }: { uses?: number } = {}): void {
    const now = performance.now();
    const before = this.#entries.get(key);
    const until = now + FOR_MS;
    if (before?.snapshot === snapshot) before.until = until;
    else this.#entries.set(key, { snapshot, until, since: now, uses: before?.uses ?? uses });
    if (this.#entries.size <= MOST_KEPT) return;
    this.#entries.delete(this.#entries.keys().next().value!);
    this.#evictions++;
  }

  entry(key: string): KeptEntry | undefined {
    const entry = this.#entries.get(key);
    return entry && { ageSeconds: secondsSince(entry.since), uses: entry.uses };
  }

  get stats(): KeptStats {
    const entries = [...this.#entries.values()];
    const uses = entries.reduce((sum, entry) => sum + entry.uses, 0);
    return {
      cached: entries.length,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      oldestAgeSeconds: entries.length === 0 ? null : Math.max(...entries.map(({ since }) => secondsSince(since))),
      averageUses: entries.length === 0 ? 0 : Math.round((100 * uses) / entries.length) / 100,
    };
  }
}

function secondsSince(at: number): number {
  return Math.round(performance.now() - at) / 1_000;
}

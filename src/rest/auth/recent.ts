import { TaskerError } from '../../errors.ts';

interface Entry<T> {
  at: number;
  value: Promise<T>;
  /** Whether the last lookup that ended found a value. */
  exists: boolean;
}

/** Options of {@link Recent}. */
export interface RecentOptions {
  /** How long a value is used, in milliseconds. */
  freshMs: number;
  /** Maximum number of values. The oldest are evicted first. */
  most: number;
  /**
   * Maximum number of concurrent lookups of keys without a known value. Default: no limit. Callers can invent any number of
   * keys, and repeat them, and each lookup occupies a connection to the database.
   */
  mostNew?: number;
}

/** Values that were looked up recently. Concurrent lookups of a key share one call. A failed lookup is not kept. */
export class Recent<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #options: RecentOptions;
  #newLookups = 0;

  constructor(options: RecentOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns whether {@link get} has a recent value and needs no lookup. */
  has(key: string): boolean {
    const found = this.#entries.get(key);
    return found !== undefined && performance.now() - found.at < this.#options.freshMs;
  }

  /** @throws TaskerError `backpressure` beyond `mostNew` */
  get(key: string, look: () => Promise<T>): Promise<T> {
    const found = this.#entries.get(key);
    const now = performance.now();
    if (found && now - found.at < this.#options.freshMs) return found.value;
    const exists = found?.exists ?? false;
    const entry: Entry<T> = { at: now, value: exists ? look() : this.#lookUpNew(look), exists };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#options.most) this.#entries.delete(this.#entries.keys().next().value!);
    entry.value.then(
      (value) => (entry.exists = value !== undefined),
      () => this.forget(key, entry),
    );
    return entry.value;
  }

  async #lookUpNew(look: () => Promise<T>): Promise<T> {
    const { mostNew = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#newLookups >= mostNew) {
      throw new TaskerError(
        'backpressure',
        `${mostNew} unknown credentials are being verified; try again in a second`,
        {
          details: { retry_after_seconds: 1 },
        },
      );
    }
    this.#newLookups++;
    try {
      return await look();
    } finally {
      this.#newLookups--;
    }
  }

  /** Looks the key up again the next time. */
  forget(key: string, only?: Entry<T>): void {
    if (only === undefined || this.#entries.get(key) === only) this.#entries.delete(key);
  }
}

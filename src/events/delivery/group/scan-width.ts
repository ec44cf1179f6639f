/** Maximum number of ids to scan in one query. */
const WIDEST = 2_000;

/**
 * Number of ids of the log to scan in one query. The width is small for a group that wants all events, and large for a
 * group that wants few events. Scanning an id costs as much as all other database work for a delivery.
 */
export class ScanWidth {
  readonly #narrowest: number;
  #ids: number;

  constructor(narrowest: number) {
    this.#narrowest = narrowest;
    this.#ids = narrowest;
  }

  get ids(): number {
    return this.#ids;
  }

  /** Adjusts the width after a query that found `events` events and could return up to `limit`. */
  found(events: number, limit: number): void {
    if (events >= limit) this.#ids = Math.max(this.#narrowest, Math.floor(this.#ids / 2));
    else if (events * 2 < limit) this.#ids = Math.min(WIDEST, this.#ids * 4);
  }
}

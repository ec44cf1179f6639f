/** Ids that are looked at for one answer, at most. */
const WIDEST = 2_000;

/**
 * How many ids of the log are looked at for one answer: no more than are given out for a group that wants all events, many
 * for one that wants few. Looking at an id costs as much as all else that a delivery asks of the database.
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

  /** So many events were among them, of `limit` that could be given out. */
  found(events: number, limit: number): void {
    if (events >= limit) this.#ids = Math.max(this.#narrowest, Math.floor(this.#ids / 2));
    else if (events * 2 < limit) this.#ids = Math.min(WIDEST, this.#ids * 4);
  }
}

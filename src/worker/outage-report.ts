/** The failed operation: a poll of the queue, which fails only with the connection, or a claim. */
type Kind = 'look' | 'claim';

/** Reports an outage of the database once, however many statements fail during it. */
export class OutageReport {
  readonly #report: (error: unknown) => void;
  readonly #failing = new Set<Kind>();
  #answers = 0;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Statements that were answered. */
  get answers(): number {
    return this.#answers;
  }

  failed(kind: Kind, error: unknown): void {
    const known = this.#failing.size > 0;
    this.#failing.add(kind);
    if (!known) this.#report(error);
  }

  /** Ends the outage when the failed operation is answered. An answered claim shows that a poll would be, too. */
  answered(kind: Kind): void {
    this.#answers++;
    this.#failing.delete('look');
    this.#failing.delete(kind);
  }
}

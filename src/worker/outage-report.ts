/** What failed: looks into the queue, which fail with the connection only, or claims, which may fail for other reasons. */
type Kind = 'look' | 'claim';

/** Reports an outage of the database once, however many statements fail meanwhile. */
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

  /** The outage is over when what failed is answered; a claim that is answered shows that a look would be, too. */
  answered(kind: Kind): void {
    this.#answers++;
    this.#failing.delete('look');
    this.#failing.delete(kind);
  }
}

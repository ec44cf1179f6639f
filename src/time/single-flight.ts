import { waitAtMost } from './wait-at-most.ts';

/** The outcome of a lookup. `ms`: how long it has taken. */
export type Seen<T> =
  | { kind: 'seen'; value: T; ms: number }
  | { kind: 'failed'; error: unknown; ms: number }
  /** The lookup has no result yet, and continues. */
  | { kind: 'silent'; ms: number };

/** A lookup that many callers share. Runs do not overlap, and a result is reused while it is fresh. */
export class SingleFlight<T> {
  readonly #look: () => Promise<T>;
  readonly #freshMs: number;
  #began = Number.NEGATIVE_INFINITY;
  #answer: Promise<Seen<T>> | undefined;
  #over = true;

  constructor(look: () => Promise<T>, { freshMs }: { freshMs: number }) {
    this.#look = look;
    this.#freshMs = freshMs;
  }

  /**
   * Returns the result. Never rejects. `silent`: the lookup has been running for `ms` milliseconds without a result.
   */
  async within(ms: number): Promise<Seen<T>> {
    const age = () => performance.now() - this.#began;
    if (this.#over && age() >= this.#freshMs) this.#begin();
    const answer = this.#answer!;
    if (await waitAtMost(ms - age(), answer)) return answer;
    return { kind: 'silent', ms: age() };
  }

  #begin(): void {
    const began = performance.now();
    this.#began = began;
    this.#over = false;
    const seen = (seen: { kind: 'seen'; value: T } | { kind: 'failed'; error: unknown }): Seen<T> => {
      this.#over = true;
      return { ...seen, ms: performance.now() - began };
    };
    this.#answer = this.#look().then(
      (value) => seen({ kind: 'seen', value }),
      (error: unknown) => seen({ kind: 'failed', error }),
    );
  }
}

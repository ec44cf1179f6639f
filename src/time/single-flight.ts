import { waitAtMost } from './wait-at-most.ts';

/** What a look came to. */
export type Seen<T> =
  | { kind: 'seen'; value: T; ms: number }
  | { kind: 'failed'; error: unknown; ms: number }
  /** There is no answer yet; the look goes on. */
  | { kind: 'silent'; ms: number };

/** A look that many may ask for at once: it is under way once at a time, and what was just seen is not looked at again. */
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

  /** Never rejects. `silent` when the look has been under way for `ms` without an answer. */
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

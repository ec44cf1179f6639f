/** The result of one question, or its error. */
export type Answer<A> = { answer: A } | { error: unknown };

interface Waiting<Q, A> {
  question: Q;
  resolve(answer: A): void;
  reject(error: unknown): void;
}

/** Limits of {@link Together}. */
export interface TogetherLimits {
  /** Maximum number of questions in one call. */
  most: number;
  /** Maximum number of calls at the same time. */
  calls: number;
}

/**
 * Combines many questions into one call. A question is sent immediately if a call is free. Otherwise it is sent with
 * the next call, together with the questions that arrive until then.
 */
export class Together<Q, A> {
  readonly #ask: (questions: Q[]) => Promise<Answer<A>[]>;
  readonly #limits: TogetherLimits;
  readonly #waiting: Waiting<Q, A>[] = [];
  #calls = 0;

  /** `ask` returns a result for each question, in the same order. If `ask` rejects, all its questions reject. */
  constructor(ask: (questions: Q[]) => Promise<Answer<A>[]>, limits: TogetherLimits) {
    this.#ask = ask;
    this.#limits = limits;
  }

  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#calls >= this.#limits.calls || this.#waiting.length === 0) return;
    this.#calls++;
    void this.#call(this.#waiting.splice(0, this.#limits.most)).finally(() => {
      this.#calls--;
      this.#next();
    });
  }

  async #call(asked: Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#ask(asked.map(({ question }) => question));
      asked.forEach(({ resolve, reject }, i) => {
        const answer = answers[i]!;
        if ('error' in answer) reject(answer.error);
        else resolve(answer.answer);
      });
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}

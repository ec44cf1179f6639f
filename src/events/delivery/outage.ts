import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';

/** Says once that something does not get through to the database, however many wait for it, and once that it does again. */
export class Outage {
  readonly #logger: Logger;
  readonly #waiting = new Set<unknown>();
  #failures = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** What `who` asked did not get through. */
  began(who: unknown, error: unknown): void {
    this.#failures++;
    const first = this.#waiting.size === 0;
    this.#waiting.add(who);
    if (first)
      this.#logger.warn(
        { error: messageOf(error) },
        'domain events wait: the log of events cannot be read; trying again',
      );
    else this.#logger.debug({ error: messageOf(error) }, 'the log of events still cannot be read');
  }

  /** The database is there, and refuses what `who` has to write down: nobody goes on asking, but nothing goes on either. */
  refused(who: unknown, error: unknown): void {
    this.#forget(who);
    this.#logger.error(
      { error: messageOf(error) },
      'the database refuses to write down what was delivered; it is delivered again',
    );
  }

  /** What `who` asked got through. */
  ended(who: unknown): void {
    const failures = this.#failures;
    if (this.#forget(who)) this.#logger.info({ failures }, 'the log of events can be read again; domain events go on');
  }

  /** Whether it was the last that waited. */
  #forget(who: unknown): boolean {
    if (!this.#waiting.delete(who) || this.#waiting.size > 0) return false;
    this.#failures = 0;
    return true;
  }
}

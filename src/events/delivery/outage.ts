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

  /** The database is there, and refuses what has to be written down: nobody goes on asking. */
  refused(error: unknown): void {
    this.#logger.error(
      { error: messageOf(error) },
      'the database refuses to write down what was delivered; it is delivered again',
    );
  }

  /** What `who` asked got through. */
  ended(who: unknown): void {
    if (!this.#waiting.delete(who) || this.#waiting.size > 0) return;
    this.#logger.info({ failures: this.#failures }, 'the log of events can be read again; domain events go on');
    this.#failures = 0;
  }
}

import { isConnectionError } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { backOff } from '../../time/back-off.ts';

/** A statement that the database refuses is not repeated for ever. */
const REFUSALS = 5;

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

  /** What `who` asked got through. */
  ended(who: unknown): void {
    const failures = this.#failures;
    if (this.#forget(who)) this.#logger.info({ failures }, 'the log of events can be read again; domain events go on');
  }

  /**
   * Asks until the database answers, however long it is away: what was handled is written down, and not handled again.
   * Undefined: `gone` fired, or the database refuses it.
   */
  async retryUntilAnswered<T>(ask: () => Promise<T>, gone: AbortSignal): Promise<T | undefined> {
    let refused = false;
    const failed = (error: unknown, tries: number): boolean => {
      this.began(ask, error);
      refused = !gone.aborted && tries >= REFUSALS && !isConnectionError(error);
      if (refused) this.#refused(ask, error);
      return !refused;
    };
    const answer = await retryUntilAnswered(ask, gone, failed);
    this.ended(ask);
    return answer;
  }

  /** The database is there, and refuses what `who` has to write down: nobody goes on asking, but nothing goes on either. */
  #refused(who: unknown, error: unknown): void {
    this.#forget(who);
    this.#logger.error(
      { error: messageOf(error) },
      'the database refuses to write down what was delivered; it is delivered again',
    );
  }

  /** Whether it was the last that waited. */
  #forget(who: unknown): boolean {
    if (!this.#waiting.delete(who) || this.#waiting.size > 0) return false;
    this.#failures = 0;
    return true;
  }
}

/**
 * Repeats a query, with back-off, until the database answers. `failed` is called after each failure; `false` gives up, and
 * what it throws is thrown. Returns undefined when it gives up or `gone` fires.
 */
export async function retryUntilAnswered<T>(
  ask: () => Promise<T>,
  gone: AbortSignal,
  failed: (error: unknown, tries: number) => boolean,
): Promise<T | undefined> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!failed(error, tries) || gone.aborted) return undefined;
    }
    await backOff(tries, gone);
  }
}

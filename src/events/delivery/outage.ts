import { isConnectionError } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { backOff } from '../../time/back-off.ts';

/** Number of retries of a statement that the database rejects. */
const REFUSALS = 5;

/** Logs a database outage only once for all callers that wait for it, and logs its end. */
export class Outage {
  readonly #logger: Logger;
  readonly #waiting = new Set<unknown>();
  #failures = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Reports that a query of `who` failed. */
  began(who: unknown, error: unknown): void {
    this.#failures++;
    const first = this.#waiting.size === 0;
    this.#waiting.add(who);
    if (first)
      this.#logger.warn({ error: messageOf(error) }, 'event log not readable, so domain events wait; retrying');
    else this.#logger.debug({ error: messageOf(error) }, 'event log still not readable');
  }

  /** Reports that a query of `who` succeeded. */
  ended(who: unknown): void {
    const failures = this.#failures;
    if (this.#forget(who)) this.#logger.info({ failures }, 'event log readable again; domain events continue');
  }

  /**
   * Repeats a query until the database responds, regardless of the length of the outage, so that results of deliveries
   * are not lost. Returns undefined if `gone` fires, or if the database rejects the query several times.
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

  /** Logs that the database is available but rejects a write of `who`, which is not retried. */
  #refused(who: unknown, error: unknown): void {
    this.#forget(who);
    this.#logger.error(
      { error: messageOf(error) },
      'the database rejected the results of deliveries; the events will be delivered again',
    );
  }

  /** Removes a waiting caller. Returns whether it was the last one. */
  #forget(who: unknown): boolean {
    if (!this.#waiting.delete(who) || this.#waiting.size > 0) return false;
    this.#failures = 0;
    return true;
  }
}

/**
 * Repeats a query, with increasing delays, until the database responds. `failed` is called after each failure and
 * returns false to give up. An error of `failed` rejects the promise. Returns undefined after giving up, or when `gone`
 * fires.
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

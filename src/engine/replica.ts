import { isConnectionError, isSerializationFailure } from '../db/connection-error.ts';
import { Database } from '../db/database.ts';
import type { DatabaseOptions } from '../db/database-options.ts';
import { preferringStandbys } from '../db/driver-config.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { replicaLag } from '../store/server/replica-lag.ts';

/** A standby that lags by more than this is not used. */
const MOST_BEHIND_MS = 30_000;
/** How long a measured delay is used. Its age is added to the delay. */
const KNOWN_MS = 1_000;
const MEASURE_MS = 2_000;

/** A result, and its maximum replication delay in milliseconds. */
export interface Replicated<T> {
  answer: T;
  lagMs: number;
}

/** Runs reads on a standby while its lag is small, otherwise on the primary. */
export class Replica {
  readonly #database: Database;
  readonly #logger: Logger;
  #measured: { lag: Promise<number | undefined>; at: number } | undefined;
  #used = true;

  constructor(options: DatabaseOptions) {
    this.#database = Database.lazily({ ...options, url: preferringStandbys(options.url), directUrl: undefined });
    this.#logger = options.logger;
  }

  async read<T>(primary: Database, run: (database: Database) => Promise<T>): Promise<Replicated<T>> {
    const lagMs = await this.#lag();
    if (lagMs !== undefined) {
      try {
        return { answer: await run(this.#database), lagMs };
      } catch (error) {
        // A standby also cancels a query that conflicts with the replay of changes.
        if (!isConnectionError(error) && !isSerializationFailure(error)) throw error;
        this.#note(messageOf(error));
      }
    }
    return { answer: await run(primary), lagMs: 0 };
  }

  /** Returns the maximum lag that the standby may have now. Undefined if it cannot be used. */
  async #lag(): Promise<number | undefined> {
    const now = performance.now();
    if (!this.#measured || now - this.#measured.at > KNOWN_MS) this.#measured = { lag: this.#measure(), at: now };
    const { lag, at } = this.#measured;
    const measured = await lag;
    return measured === undefined ? undefined : measured + performance.now() - at;
  }

  async #measure(): Promise<number | undefined> {
    try {
      const lag = await replicaLag(this.#database.within(MEASURE_MS));
      if (lag !== null && lag <= MOST_BEHIND_MS) {
        this.#used = true;
        return lag;
      }
      this.#note(lag === null ? 'it has not replayed anything' : `it may be ${Math.round(lag)} ms behind`);
    } catch (error) {
      this.#note(messageOf(error));
    }
    return undefined;
  }

  #note(error: string): void {
    if (this.#used)
      this.#logger.warn({ replica: this.#database.place, error }, 'replica not used; reading from the primary');
    this.#used = false;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { Database } from './database.ts';
import type { Statement } from './statement.ts';

/** What a {@link Listener} calls. */
export interface ListenerEvents {
  /** A notification, from this process or another. */
  onNotify(channel: string, payload: string): void;
  /** LISTEN stands (again): what happened meanwhile was not heard, look once. */
  onCatchUp(): void;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;
const SELF_TEST_CHANNEL = 'tasker_hear';
const SELF_TEST: Statement = { name: 'notify_hearing', text: `notify ${SELF_TEST_CHANNEL}` };
const SELF_TEST_MS = 3_000;
const LISTEN_MS = 10_000;
const GOODBYE_MS = 1_000;

/**
 * Hears notifications on a connection of its own and comes back by itself when that is lost. Through a transaction
 * pooler LISTEN seems to succeed and hears nothing, so it is notified once, over another connection (its own would be
 * answered even then): `hears` tells whether that arrived.
 */
export class Listener {
  readonly #database: Database;
  readonly #channels: readonly string[];
  readonly #events: ListenerEvents;
  readonly #logger: Logger;
  #client: pg.Client | undefined;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;
  #delay = FIRST_DELAY_MS;
  #hears = false;

  constructor(database: Database, channels: readonly string[], events: ListenerEvents, logger: Logger) {
    this.#database = database;
    this.#channels = channels;
    this.#events = events;
    this.#logger = logger;
  }

  /** Whether notifications arrive now; without it, polling must be more frequent. */
  get hears(): boolean {
    return this.#hears;
  }

  /** Connects; a failure is retried in the background, with a growing delay. */
  async start(): Promise<void> {
    try {
      await this.#connect();
      this.#delay = FIRST_DELAY_MS;
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'LISTEN has no connection; polling until it comes back');
      this.#again();
    }
  }

  async #connect(): Promise<void> {
    const client = await this.#database.dedicated();
    if (this.#stopped) return client.end();
    this.#client = client;
    client.on('notification', ({ channel, payload }) => {
      if (channel === SELF_TEST_CHANNEL) this.#hears = true;
      else this.#events.onNotify(channel, payload ?? '');
    });
    client.on('end', () => this.#lost(client));
    try {
      const text = [...this.#channels, SELF_TEST_CHANNEL].map((c) => `listen ${c}`).join('; ');
      await client.query({ text, query_timeout: LISTEN_MS } as pg.QueryConfig);
      await this.#database.query(SELF_TEST);
    } catch (error) {
      await client.end();
      throw error;
    }
    this.#events.onCatchUp();
    setTimeout(() => {
      if (this.#client !== client || this.#hears) return;
      this.#logger.warn(
        'notifications do not arrive: DATABASE_URL seems to be a transaction pooler; set DATABASE_DIRECT_URL for LISTEN, polling until then',
      );
    }, SELF_TEST_MS).unref();
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#hears = false;
    if (!this.#stopped) this.#again();
  }

  #again(): void {
    if (this.#stopped || this.#retry) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.start();
    }, this.#delay);
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#hears = false;
    clearTimeout(this.#retry);
    // Nobody may answer the goodbye; the socket is cut when the database is closed.
    if (this.#client) await Promise.race([this.#client.end(), sleep(GOODBYE_MS, undefined, { ref: false })]);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { Database } from './database.ts';
import type { Statement } from './statement.ts';

/** The callbacks of a {@link Listener}. */
export interface ListenerEvents {
  /** Called for each notification, from this process or another. */
  onNotify(channel: string, payload: string): void;
  /** Called after each LISTEN. Poll once, because notifications sent before it were missed. */
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
 * Receives notifications on its own connection, and reconnects when that is lost. Behind a transaction pooler, LISTEN
 * succeeds but no notification arrives. To detect this, each LISTEN is tested with one notification from another
 * connection. (A notification from its own connection would arrive even then.) `hears` is true once the test
 * notification has arrived.
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

  /** Whether notifications arrive. Otherwise callers must poll more often. */
  get hears(): boolean {
    return this.#hears;
  }

  /** Connects. Retries a failed connection in the background, with increasing delays. */
  async start(): Promise<void> {
    try {
      await this.#connect();
      this.#delay = FIRST_DELAY_MS;
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'LISTEN connection failed; polling until it is restored');
      this.#again();
    }
  }

  async #connect(): Promise<void> {
    const client = await this.#database.dedicated();
    if (this.#stopped) return client.end();
    this.#client = client;
    const { schema } = this.#database;
    client.on('notification', ({ channel, payload }) => {
      const plain = schema.plainChannel(channel);
      if (plain === SELF_TEST_CHANNEL) this.#hears = true;
      else this.#events.onNotify(plain, payload ?? '');
    });
    client.on('end', () => this.#lost(client));
    try {
      const text = [...this.#channels, SELF_TEST_CHANNEL]
        .map((channel) => `listen ${schema.channel(channel)}`)
        .join('; ');
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
        'no notifications received, polling instead; if DATABASE_URL is a transaction pooler, set DATABASE_DIRECT_URL to the server',
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
    // The server may not respond. Closing the database then destroys the socket.
    if (this.#client) await Promise.race([this.#client.end(), sleep(GOODBYE_MS, undefined, { ref: false })]);
  }
}

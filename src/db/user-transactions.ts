import pg from 'pg';
import { TaskerError } from '../errors.ts';
import { isConnectionError } from './connection-error.ts';
import type { Schema } from './schema.ts';
import type { Db, Rows, Statement } from './statement.ts';
import type { UserClient } from './user-client.ts';

/**
 * The transaction of a handler: the driver's client for the handler, and the same connection for statements of tasker.
 */
export interface UserTransaction {
  client: UserClient;
  db: Db;
}

/**
 * Transactions in which handlers write their own rows. They use a separate pool, so that handlers that wait for locks do not
 * keep the worker from recording. Values are parsed by the driver's defaults.
 */
export class UserTransactions {
  readonly #schema: Schema;
  readonly #pool: pg.Pool;
  #places: number;
  readonly #waiting: (() => void)[] = [];

  /** @internal */
  constructor(schema: Schema, config: pg.PoolConfig & { max: number }) {
    this.#schema = schema;
    this.#places = config.max;
    this.#pool = new pg.Pool(config);
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    this.#pool.on('error', () => {});
  }

  /** Waits for a free connection without a timeout, unlike the pool, because many handlers may run long transactions. */
  async #place(): Promise<void> {
    if (this.#places > 0) this.#places--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#places++;
  }

  /**
   * Waits for a connection and runs `work` in a transaction. Commits when `work` returns, rolls back if it throws.
   * @throws TaskerError `record_in_doubt` if the connection was lost during the commit
   */
  async run<T>(work: (transaction: UserTransaction) => Promise<T>): Promise<T> {
    await this.#place();
    try {
      return await this.#onConnection(work);
    } finally {
      this.#leave();
    }
  }

  async #onConnection<T>(work: (transaction: UserTransaction) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin isolation level read committed');
      const result = await work({
        client: client as unknown as UserClient,
        db: statementsOn(client as unknown as UserClient, this.#schema),
      });
      await commit(client);
      return result;
    } catch (error) {
      if (isConnectionError(error)) broken = error as Error;
      else await client.query('rollback').catch((lost: Error) => (broken = lost));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await client.query('commit').catch((error: unknown) => {
    if (!isConnectionError(error)) throw error;
    throw new TaskerError(
      'record_in_doubt',
      'the connection was lost during the commit of the transaction; it may have been committed, so check before you repeat it',
      {
        cause: error,
      },
    );
  });
  if (command === 'COMMIT') return;
  throw new TaskerError(
    'database_error',
    'the transaction was rolled back because one of its statements failed; do not catch the error of a statement, or use a savepoint',
  );
}

/** Runs statements of tasker on a client that the caller owns, whose values are parsed by the driver's defaults. */
export function statementsOn(client: Pick<UserClient, 'query'>, schema: Schema): Db {
  return {
    query: async <Row>(statement: Statement, values: readonly unknown[] = []) =>
      (await client.query(`/* ${statement.name} */ ${schema.textOf(statement)}`, values)) as unknown as Rows<Row>,
  };
}

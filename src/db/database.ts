import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { DEFAULTS } from '../config/defaults.ts';
import { TaskerError } from '../errors.ts';
import type { Histogram } from '../metrics/instrument.ts';
import { type Metrics, silentMetrics } from '../metrics/metrics.ts';
import {
  checkScheme,
  isConnectionError,
  isSerializationFailure,
  lostStatement,
  redactUrl,
  refusedConnection,
} from './connection-error.ts';
import type { DatabaseOptions, DatabaseReach } from './database-options.ts';
import { configOf, forgetHosts, keptIn, poolOf } from './driver-config.ts';
import { BEGIN, type Opening } from './opening.ts';
import { Schema } from './schema.ts';
import { type Session, sessionOn } from './session.ts';
import type { Db, Rows, Statement } from './statement.ts';
import { UserTransactions } from './user-transactions.ts';

/** The oldest supported major version of PostgreSQL. */
const OLDEST_SERVER = 15;

/** The outcome of a transaction is unknown, because its connection was lost before the response to COMMIT arrived. */
export class InDoubtError extends TaskerError {
  constructor(cause: unknown) {
    super(
      'record_in_doubt',
      'the connection was lost before the transaction was confirmed; it may have been committed, so check before you repeat it',
      {
        cause,
      },
    );
  }
}

/** How often a statement is repeated that the server rolled back, and the longest pause before the first repetition. */
const MOST_RETRIES = 8;
const FIRST_RETRY_MS = 10;

/** A statement that is sent on its own. */
interface Sent {
  statement: Statement;
  values: readonly unknown[];
  timeoutMs: number | undefined;
}

/** How long `close` waits for running statements. */
const CLOSE_MS = 2_000;

/**
 * A PostgreSQL database, reached through a pool. Sessions hold no state, because a transaction pooler may be in
 * between. Settings are local to a transaction.
 */
export class Database implements Db {
  readonly #pool: pg.Pool;
  /** A connection outside of the pool, opened on first use. */
  #reserve: pg.Pool | undefined;
  readonly #options: DatabaseOptions;
  /** The schema that contains the tables. */
  readonly schema: Schema;
  /** The metrics of everything that uses this database. */
  readonly metrics: Metrics;
  readonly #histograms = new WeakMap<Statement, Histogram>();
  readonly #stopCollecting: () => void;
  /** Number of statements sent so far. The benchmark divides it by the number of steps. */
  statements = 0;
  #closed = false;
  /** Every open socket, so that `close` can destroy those of an unresponsive server. */
  readonly #sockets = new Set<Socket>();
  #userTransactions: UserTransactions | undefined;
  readonly #connectedAt = new WeakMap<pg.PoolClient, number>();
  /** When a statement last timed out. Connections opened before that may also be dead. */
  #silentAt = Number.NEGATIVE_INFINITY;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.schema = new Schema(options.schema);
    this.#pool = poolOf(options, { sockets: this.#sockets, max: this.poolSize });
    this.metrics = options.metrics ?? silentMetrics;
    this.#stopCollecting = this.metrics.onCollect(() => this.#collect());
    this.#watch(this.#pool);
  }

  #collect(): void {
    const { sqlQueries, poolConnections, poolWaiting, workerPoolSize } = this.metrics.instruments;
    const { idleCount, totalCount, waitingCount } = this.#pool;
    sqlQueries.reach(this.statements);
    poolConnections.of('shared', 'idle').set(idleCount);
    poolConnections.of('shared', 'active').set(totalCount - idleCount);
    poolWaiting.of('shared').set(waitingCount);
    workerPoolSize.set(this.poolSize);
  }

  /**
   * Listens for errors, so that a connection that is lost while idle or checked out causes no uncaught exception. The query
   * in progress is rejected in any case.
   */
  #watch(pool: pg.Pool): void {
    pool.on('connect', (client) => {
      client.on('error', () => {});
      this.#connectedAt.set(client, performance.now());
    });
    pool.on('error', (error) => {
      this.#countFailure(error);
      this.#options.logger.debug({ error: error.message }, 'idle connection lost');
    });
  }

  /**
   * Connects and checks the server's version.
   * @throws TaskerError `database_unreachable`, `database_too_old`
   */
  static async connect(options: DatabaseOptions): Promise<Database> {
    checkScheme(options.url);
    checkScheme(options.directUrl ?? options.url);
    const database = new Database(options);
    try {
      await database.#checkVersion();
    } catch (error) {
      await database.#pool.end();
      // The driver leaves a connection open if the server asks for a password and none is set.
      database.#cut();
      throw error;
    }
    return database;
  }

  /** Like {@link connect}, for a server that was checked before. The first statement connects. */
  static lazily(options: DatabaseOptions): Database {
    return new Database(options);
  }

  /** How another thread of this process can reach the same server. */
  get reach(): DatabaseReach {
    const { url, schema, pipeline, applicationName } = this.#options;
    return { url, schema, pipeline, applicationName };
  }

  async #checkVersion(): Promise<void> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw refusedConnection(this.#options.url, error);
    }
    try {
      const { rows } = await client.query<{ server_version_num: string }>('show server_version_num');
      const major = Math.floor(Number(rows[0]!.server_version_num) / 10_000);
      if (major < OLDEST_SERVER) {
        throw new TaskerError(
          'database_too_old',
          `${redactUrl(this.#options.url)} is PostgreSQL ${major}; tasker-core requires ${OLDEST_SERVER} or later`,
        );
      }
    } finally {
      client.release();
    }
  }

  /** The URL without its password, and the schema if it is not the default. */
  get place(): string {
    const url = redactUrl(this.#options.url);
    return this.schema.isDefault ? url : `${url}, schema ${this.schema.name}`;
  }

  /** Maximum number of connections. */
  get poolSize(): number {
    return this.#options.poolSize ?? DEFAULTS.poolSize;
  }

  /** Number of open connections that are idle. */
  get idleConnections(): number {
    return this.#pool.idleCount;
  }

  /** The URL for LISTEN and migrations, which must not go through a pooler. */
  get directUrl(): string {
    return this.#options.directUrl ?? this.#options.url;
  }

  query<Row>(statement: Statement, values: readonly unknown[] = []): Promise<Rows<Row>> {
    return this.#query(this.#pool, { statement, values, timeoutMs: undefined });
  }

  /** Returns a `Db` whose statements time out after `timeoutMs`, which also closes their connection. */
  within(timeoutMs: number): Db {
    return { query: (statement, values = []) => this.#query(this.#pool, { statement, values, timeoutMs }) };
  }

  /** Like {@link within}, on one reserved connection, which is available even if the pool is exhausted. */
  apart(timeoutMs: number): Db {
    return { query: (statement, values = []) => this.#query(this.#apart(), { statement, values, timeoutMs }) };
  }

  #apart(): pg.Pool {
    if (!this.#reserve) {
      this.#reserve = poolOf(this.#options, { sockets: this.#sockets, max: 1 });
      this.#watch(this.#reserve);
    }
    return this.#reserve;
  }

  /**
   * Runs a statement as a transaction of its own. Repeats it if the server rolled it back, which only happens if the
   * database makes transactions serializable by default. All other transactions set their own isolation level.
   */
  async #query<Row>(pool: pg.Pool, sent: Sent): Promise<Rows<Row>> {
    for (let retries = 0; ; retries++) {
      try {
        return await this.#queryOnce<Row>(pool, sent);
      } catch (error) {
        if (!isSerializationFailure(error) || retries === MOST_RETRIES) throw error;
        await sleep(Math.random() * FIRST_RETRY_MS * 2 ** retries);
      }
    }
  }

  async #queryOnce<Row>(pool: pg.Pool, { statement, values, timeoutMs }: Sent): Promise<Rows<Row>> {
    this.#checkOpen();
    this.statements++;
    const client = await this.#connect(pool);
    const sentAt = performance.now();
    try {
      const query = timed({ ...this.schema.statement(statement), values: values as unknown[] }, timeoutMs);
      const rows = (await client.query(query)) as unknown as Rows<Row>;
      client.release();
      this.#observeQuery(statement, sentAt);
      return rows;
    } catch (error) {
      this.#noteSilence(error);
      this.#countFailure(error);
      client.release(error as Error);
      throw lostStatement(error);
    }
  }

  /** Checks out a connection. Replaces connections that may be dead. */
  async #connect(pool = this.#pool): Promise<pg.PoolClient> {
    const askedAt = performance.now();
    for (;;) {
      const client = await pool.connect().catch((error: unknown) => {
        this.#countFailure(error);
        throw error;
      });
      if ((this.#connectedAt.get(client) ?? this.#silentAt) >= this.#silentAt) {
        this.#observeCheckout(pool, askedAt);
        return client;
      }
      client.release(true);
    }
  }

  #observeCheckout(from: pg.Pool, askedAt: number): void {
    const name = from === this.#pool ? 'shared' : 'lease';
    const { poolCheckouts, poolCheckout } = this.metrics.instruments;
    poolCheckouts.of(name).add();
    poolCheckout.of(name).observe((performance.now() - askedAt) / 1000);
  }

  /** Observes the time of a statement that was sent on its own. */
  #observeQuery(statement: Statement, sentAt: number): void {
    if (!this.metrics.on) return;
    let histogram = this.#histograms.get(statement);
    if (!histogram) {
      histogram = this.metrics.instruments.sqlQuery.of(statement.name);
      this.#histograms.set(statement, histogram);
    }
    histogram.observe((performance.now() - sentAt) / 1000);
  }

  #observeTransaction(startedAt: number): void {
    this.metrics.instruments.transaction.observe((performance.now() - startedAt) / 1000);
  }

  /** Counts a connection that was lost or could not be opened. Other errors are not counted. */
  #countFailure(error: unknown): void {
    if (isConnectionError(error)) this.metrics.instruments.connectionErrors.add();
  }

  #noteSilence(error: unknown): void {
    if (!(error instanceof Error) || error.message !== 'Query read timeout') return;
    this.#silentAt = performance.now();
    forgetHosts(this.#options);
  }

  /**
   * Sends a whole transaction in one round trip. `work` must send all its statements before its first `await`. `opening` is
   * BEGIN with the settings that the statements need.
   * @throws InDoubtError when the connection was lost before the response to COMMIT arrived
   */
  async pipeline<T>(opening: Opening, work: (tx: Db) => Promise<T>): Promise<T> {
    this.#checkOpen();
    const startedAt = performance.now();
    const client = await this.#connect();
    const sent: Promise<unknown>[] = [];
    const sendNow = this.#sender(client);
    const send: Send = (query) => sendNow(timed(query, opening.timeoutMs));
    const tx = transactionOn(this, send, sent);
    sent.push(send(BEGIN));
    if (opening.settings) sent.push(send(opening.settings));
    this.statements += opening.settings ? 3 : 2;
    const working = work(tx);
    const committed = send('commit');
    sent.push(committed);
    const answers = await Promise.allSettled([...sent, working]);
    const outcome = await committed.catch((error: unknown) => error);
    const failed = answers.find((answer) => answer.status === 'rejected');
    for (const answer of answers) if (answer.status === 'rejected') this.#noteSilence(answer.reason);
    if (failed) failed.reason = lostStatement(failed.reason);
    if (outcome instanceof Error) {
      this.#countFailure(outcome);
      client.release(outcome);
      throw new InDoubtError(failed?.reason ?? outcome);
    }
    client.release();
    this.#observeTransaction(startedAt);
    // COMMIT of an aborted transaction resolves, with ROLLBACK as its command.
    if ((outcome as Rows<unknown>).command !== 'COMMIT' || failed) throw failed?.reason ?? new Error('rolled back');
    return working;
  }

  /** Runs a transaction whose statements depend on each other's results. Rolls back if `work` throws. */
  async transaction<T>(opening: Opening, work: (tx: Db) => Promise<T>): Promise<T> {
    this.#checkOpen();
    const startedAt = performance.now();
    const client = await this.#connect();
    let broken: Error | undefined;
    let over = false;
    const sent: Promise<unknown>[] = [];
    try {
      this.statements += opening.settings ? 3 : 2;
      await client.query(BEGIN);
      if (opening.settings) await client.query(opening.settings);
      const sender = this.#sender(client, () => over);
      const result = await work(transactionOn(this, sender, sent)).finally(() => (over = true));
      await Promise.allSettled(sent);
      const committed = (await client.query('commit')) as unknown as Rows<unknown>;
      if (committed.command !== 'COMMIT') throw new TaskerError('database_error', 'the transaction was rolled back');
      return result;
    } catch (error) {
      this.#noteSilence(error);
      this.#countFailure(error);
      if (isConnectionError(error)) broken = error as Error;
      else {
        // Wait for the statements already sent, because the rollback must not be sent while one is in progress.
        await Promise.allSettled(sent);
        await client.query('rollback').catch((lost: Error) => (broken = lost));
      }
      throw error;
    } finally {
      client.release(broken);
      this.#observeTransaction(startedAt);
    }
  }

  /** The transactions of handlers, on a separate pool that is created on first use. */
  get userTransactions(): UserTransactions {
    this.#checkOpen();
    this.#userTransactions ??= new UserTransactions(this.schema, {
      ...configOf(this.#options.url, this.#options),
      stream: () => keptIn(this.#sockets),
      // Statements of a handler have no timeout. The step's own timeout aborts the handler.
      query_timeout: 0,
      types: undefined,
      max: this.poolSize,
      idleTimeoutMillis: 30_000,
    } as unknown as pg.PoolConfig & { max: number });
    return this.#userTransactions;
  }

  /**
   * Returns a function that sends each statement immediately or, without pipelining, after the response to the previous
   * one. The function rejects statements after the end of the transaction, because they would be committed on their
   * own.
   */
  #sender(client: pg.PoolClient, isOver: () => boolean = () => false): Send {
    const now: Send = (query) => (isOver() ? Promise.reject(afterTheEnd()) : client.query(query));
    if (this.#options.pipeline ?? true) return now;
    let before: Promise<unknown> = Promise.resolve();
    return (query) => {
      const answer = before.then(() => now(query));
      before = answer.catch(() => undefined); // the sender of the statement handles its error
      return answer;
    };
  }

  /**
   * Runs `work` on its own connection while holding an advisory lock, so that only one process runs it at a time. A
   * transaction on another connection holds the lock: behind a transaction pooler, a session lock would stay with a pooled
   * connection that other clients use. The lock ends with the connection, so a process that dies does not block others.
   */
  async exclusively<T>(lockId: number, work: (session: Session) => Promise<T>): Promise<T> {
    const holder = await this.dedicated();
    try {
      await holder.query(BEGIN);
      await holder.query('set local idle_in_transaction_session_timeout = 0');
      await holder.query(this.schema.bind(`select pg_advisory_xact_lock(${lockId})`));
      const client = await this.dedicated();
      try {
        return await work(sessionOn(client, this.schema));
      } finally {
        await client.end();
      }
    } finally {
      await holder.end();
    }
  }

  /** Opens a connection outside the pool, for LISTEN and locks. The caller ends it. @internal */
  async dedicated(): Promise<pg.Client> {
    const socket = keptIn(this.#sockets);
    const { Client = pg.Client, ...config } = configOf(this.directUrl, this.#options);
    const client = new Client({
      ...config,
      stream: () => socket,
      query_timeout: 0,
    } as pg.ClientConfig);
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      socket.destroy();
      throw refusedConnection(this.directUrl, error);
    }
    return client;
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new TaskerError(
        'stopped',
        'the connection to the database is closed, because tasker was stopped; create another tasker',
      );
  }

  /** Closes all connections. After two seconds it destroys the open sockets, so that the process can exit. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopCollecting();
    const cutting = setTimeout(() => this.#cut(), CLOSE_MS);
    await Promise.all([this.#pool.end(), this.#reserve?.end(), this.#userTransactions?.close()]);
    // A connection leaves the pool immediately, but its socket stays open until the server responds, which may never
    // happen.
    if (this.#sockets.size === 0) clearTimeout(cutting);
    else cutting.unref().refresh();
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function timed<Query extends string | pg.QueryConfig>(query: Query, timeoutMs: number | undefined) {
  if (timeoutMs === undefined) return query;
  return { ...(typeof query === 'string' ? { text: query } : (query as pg.QueryConfig)), query_timeout: timeoutMs };
}

type Send = (query: string | pg.QueryConfig) => Promise<pg.QueryResult>;

function afterTheEnd(): TaskerError {
  return new TaskerError(
    'database_error',
    'statement sent after the end of its transaction; await all statements before the transaction ends',
  );
}

/** Returns a `Db` that sends the statements of a transaction, and adds their results to `sent`. */
function transactionOn(database: Database, send: Send, sent: Promise<unknown>[]): Db {
  return {
    query: async <Row>(statement: Statement, values: readonly unknown[] = []) => {
      database.statements++;
      const answer = send({ ...database.schema.statement(statement), values: values as unknown[] });
      sent.push(answer);
      return (await answer) as unknown as Rows<Row>;
    },
  };
}

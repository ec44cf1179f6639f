import { Socket } from 'node:net';
import pg from 'pg';
import { DEFAULTS } from '../config/defaults.ts';
import { TaskerError } from '../errors.ts';
import type { Histogram } from '../metrics/instrument.ts';
import { type Metrics, silentMetrics } from '../metrics/metrics.ts';
import { checkScheme, isConnectionError, lostStatement, redactUrl, refusedConnection } from './connection-error.ts';
import type { DatabaseOptions, DatabaseReach } from './database-options.ts';
import { BEGIN, type Opening } from './opening.ts';
import { type Session, sessionOn } from './session.ts';
import type { Db, Rows, Statement } from './statement.ts';
import { UserTransactions } from './user-transactions.ts';

/** Oldest PostgreSQL that the statements are written for. */
const OLDEST_SERVER = 15;

/** The transaction that was sent may have been committed or not: its answer was lost. */
export class InDoubtError extends TaskerError {
  constructor(cause: unknown) {
    super('record_in_doubt', 'the answer of a transaction was lost with its connection; it may have been committed', {
      cause,
    });
  }
}

/** How long a close waits for statements under way. */
const CLOSE_MS = 2_000;

/**
 * A PostgreSQL server, reached through a pool. Sessions hold no state of ours (a transaction pooler may stand between):
 * settings are local to a transaction.
 */
export class Database implements Db {
  readonly #pool: pg.Pool;
  /** One connection beside the pool, made when it is first needed. */
  #reserve: pg.Pool | undefined;
  readonly #options: DatabaseOptions;
  /** Where everything on this database is counted. */
  readonly metrics: Metrics;
  readonly #histograms = new WeakMap<Statement, Histogram>();
  readonly #stopCollecting: () => void;
  /** Statements sent so far; the benchmark divides it by steps. */
  statements = 0;
  #closed = false;
  /** Every socket that is open, so that a close can end those on which nobody answers. */
  readonly #sockets = new Set<Socket>();
  #userTransactions: UserTransactions | undefined;
  readonly #connectedAt = new WeakMap<pg.PoolClient, number>();
  /** When a statement last ran out of its time: connections from before may be as silent as the one it was sent on. */
  #silentAt = Number.NEGATIVE_INFINITY;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
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
   * A connection that dies while it is checked out, or while idle, must not become an uncaught exception; the query in
   * flight is rejected on its own.
   */
  #watch(pool: pg.Pool): void {
    pool.on('connect', (client) => {
      client.on('error', () => {});
      this.#connectedAt.set(client, performance.now());
    });
    pool.on('error', (error) => {
      this.#countFailure(error);
      this.#options.logger.debug({ error: error.message }, 'an idle connection was lost');
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
      // The driver leaves a connection open when it has no password to give.
      database.#cut();
      throw error;
    }
    return database;
  }

  /** As {@link connect}, to a server that is known already: the first statement connects. */
  static lazily(options: DatabaseOptions): Database {
    return new Database(options);
  }

  /** How another thread of this process reaches the same server. */
  get reach(): DatabaseReach {
    const { url, pipeline, applicationName } = this.#options;
    return { url, pipeline, applicationName };
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
          `${redactUrl(this.#options.url)} is PostgreSQL ${major}; tasker-core needs ${OLDEST_SERVER} or later`,
        );
      }
    } finally {
      client.release();
    }
  }

  /** Where this is, without its password. */
  get place(): string {
    return redactUrl(this.#options.url);
  }

  /** Connections at most. */
  get poolSize(): number {
    return this.#options.poolSize ?? DEFAULTS.poolSize;
  }

  /** Of these, the open ones that do nothing right now. */
  get idleConnections(): number {
    return this.#pool.idleCount;
  }

  /** The connection string for what must not go through a pooler: LISTEN, migrations. */
  get directUrl(): string {
    return this.#options.directUrl ?? this.#options.url;
  }

  query<Row>(statement: Statement, values: readonly unknown[] = []): Promise<Rows<Row>> {
    return this.#query(this.#pool, { statement, values, timeoutMs: undefined });
  }

  /** Statements of which each is given up after `timeoutMs` without an answer, and its connection with it. */
  within(timeoutMs: number): Db {
    return { query: (statement, values = []) => this.#query(this.#pool, { statement, values, timeoutMs }) };
  }

  /** As {@link within}, on one connection that nothing else uses: callers who take the whole pool don't hold it up. */
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

  async #query<Row>(
    pool: pg.Pool,
    {
      statement,
      values,
      timeoutMs,
    }: { statement: Statement; values: readonly unknown[]; timeoutMs: number | undefined },
  ): Promise<Rows<Row>> {
    this.#checkOpen();
    this.statements++;
    const client = await this.#connect(pool);
    const sentAt = performance.now();
    try {
      const query = timed({ ...withLabel(statement), values: values as unknown[] }, timeoutMs);
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

  /** A connection of the pool, but none that may have gone silent. */
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
    if (error instanceof Error && error.message === 'Query read timeout') this.#silentAt = performance.now();
  }

  /**
   * Sends a whole transaction in one round trip: `work` must issue all its statements before it first waits.
   * `opening` is BEGIN with the settings that the statements need.
   * @throws InDoubtError when the connection was lost before COMMIT was answered
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

  /** A transaction whose statements depend on each other's answers. Rolled back when `work` throws. */
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
        // What is under way beside it comes to its end first: nothing may be sent while a statement is answered.
        await Promise.allSettled(sent);
        await client.query('rollback').catch((lost: Error) => (broken = lost));
      }
      throw error;
    } finally {
      client.release(broken);
      this.#observeTransaction(startedAt);
    }
  }

  /** Transactions of handlers, on connections of their own, made when the first is wanted. */
  get userTransactions(): UserTransactions {
    this.#checkOpen();
    this.#userTransactions ??= new UserTransactions({
      ...configOf(this.#options.url, this.#options),
      stream: () => keptIn(this.#sockets),
      // A handler's own statements take as long as they take; its signal ends the step.
      query_timeout: 0,
      types: undefined,
      max: this.poolSize,
      idleTimeoutMillis: 30_000,
    } as unknown as pg.PoolConfig & { max: number });
    return this.#userTransactions;
  }

  /**
   * Statements go out at once; where the pipeline is switched off, each after the answer to the one before. None does once
   * the transaction is over: it would be committed by itself.
   */
  #sender(client: pg.PoolClient, isOver: () => boolean = () => false): Send {
    const now: Send = (query) => (isOver() ? Promise.reject(afterTheEnd()) : client.query(query));
    if (this.#options.pipeline ?? true) return now;
    let before: Promise<unknown> = Promise.resolve();
    return (query) => {
      const answer = before.then(() => now(query));
      before = answer.catch(() => undefined); // it is told to whoever sent it
      return answer;
    };
  }

  /**
   * Runs `work` on a connection of its own while it holds a lock that any process on this database respects.
   * It is held by a transaction on another connection: a transaction pooler would take a lock of a session away from
   * it at once, and keep it for ever. It goes with that connection, so a process that dies holds nobody up.
   */
  async exclusively<T>(lockId: number, work: (session: Session) => Promise<T>): Promise<T> {
    const holder = await this.dedicated();
    try {
      await holder.query(BEGIN);
      await holder.query('set local idle_in_transaction_session_timeout = 0');
      await holder.query(`select pg_advisory_xact_lock(${lockId})`);
      const client = await this.dedicated();
      try {
        return await work(sessionOn(client));
      } finally {
        await client.end();
      }
    } finally {
      await holder.end();
    }
  }

  /** A connection of its own, for LISTEN and for session locks; the caller ends it. @internal */
  async dedicated(): Promise<pg.Client> {
    const socket = keptIn(this.#sockets);
    const client = new pg.Client({
      ...configOf(this.directUrl, this.#options),
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
      throw new TaskerError('stopped', 'the connection to the database was closed: it was stopped before');
  }

  /** Waits for statements under way, but not for long: then every connection is cut, so that the process can end. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopCollecting();
    const cutting = setTimeout(() => this.#cut(), CLOSE_MS);
    await Promise.all([this.#pool.end(), this.#reserve?.end(), this.#userTransactions?.close()]);
    // A connection leaves the pool at once and says goodbye afterwards, for ever if nobody answers.
    if (this.#sockets.size === 0) clearTimeout(cutting);
    else cutting.unref().refresh();
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

const INT8 = 20;
const INT8_ARRAY = 1016;
const JSON_TYPES = new Set([114, 3802]);
const asIs = (text: string) => text;

/** Numbers for int8 (ids stay below 2^53), text for JSON; the rest as the driver does it. Nothing global is changed. */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8) return Number;
    if (oid === INT8_ARRAY) return (text: string) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(Number));
    if (JSON_TYPES.has(oid)) return asIs;
    return pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

/** How the driver connects. */
function configOf(url: string, options: DatabaseOptions): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: options.applicationName ?? 'tasker-core',
    connectionTimeoutMillis: options.acquireTimeoutMs ?? DEFAULTS.acquireTimeoutMs,
    query_timeout: options.statementTimeoutMs ?? 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
  };
}

function poolOf(options: DatabaseOptions, { sockets, max }: { sockets: Set<Socket>; max: number }): pg.Pool {
  return new pg.Pool({
    ...configOf(options.url, options),
    stream: () => keptIn(sockets),
    pipeline: options.pipeline ?? true,
    max,
    idleTimeoutMillis: options.idleTimeoutMs ?? DEFAULTS.idleTimeoutMs,
  } as pg.PoolConfig);
}

function keptIn(sockets: Set<Socket>): Socket {
  const socket = new Socket();
  sockets.add(socket);
  return socket.once('close', () => sockets.delete(socket));
}

function timed<Query extends string | pg.QueryConfig>(query: Query, timeoutMs: number | undefined) {
  if (timeoutMs === undefined) return query;
  return { ...(typeof query === 'string' ? { text: query } : (query as pg.QueryConfig)), query_timeout: timeoutMs };
}

/** Each statement begins with its name, so that whoever looks into pg_stat_activity or a log knows it. */
const labelled = new WeakMap<Statement, Statement>();

function withLabel(statement: Statement): Statement {
  let known = labelled.get(statement);
  if (!known) {
    known = { name: statement.name, text: `/* ${statement.name} */ ${statement.text.trim()}` };
    labelled.set(statement, known);
  }
  return known;
}

type Send = (query: string | pg.QueryConfig) => Promise<pg.QueryResult>;

function afterTheEnd(): TaskerError {
  return new TaskerError('database_error', 'the transaction is over, and a statement came after its end');
}

/** The statements of a transaction; `sent` gets their answers, for whoever must wait for all. */
function transactionOn(database: Database, send: Send, sent: Promise<unknown>[]): Db {
  return {
    query: async <Row>(statement: Statement, values: readonly unknown[] = []) => {
      database.statements++;
      const answer = send({ ...withLabel(statement), values: values as unknown[] });
      sent.push(answer);
      return (await answer) as unknown as Rows<Row>;
    },
  };
}

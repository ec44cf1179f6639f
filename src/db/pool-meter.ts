import type pg from 'pg';
import type { Histogram } from '../metrics/instrument.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { isConnectionError } from './connection-error.ts';
import type { Statement } from './statement.ts';

/** What a meter reads when it is asked. */
interface Measured {
  /** The pool that statements of many callers share; the other one has a single connection. */
  pool: pg.Pool;
  statements(): number;
}

/** Counts what goes over the connections of one database. */
export class PoolMeter {
  readonly #metrics: Metrics;
  readonly #pool: pg.Pool;
  readonly #queries = new WeakMap<Statement, Histogram>();
  readonly #forget: () => void;

  constructor(metrics: Metrics, { pool, statements }: Measured) {
    this.#metrics = metrics;
    this.#pool = pool;
    const { sqlQueries, poolConnections, poolWaiting, workerPoolSize } = metrics.instruments;
    this.#forget = metrics.onCollect(() => {
      sqlQueries.reach(statements());
      poolConnections.of('shared', 'idle').set(pool.idleCount);
      poolConnections.of('shared', 'active').set(pool.totalCount - pool.idleCount);
      poolWaiting.of('shared').set(pool.waitingCount);
      workerPoolSize.set(pool.options.max ?? 0);
    });
  }

  /** A statement that was sent alone was answered. Times are those of `performance.now()`. */
  queried(statement: Statement, sentAt: number): void {
    if (!this.#metrics.on) return;
    let histogram = this.#queries.get(statement);
    if (!histogram) {
      histogram = this.#metrics.instruments.sqlQuery.of(statement.name);
      this.#queries.set(statement, histogram);
    }
    histogram.observe((performance.now() - sentAt) / 1000);
  }

  transacted(startedAt: number): void {
    this.#metrics.instruments.transaction.observe((performance.now() - startedAt) / 1000);
  }

  /** A connection that was lost, or could not be had. Of other errors nothing is counted. */
  failed(error: unknown): void {
    if (isConnectionError(error)) this.#metrics.instruments.connectionErrors.add();
  }

  checkedOut(from: pg.Pool, askedAt: number): void {
    const name = from === this.#pool ? 'shared' : 'lease';
    const { poolCheckouts, poolCheckout } = this.#metrics.instruments;
    poolCheckouts.of(name).add();
    poolCheckout.of(name).observe((performance.now() - askedAt) / 1000);
  }

  close(): void {
    this.#forget();
  }
}

import type { UserClient } from '../db/user-client.ts';
import { adapted, notTransaction, propertyOf } from './adapted.ts';

/** A transaction of postgres.js: the `tx` of `sql.begin(async (tx) => …)`, or of a savepoint in it. */
export interface PostgresJsTransaction {
  unsafe(query: string, parameters?: never[]): PromiseLike<unknown>;
  savepoint(work: never): unknown;
}

const ADAPTER = { name: 'fromPostgresJs', expected: 'the tx of sql.begin(async (tx) => …)' };

/**
 * Returns a `client` for `createTask`, `createTasks` and `signal` that runs in a transaction of postgres.js. A savepoint
 * has its own `tx`.
 *
 * @throws TaskerError `bad_request` if `tx` is not a transaction
 * @example
 * import postgres from 'postgres';
 *
 * const sql = postgres(process.env.DATABASE_URL!);
 *
 * await sql.begin(async (tx) => {
 *   const [order] = await tx`insert into orders (total) values (1990) returning id`;
 *   await tasker.createTask({ name: 'fulfil', context: { order: order.id } }, { client: fromPostgresJs(tx) });
 * });
 */
export function fromPostgresJs(tx: PostgresJsTransaction): UserClient {
  if (typeof propertyOf(tx, 'unsafe') !== 'function') throw notTransaction(ADAPTER, 'an object without unsafe()');
  if (typeof propertyOf(tx, 'savepoint') !== 'function') throw notTransaction(ADAPTER, 'a pool, not a transaction');
  return adapted(ADAPTER, (text, values) => tx.unsafe(text, [...values] as never[]));
}

import type { UserClient } from '../db/user-client.ts';
import { adapted, notTransaction, propertyOf } from './adapted.ts';

/** A transaction of Drizzle on PostgreSQL: the `tx` of `db.transaction(async (tx) => …)`. */
export interface DrizzleTransaction {
  execute(query: never): PromiseLike<unknown>;
  rollback(): never;
}

const ADAPTER = { name: 'fromDrizzle', expected: 'the tx of db.transaction(async (tx) => …)' };

/**
 * Returns a `client` for `createTask`, `createTasks` and `signal` that runs in a transaction of Drizzle. Works with the
 * drivers `node-postgres` and `postgres-js`. A nested transaction is a savepoint, and has its own `tx`.
 *
 * @throws TaskerError `bad_request` if `tx` is not a transaction
 * @example
 * import { drizzle } from 'drizzle-orm/node-postgres';
 * import { integer, pgTable, serial } from 'drizzle-orm/pg-core';
 *
 * const orders = pgTable('orders', { id: serial().primaryKey(), total: integer() });
 * const db = drizzle(process.env.DATABASE_URL!);
 *
 * await db.transaction(async (tx) => {
 *   const [order] = await tx.insert(orders).values({ total: 1990 }).returning();
 *   await tasker.createTask({ name: 'fulfil', context: { order: order.id } }, { client: fromDrizzle(tx) });
 * });
 */
export function fromDrizzle(tx: DrizzleTransaction): UserClient {
  if (typeof propertyOf(tx, 'execute') !== 'function') throw notTransaction(ADAPTER, 'an object without execute()');
  if (typeof propertyOf(tx, 'rollback') !== 'function') throw notTransaction(ADAPTER, 'a database, not a transaction');
  return adapted(ADAPTER, (text, values) => tx.execute(drizzleSql(text, values) as never));
}

/** Returns what `execute` needs of an object `SQL`, so that Drizzle need not be imported. */
function drizzleSql(text: string, values: readonly unknown[]): object {
  const query = { getSQL: () => query, toQuery: () => ({ sql: text, params: [...values] }) };
  return query;
}

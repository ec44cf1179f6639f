import type { UserClient } from '../db/user-client.ts';
import { adapted, notTransaction, propertyOf } from './adapted.ts';

/** A transaction of TypeORM on PostgreSQL: an `EntityManager`, or a `QueryRunner` after `startTransaction()`. */
export interface TypeOrmTransaction {
  query(query: string, parameters?: never[]): Promise<unknown>;
}

const ADAPTER = {
  name: 'fromTypeORM',
  expected: 'the manager of dataSource.transaction(async (manager) => …), or a QueryRunner after startTransaction()',
};

/**
 * Returns a `client` for `createTask`, `createTasks` and `signal` that runs in a transaction of TypeORM. A nested
 * transaction is a savepoint.
 *
 * @throws TaskerError `bad_request` if `transaction` is a data source, or a manager or query runner without a transaction
 * @example
 * import { DataSource } from 'typeorm';
 *
 * const dataSource = await new DataSource({ type: 'postgres', url: process.env.DATABASE_URL }).initialize();
 *
 * await dataSource.transaction(async (manager) => {
 *   const [{ id }] = await manager.query('insert into orders (total) values ($1) returning id', [1990]);
 *   await tasker.createTask({ name: 'fulfil', context: { order: id } }, { client: fromTypeORM(manager) });
 * });
 */
export function fromTypeORM(transaction: TypeOrmTransaction): UserClient {
  if (typeof propertyOf(transaction, 'query') !== 'function') {
    throw notTransaction(ADAPTER, 'an object without query()');
  }
  const runner = propertyOf(transaction, 'queryRunner') ?? transaction;
  if (propertyOf(runner, 'isTransactionActive') !== true) {
    throw notTransaction(ADAPTER, 'an object that is not in a transaction');
  }
  return adapted(ADAPTER, (text, values) => transaction.query(text, [...values] as never[]));
}

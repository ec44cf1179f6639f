import type { UserClient } from '../db/user-client.ts';
import { adapted, notTransaction, propertyOf } from './adapted.ts';

/** A transaction of Kysely on PostgreSQL: a `Transaction` or a `ControlledTransaction`. */
export interface KyselyTransaction {
  readonly isTransaction: true;
  executeQuery(query: never): Promise<{ rows: unknown[] }>;
  withoutPlugins(): object;
}

const ADAPTER = { name: 'fromKysely', expected: 'the trx of db.transaction().execute(async (trx) => …)' };

/**
 * Returns a `client` for `createTask`, `createTasks` and `signal` that runs in a transaction of Kysely. Also takes a
 * controlled transaction, which has savepoints. Plugins of the transaction do not see the statements.
 *
 * @throws TaskerError `bad_request` if `trx` is not a transaction
 * @example
 * import { type Generated, Kysely, PostgresDialect } from 'kysely';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
 * const db = new Kysely<{ orders: { id: Generated<number>; total: number } }>({ dialect: new PostgresDialect({ pool }) });
 *
 * await db.transaction().execute(async (trx) => {
 *   const { id } = await trx.insertInto('orders').values({ total: 1990 }).returning('id').executeTakeFirstOrThrow();
 *   await tasker.createTask({ name: 'fulfil', context: { order: id } }, { client: fromKysely(trx) });
 * });
 */
export function fromKysely(trx: KyselyTransaction): UserClient {
  if (typeof propertyOf(trx, 'executeQuery') !== 'function') {
    throw notTransaction(ADAPTER, 'an object without executeQuery()');
  }
  if (!trx.isTransaction) throw notTransaction(ADAPTER, 'a database, not a transaction');
  const plain = trx.withoutPlugins() as KyselyTransaction;
  return adapted(ADAPTER, (text, values) => plain.executeQuery(compiledQuery(text, values) as never));
}

/** Returns a `CompiledQuery`, so that Kysely need not be imported. */
function compiledQuery(text: string, values: readonly unknown[]): object {
  return {
    sql: text,
    parameters: values,
    query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
    queryId: { queryId: 'tasker' },
  };
}

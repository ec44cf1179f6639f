import type { UserClient } from '../db/user-client.ts';
import { adapted, notTransaction, propertyOf } from './adapted.ts';

/** A transaction of Knex on PostgreSQL: the `trx` of `knex.transaction(async (trx) => …)`. */
export interface KnexTransaction {
  raw(sql: string, bindings: never): PromiseLike<unknown>;
  isCompleted(): boolean;
}

const ADAPTER = { name: 'fromKnex', expected: 'the trx of knex.transaction(async (trx) => …)' };

/**
 * Returns a `client` for `createTask`, `createTasks` and `signal` that runs in a transaction of Knex. A nested
 * transaction is a savepoint, and has its own `trx`.
 *
 * @throws TaskerError `bad_request` if `trx` is not a transaction
 * @example
 * import knexOf from 'knex';
 *
 * const knex = knexOf({ client: 'pg', connection: process.env.DATABASE_URL });
 *
 * await knex.transaction(async (trx) => {
 *   const [{ id }] = await trx('orders').insert({ total: 1990 }, 'id');
 *   await tasker.createTask({ name: 'fulfil', context: { order: id } }, { client: fromKnex(trx) });
 * });
 */
export function fromKnex(trx: KnexTransaction): UserClient {
  if (typeof propertyOf(trx, 'raw') !== 'function') throw notTransaction(ADAPTER, 'an object without raw()');
  if (typeof propertyOf(trx, 'isCompleted') !== 'function') throw notTransaction(ADAPTER, 'a pool, not a transaction');
  return adapted(ADAPTER, (text, values) => {
    const { sql, bindings } = withQuestionMarks(text, values);
    return trx.raw(sql, bindings as never);
  });
}

/** Replaces `$1` by `?`, which Knex needs, and repeats the values. Escapes other question marks. */
function withQuestionMarks(text: string, values: readonly unknown[]): { sql: string; bindings: unknown[] } {
  const bindings: unknown[] = [];
  const sql = text.replace(/\?|\$(\d+)/g, (found, number?: string) => {
    if (number === undefined) return `\\${found}`;
    bindings.push(values[Number(number) - 1]);
    return '?';
  });
  return { sql, bindings };
}

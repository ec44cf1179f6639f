import type pg from 'pg';
import { type Library, type LibraryTransaction, VALUES } from './libraries.ts';
import { oneConnection } from './one-connection.ts';

function transactionOf(client: pg.PoolClient): LibraryTransaction {
  const tx: LibraryTransaction = {
    client,
    insert: (note) => client.query('insert into charge (note) values ($1)', [note]),
    insertAndReturn: async () => {
      const text = 'insert into charge (big, at, data) values ($1, $2, $3) returning big, at, data';
      return (await client.query(text, [VALUES.big, VALUES.at, VALUES.data])).rows[0] as Record<string, unknown>;
    },
    fail: () => client.query('select 1 / 0'),
    nested: async (work) => {
      await client.query('savepoint inner_one');
      try {
        const result = await work(tx);
        await client.query('release savepoint inner_one');
        return result;
      } catch (error) {
        await client.query('rollback to savepoint inner_one');
        throw error;
      }
    },
  };
  return tx;
}

/** The driver itself, without an adapter. */
export const plainPg: Library = {
  name: 'pg',
  recommends: /send BEGIN on it|pool\.connect\(\)/,
  open: async (url, odd) => {
    const pool = oneConnection(url, odd);
    const inTransaction = async <T>(begin: string, work: (client: pg.PoolClient) => Promise<T>) => {
      const client = await pool.connect();
      try {
        await client.query(begin);
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    };
    return {
      transaction: (work) => inTransaction('begin', (client) => work(transactionOf(client))),
      readOnly: (work) => inTransaction('begin read only', work),
      outside: () => pool,
      close: () => pool.end(),
    };
  },
};

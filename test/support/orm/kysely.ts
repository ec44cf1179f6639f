import { type ControlledTransaction, Kysely, type KyselyPlugin, PostgresDialect, sql, type Transaction } from 'kysely';
import { fromKysely } from '../../../src/orm/index.ts';
import { type Library, type LibraryTransaction, VALUES } from './libraries.ts';
import { ODD } from './odd-types.ts';
import { oneConnection } from './one-connection.ts';

interface Tables {
  charge: { note?: string; big?: bigint; at?: Date; data?: object };
}

/** Changes all rows, as plugins for names and dates do. */
const ODD_RESULTS: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: async ({ result }) => ({ ...result, rows: result.rows.map(() => ({ odd: ODD })) }),
};

let savepoints = 0;

function transactionOf(trx: ControlledTransaction<Tables, never>): LibraryTransaction {
  return {
    client: fromKysely(trx),
    insert: (note) => trx.insertInto('charge').values({ note }).execute(),
    insertAndReturn: () => trx.insertInto('charge').values(VALUES).returning(['big', 'at', 'data']).executeTakeFirst(),
    fail: () => sql`select 1 / 0`.execute(trx),
    nested: async (work) => {
      const name = `inner${++savepoints}`;
      const inner = await trx.savepoint(name).execute();
      try {
        const result = await work(transactionOf(inner as never));
        await inner.releaseSavepoint(name as never).execute();
        return result;
      } catch (error) {
        await inner.rollbackToSavepoint(name as never).execute();
        throw error;
      }
    },
  };
}

export const kyselyOnPg: Library = {
  name: 'Kysely',
  recommends: /db\.transaction\(\)\.execute/,
  open: async (url, odd) => {
    const pool = oneConnection(url, odd);
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool }),
      plugins: odd ? [ODD_RESULTS] : [],
    });
    return {
      transaction: async (work) => {
        const trx = await db.startTransaction().execute();
        try {
          const result = await work(transactionOf(trx as never));
          await trx.commit().execute();
          return result;
        } catch (error) {
          await trx.rollback().execute();
          throw error;
        }
      },
      readOnly: (work) =>
        db
          .transaction()
          .setAccessMode('read only')
          .execute((trx: Transaction<Tables>) => work(fromKysely(trx))),
      outside: () => fromKysely(db as never),
      close: () => db.destroy(),
    };
  },
};

import { sql as text } from 'drizzle-orm';
import { drizzle as drizzleNodePg } from 'drizzle-orm/node-postgres';
import { bigint, jsonb, type PgDatabase, pgTable, text as textColumn, timestamp } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { fromDrizzle } from '../../../src/orm/index.ts';
import { type Library, type LibraryTransaction, type OpenLibrary, VALUES } from './libraries.ts';
import { oneConnection } from './one-connection.ts';

const charge = pgTable('charge', {
  note: textColumn('note'),
  big: bigint('big', { mode: 'bigint' }),
  at: timestamp('at', { withTimezone: true }),
  data: jsonb('data'),
});

type Db = PgDatabase<never>;
type Tx = Parameters<Parameters<Db['transaction']>[0]>[0];

function transactionOf(tx: Tx): LibraryTransaction {
  return {
    client: fromDrizzle(tx),
    insert: (note) => tx.insert(charge).values({ note }),
    insertAndReturn: async () => (await tx.insert(charge).values(VALUES).returning())[0],
    fail: () => tx.execute(text`select 1 / 0`),
    nested: (work) => tx.transaction((inner) => work(transactionOf(inner))),
  };
}

function opened(db: Db, close: () => Promise<unknown>): OpenLibrary {
  return {
    transaction: (work) => db.transaction((tx) => work(transactionOf(tx))),
    readOnly: (work) => db.transaction((tx) => work(fromDrizzle(tx)), { accessMode: 'read only' }),
    outside: () => fromDrizzle(db as never),
    close,
  };
}

const recommends = /db\.transaction\(async \(tx\)/;

export const drizzleOnPg: Library = {
  name: 'Drizzle on pg',
  recommends,
  open: async (url, odd) => {
    const pool = oneConnection(url, odd);
    return opened(drizzleNodePg({ client: pool, casing: 'camelCase' }) as never, () => pool.end());
  },
};

export const drizzleOnPostgresJs: Library = {
  name: 'Drizzle on postgres.js',
  recommends,
  open: async (url, odd) => {
    const sql = postgres(url, { max: 1, onnotice: () => {}, ...(odd && { transform: postgres.camel as never }) });
    return opened(drizzlePostgres({ client: sql }) as never, () => sql.end());
  },
};

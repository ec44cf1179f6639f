import postgres from 'postgres';
import { fromPostgresJs } from '../../../src/orm/index.ts';
import { type Library, type LibraryTransaction, VALUES } from './libraries.ts';
import { ODD } from './odd-types.ts';

/** Types whose values the library would otherwise parse, or serialize in another way. */
const ODD_POSTGRES_TYPES = {
  uuid: { to: 2950, from: [2950], serialize: () => 'odd', parse: () => ODD },
  bigint: { to: 20, from: [20, 21, 23, 26], serialize: () => 'odd', parse: () => ODD },
  json: { to: 3802, from: [114, 3802], serialize: () => 'odd', parse: () => ODD },
  boolean: { to: 16, from: [16], serialize: () => 'odd', parse: () => ODD },
  date: { to: 1184, from: [1082, 1114, 1184], serialize: () => 'odd', parse: () => ODD },
};

function transactionOf(tx: postgres.TransactionSql): LibraryTransaction {
  return {
    client: fromPostgresJs(tx),
    insert: (note) => tx`insert into charge (note) values (${note})`,
    insertAndReturn: async () => {
      const { big, at, data } = VALUES;
      const values = tx`${big.toString()}, ${at}, ${tx.json(data)}`;
      return (await tx`insert into charge (big, at, data) values (${values}) returning big, at, data`)[0];
    },
    fail: () => tx`select 1 / 0`,
    nested: async (work) => (await tx.savepoint((inner) => work(transactionOf(inner)))) as never,
  };
}

export const postgresJs: Library = {
  name: 'postgres.js',
  recommends: /sql\.begin/,
  open: async (url, odd) => {
    const sql = postgres(url, {
      max: 1,
      onnotice: () => {},
      ...(odd && { transform: postgres.toPascal as never, types: ODD_POSTGRES_TYPES as never }),
    });
    return {
      transaction: async (work) => (await sql.begin((tx) => work(transactionOf(tx)))) as never,
      readOnly: async (work) => (await sql.begin('read only', (tx) => work(fromPostgresJs(tx)))) as never,
      outside: () => fromPostgresJs(sql as never),
      close: () => sql.end(),
    };
  },
};

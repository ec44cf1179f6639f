import knexOf, { type Knex } from 'knex';
import { fromKnex } from '../../../src/orm/index.ts';
import { type Library, type LibraryTransaction, VALUES } from './libraries.ts';
import { ODD_TYPES } from './odd-types.ts';

function transactionOf(trx: Knex.Transaction): LibraryTransaction {
  return {
    client: fromKnex(trx),
    insert: async (note) => await trx('charge').insert({ note }),
    insertAndReturn: async () =>
      (await trx('charge').insert(VALUES, ['big', 'at', 'data']))[0] as Record<string, unknown>,
    fail: async () => await trx.raw('select 1 / 0'),
    nested: async (work) => trx.transaction((inner) => work(transactionOf(inner))),
  };
}

/** Names in upper case, as the mappers of names do. */
function upperCased(result: { rows?: object[] }): unknown {
  const upper = (row: object) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toUpperCase(), value as unknown]));
  return result.rows ? { ...result, rows: result.rows.map(upper) } : result;
}

export const knexOnPg: Library = {
  name: 'Knex',
  recommends: /knex\.transaction\(async \(trx\)/,
  open: async (url, odd) => {
    const knex = knexOf({
      client: 'pg',
      connection: { connectionString: url, ...(odd && { types: ODD_TYPES }) } as Knex.PgConnectionConfig,
      pool: { min: 0, max: 1 },
      ...(odd && { postProcessResponse: upperCased }),
    });
    return {
      transaction: (work) => knex.transaction((trx) => work(transactionOf(trx))),
      readOnly: (work) => knex.transaction((trx) => work(fromKnex(trx)), { readOnly: true }),
      outside: () => fromKnex(knex as never),
      close: () => knex.destroy(),
    };
  },
};

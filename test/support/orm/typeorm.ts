import { DataSource, type EntityManager, EntitySchema } from 'typeorm';
import { fromTypeORM } from '../../../src/orm/index.ts';
import { type Library, type LibraryTransaction, VALUES } from './libraries.ts';
import { ODD_TYPES } from './odd-types.ts';

const Charge = new EntitySchema<{ id: string; note: string | null; big: string; at: Date; data: object }>({
  name: 'charge',
  columns: {
    id: { type: 'bigint', primary: true, generated: 'increment' },
    note: { type: 'text', nullable: true },
    big: { type: 'bigint' },
    at: { type: 'timestamptz' },
    data: { type: 'jsonb' },
  },
});

function transactionOf(manager: EntityManager): LibraryTransaction {
  return {
    client: fromTypeORM(manager),
    insert: (note) => manager.insert(Charge, { note }),
    insertAndReturn: async () => {
      const { id } = await manager.save(Charge, { ...VALUES, big: VALUES.big.toString() });
      const { big, at, data } = await manager.findOneByOrFail(Charge, { id });
      return { big, at, data };
    },
    fail: () => manager.query('select 1 / 0'),
    nested: (work) => manager.transaction((inner) => work(transactionOf(inner))),
  };
}

async function connected(url: string, odd: boolean): Promise<DataSource> {
  const source = new DataSource({
    type: 'postgres',
    url,
    entities: [Charge],
    poolSize: 1,
    installExtensions: false,
    extra: odd ? { types: ODD_TYPES } : {},
  });
  return source.initialize();
}

const recommends = /dataSource\.transaction\(async \(manager\)/;

export const typeOrm: Library = {
  name: 'TypeORM',
  recommends,
  open: async (url, odd) => {
    const source = await connected(url, odd);
    return {
      transaction: (work) => source.transaction((manager) => work(transactionOf(manager))),
      readOnly: (work) =>
        source.transaction(async (manager) => {
          await manager.query('set transaction read only');
          return work(fromTypeORM(manager));
        }),
      outside: () => fromTypeORM(source),
      close: () => source.destroy(),
    };
  },
};

export const typeOrmRunner: Library = {
  name: 'a query runner of TypeORM',
  recommends,
  open: async (url, odd) => {
    const source = await connected(url, odd);
    return {
      transaction: async (work) => {
        const runner = source.createQueryRunner();
        await runner.startTransaction();
        try {
          const result = await work({ ...transactionOf(runner.manager), client: fromTypeORM(runner) });
          await runner.commitTransaction();
          return result;
        } catch (error) {
          await runner.rollbackTransaction();
          throw error;
        } finally {
          await runner.release();
        }
      },
      readOnly: (work) =>
        source.transaction(async ({ queryRunner }) => {
          await queryRunner!.query('set transaction read only');
          return work(fromTypeORM(queryRunner!));
        }),
      outside: () => fromTypeORM(source.createQueryRunner()),
      close: () => source.destroy(),
    };
  },
};

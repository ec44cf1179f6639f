import { fromPrisma } from '../../../src/orm/index.ts';
import { type Library, type LibraryTransaction, VALUES } from './libraries.ts';
import { type ChargeTransaction, prismaClient } from './prisma-client.ts';

function transactionOf(tx: ChargeTransaction): LibraryTransaction {
  return {
    client: fromPrisma(tx),
    insert: (note) => tx.charge.create({ data: { note } }),
    insertAndReturn: async () => {
      const { big, at, data } = await tx.charge.create({ data: VALUES });
      return { big, at, data };
    },
    fail: () => tx.$executeRawUnsafe('select 1 / 0'),
    nested: (work) => tx.$transaction((inner) => work(transactionOf(inner))),
  };
}

export const prismaOnPg: Library = {
  name: 'Prisma',
  recommends: /prisma\.\$transaction\(async \(tx\)/,
  open: async (url) => {
    const prisma = prismaClient(url);
    return {
      transaction: (work) => prisma.$transaction((tx) => work(transactionOf(tx))),
      readOnly: (work) =>
        prisma.$transaction(async (tx) => {
          await tx.$executeRawUnsafe('set transaction read only');
          return work(fromPrisma(tx));
        }),
      outside: () => fromPrisma(prisma as never),
      close: () => prisma.$disconnect(),
    };
  },
};

import type { UserClient } from '../db/user-client.ts';
import { adapted, notTransaction, propertyOf } from './adapted.ts';

/** An interactive transaction of Prisma on PostgreSQL: the `tx` of `prisma.$transaction(async (tx) => …)`. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: never[]): PromiseLike<unknown>;
  /** Only the client itself has it. */
  $connect?: undefined;
}

const ADAPTER = { name: 'fromPrisma', expected: 'the tx of prisma.$transaction(async (tx) => …)' };

/**
 * Returns a `client` for `createTask`, `createTasks` and `signal` that runs in an interactive transaction of Prisma.
 * Prisma ends it after 5 seconds, unless the option `timeout` is longer.
 *
 * @throws TaskerError `bad_request` if `tx` is not an interactive transaction
 * @example
 * await prisma.$transaction(async (tx) => {
 *   const { id } = await tx.order.create({ data: { total: 1990 } });
 *   await tasker.createTask({ name: 'fulfil', context: { order: id } }, { client: fromPrisma(tx) });
 * });
 */
export function fromPrisma(tx: PrismaTransaction): UserClient {
  if (typeof propertyOf(tx, '$queryRawUnsafe') !== 'function') {
    throw notTransaction(ADAPTER, 'an object without $queryRawUnsafe()');
  }
  if (typeof propertyOf(tx, '$connect') === 'function') throw notTransaction(ADAPTER, 'a client, not a transaction');
  return adapted(ADAPTER, (text, values) => tx.$queryRawUnsafe(text, ...(values as never[])));
}

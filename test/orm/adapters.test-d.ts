import { drizzle } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import knexOf from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import { DataSource } from 'typeorm';
import { expectTypeOf, test } from 'vitest';
import type { Tasker, UserClient } from '../../src/index.ts';
import { fromDrizzle, fromKnex, fromKysely, fromPostgresJs, fromPrisma, fromTypeORM } from '../../src/orm/index.ts';
import { prismaClient } from '../support/orm/prisma-client.ts';

const pool = new pg.Pool();

test('transactions of each library are accepted, and databases are not', async () => {
  const drizzleDb = drizzle({ client: pool });
  await drizzleDb.transaction(async (tx) => {
    expectTypeOf(fromDrizzle(tx)).toEqualTypeOf<UserClient>();
    await tx.transaction(async (inner) => void fromDrizzle(inner));
  });
  await drizzlePostgres({ client: postgres() }).transaction(async (tx) => void fromDrizzle(tx));
  // @ts-expect-error is not a transaction
  fromDrizzle(drizzleDb);

  const kysely = new Kysely<{ orders: { id: string } }>({ dialect: new PostgresDialect({ pool }) });
  await kysely.transaction().execute(async (trx) => void fromKysely(trx));
  fromKysely(await kysely.startTransaction().execute());
  // @ts-expect-error is not a transaction
  fromKysely(kysely);

  const sql = postgres();
  await sql.begin(async (tx) => {
    fromPostgresJs(tx);
    await tx.savepoint(async (inner) => void fromPostgresJs(inner));
  });
  // @ts-expect-error is a pool
  fromPostgresJs(sql);

  const knex = knexOf({});
  await knex.transaction(async (trx) => void fromKnex(trx));
  fromKnex(await knex.transaction());
  // @ts-expect-error is a pool
  fromKnex(knex);

  const source = new DataSource({ type: 'postgres' });
  await source.transaction(async (manager) => void fromTypeORM(manager));
  fromTypeORM(source.createQueryRunner());

  const prisma = prismaClient('');
  await prisma.$transaction(async (tx) => void fromPrisma(tx));
  // @ts-expect-error is not a transaction
  fromPrisma(prisma);
});

test('the driver pg needs no adapter', async () => {
  const client: UserClient = new pg.Client();
  await (null as unknown as Tasker).createTask({ name: 'a' }, { client });
});

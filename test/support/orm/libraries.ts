import type { UserClient } from '../../../src/index.ts';
import { drizzleOnPg, drizzleOnPostgresJs } from './drizzle.ts';
import { knexOnPg } from './knex.ts';
import { kyselyOnPg } from './kysely.ts';
import { plainPg } from './pg.ts';
import { postgresJs } from './postgres-js.ts';
import { prismaOnPg } from './prisma.ts';
import { typeOrm, typeOrmRunner } from './typeorm.ts';

/** An open transaction of a library. */
export interface LibraryTransaction {
  client: UserClient;
  /** Inserts a row into the table `charge`. */
  insert(note: string): Promise<unknown>;
  /** Inserts {@link VALUES}, and returns them as the library does. */
  insertAndReturn(): Promise<Record<string, unknown> | undefined>;
  /** Runs a statement that fails. */
  fail(): Promise<unknown>;
  /** A savepoint, or a nested transaction. */
  nested<T>(work: (tx: LibraryTransaction) => Promise<T>): Promise<T>;
}

/** Values that drivers return in different forms. */
export const VALUES = { big: 2n ** 60n, at: new Date('2024-05-06T07:08:09.123Z'), data: { list: [1, null, 'x'] } };

/** A library that is connected to a database. */
export interface OpenLibrary {
  transaction<T>(work: (tx: LibraryTransaction) => Promise<T>): Promise<T>;
  readOnly<T>(work: (client: UserClient) => Promise<T>): Promise<T>;
  /** Returns a client that is not in a transaction. Throws if the adapter recognizes that it is not. */
  outside(): UserClient;
  close(): Promise<unknown>;
}

/** A row of the table of tests. */
export interface Library {
  name: string;
  /** The recommendation in the error for a client outside of a transaction. */
  recommends: RegExp;
  /** Connects, with one connection. `odd`: with parsers and mappers that change everything that they can. */
  open(url: string, odd: boolean): Promise<OpenLibrary>;
}

export const LIBRARIES: readonly Library[] = [
  plainPg,
  postgresJs,
  drizzleOnPg,
  drizzleOnPostgresJs,
  kyselyOnPg,
  knexOnPg,
  typeOrm,
  typeOrmRunner,
  prismaOnPg,
];

import type { UserClient } from '../../../src/index.ts';
import { drizzleOnPg, drizzleOnPostgresJs } from './drizzle.ts';
import { kyselyOnPg } from './kysely.ts';
import { plainPg } from './pg.ts';
import { postgresJs } from './postgres-js.ts';

/** An open transaction of a library. */
export interface LibraryTransaction {
  client: UserClient;
  /** Inserts a row into the table `charge`. */
  insert(note: string): Promise<unknown>;
  /** Runs a statement that fails. */
  fail(): Promise<unknown>;
  /** A savepoint, or a nested transaction. */
  nested<T>(work: (tx: LibraryTransaction) => Promise<T>): Promise<T>;
}

/** A library that is connected to a database. Its parsers and mappers of names differ from the defaults of its driver. */
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
  /** What the error for a client outside of a transaction recommends. */
  recommends: RegExp;
  /** Connects, with one connection. */
  open(url: string): Promise<OpenLibrary>;
}

export const LIBRARIES: readonly Library[] = [plainPg, postgresJs, drizzleOnPg, drizzleOnPostgresJs, kyselyOnPg];

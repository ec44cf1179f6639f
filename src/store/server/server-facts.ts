import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const SERVER_FACTS = sql('server_facts')`
select current_setting('server_version') version, (extract(epoch from clock_timestamp()) * 1000)::float8 "nowMs",
       pg_database_size(current_database()) bytes`;

/** Facts about a server. */
export interface ServerFacts {
  version: string;
  /** Its clock, in milliseconds since 1970. */
  nowMs: number;
  /** Size of the database, in bytes. */
  bytes: number;
}

/** Reads the version and the clock of a server, and the size of the database. */
export async function serverFacts(db: Db): Promise<ServerFacts> {
  const facts = (await db.query<ServerFacts>(SERVER_FACTS)).rows[0]!;
  return { ...facts, version: facts.version.replace(/ .*/, '') };
}

const CLOCK = sql('database_clock')`select (extract(epoch from clock_timestamp()) * 1000)::float8 "nowMs"`;

/** Returns the time of the database, in milliseconds since 1970. */
export async function databaseClock(db: Db): Promise<number> {
  return (await db.query<{ nowMs: number }>(CLOCK)).rows[0]!.nowMs;
}

const PING = sql('ping')`select 1`;

/** Resolves when the database responds. */
export async function ping(db: Db): Promise<void> {
  await db.query(PING);
}

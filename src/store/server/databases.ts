import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const DATABASE_IN_USE = sql('database_in_use')`
select exists (select 1 from pg_stat_activity where datname = $1) as used`;

/** Whether anybody is connected to a database of this server, or about to leave it. */
export async function databaseInUse(db: Db, name: string): Promise<boolean> {
  return (await db.query<{ used: boolean }>(DATABASE_IN_USE, [name])).rows[0]!.used;
}

/** `_` stands for itself in `starts_with`, unlike in LIKE. */
const LEFTOVER_DATABASES = sql('leftover_databases')`
select d.datname::text as name
  from pg_database d
 where starts_with(d.datname, $1)
   and not exists (select 1 from pg_stat_activity a where a.datid = d.oid)
 order by d.datname`;

/** The databases of a server whose names begin with `prefix` and that nobody is connected to. */
export async function leftoverDatabases(db: Db, prefix: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(LEFTOVER_DATABASES, [prefix]);
  return rows.map((row) => row.name);
}

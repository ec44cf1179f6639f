import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const DATABASE_IN_USE = sql('database_in_use')`
select exists (select 1 from pg_stat_activity where datname = $1) as used`;

/** Returns whether a database of this server has connections, including connections that are about to close. */
export async function databaseInUse(db: Db, name: string): Promise<boolean> {
  return (await db.query<{ used: boolean }>(DATABASE_IN_USE, [name])).rows[0]!.used;
}

/** Uses `starts_with`, because in LIKE `_` would match any character. */
const LEFTOVER_DATABASES = sql('leftover_databases')`
select d.datname::text as name
  from pg_database d
 where starts_with(d.datname, $1)
   and not exists (select 1 from pg_stat_activity a where a.datid = d.oid)
 order by d.datname`;

/** Returns the databases of a server whose names begin with `prefix` and that have no connections. */
export async function leftoverDatabases(db: Db, prefix: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(LEFTOVER_DATABASES, [prefix]);
  return rows.map((row) => row.name);
}

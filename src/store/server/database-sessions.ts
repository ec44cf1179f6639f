import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const DATABASE_IN_USE = sql('database_in_use')`
select exists (select 1 from pg_stat_activity where datname = $1) as used`;

/** Whether anybody is connected to a database of this server, or about to leave it. */
export async function databaseInUse(db: Db, name: string): Promise<boolean> {
  return (await db.query<{ used: boolean }>(DATABASE_IN_USE, [name])).rows[0]!.used;
}

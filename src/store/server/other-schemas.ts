import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';

const OTHERS = sql('other_schemas')`
select n.nspname name from pg_namespace n
 where n.nspname <> 'tasker' and has_schema_privilege(n.oid, 'usage')
   and (select count(*) from pg_class c
         where c.relnamespace = n.oid and c.relkind = 'r' and c.relname in ('migration', 'worker', 'task', 'step_search')
           and has_table_privilege(c.oid, 'select')) = 4
 order by 1 limit 20`;

/** Returns the names of the other schemas of this database that have tables of an installation and may be read. */
export async function otherSchemas(db: Db): Promise<string[]> {
  return (await db.query<{ name: string }>(OTHERS)).rows.map(({ name }) => name);
}

/** How another schema is used. */
export interface SchemaUse {
  liveWorkers: number;
  /** Whether it has tasks that have not ended. */
  hasOpenTasks: boolean;
}

/** Returns how another schema is used. */
export async function useOfSchema(db: Db, name: string): Promise<SchemaUse> {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  const text = `
select (select count(*)::int from ${quoted}.worker where state = 'alive' and lease_until > now()) "liveWorkers",
       exists (select 1 from ${quoted}.task where done_at is null) "hasOpenTasks"`;
  return (await db.query<SchemaUse>(made(OTHERS, text))).rows[0]!;
}

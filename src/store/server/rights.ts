import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

// Not hot: only for messages, and for commands that administer the database.
const ROLE_FACTS = sql('role_facts')`
select current_user::text role, current_database()::text database,
       (select pg_get_userbyid(coalesce(c.relowner, n.nspowner))::text
          from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relname = 'migration'
         where n.nspname = 'tasker') owner`;

/** The role of a connection, and the owner of its schema. */
export interface RoleFacts {
  role: string;
  database: string;
  /** The role that migrates the schema; null if the schema does not exist. */
  owner: string | null;
}

/** Returns the role of a connection, and the owner of its schema. Needs no rights on the schema. */
export async function roleFacts(db: Db): Promise<RoleFacts> {
  return (await db.query<RoleFacts>(ROLE_FACTS)).rows[0]!;
}

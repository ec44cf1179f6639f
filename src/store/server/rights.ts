import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** The access of a role to the schema. `write`: for workers, servers and commands. `read`: for reports. */
export type Access = 'write' | 'read';

// Not hot: only for messages, and for commands that administer the database.
const ROLE_FACTS = sql('role_facts')`
select current_user::text role,
       (select pg_get_userbyid(coalesce(c.relowner, n.nspowner))::text
          from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relname = 'migration'
         where n.nspname = 'tasker') owner`;

/** The role of a connection, and the owner of its schema. */
export interface RoleFacts {
  role: string;
  /** The role that migrates the schema; null if the schema does not exist. */
  owner: string | null;
}

/** Returns the role of a connection, and the owner of its schema. Needs no rights on the schema. */
export async function roleFacts(db: Db): Promise<RoleFacts> {
  return (await db.query<RoleFacts>(ROLE_FACTS)).rows[0]!;
}

/**
 * The rights that a role needs for `$2`, one row for each object and privilege. Truncating the queue removes dead rows, and
 * needs a temporary table for the live ones. The server may evaluate `has` before it excludes other kinds of relations.
 */
const NEEDED = `
  select 1 place, 'database' kind, current_database()::text name, p privilege,
         has_database_privilege($1::name, current_database(), p) has
    from unnest(case $2 when 'write' then array['connect', 'temporary'] else array['connect'] end) p
  union all
  select 2, 'schema', n.nspname::text, 'usage', has_schema_privilege($1::name, n.oid, 'usage') from n
  union all
  select 3, 'table', c.relname::text, p, has_table_privilege($1::name, c.oid, p)
    from n join pg_class c on c.relnamespace = n.oid and c.relkind = 'r'
   cross join unnest(case when $2 = 'read' or c.relname = 'migration' then array['select']
                          when c.relname = 'queue' then array['select', 'insert', 'update', 'delete', 'truncate']
                          else array['select', 'insert', 'update', 'delete'] end) p
  union all
  select 4, 'sequence', c.relname::text, 'usage', case when c.relkind = 'S' then has_sequence_privilege($1::name, c.oid, 'usage') end
    from n join pg_class c on c.relnamespace = n.oid and c.relkind = 'S' where $2 = 'write'
  union all
  select 5, 'function', p.proname::text, 'execute', has_function_privilege($1::name, p.oid, 'execute')
    from n join pg_proc p on p.pronamespace = n.oid`;

// Not hot: reads only the catalogs, for commands that administer the database.
const MISSING_RIGHTS = sql('missing_rights')`
with n as (select oid, nspname from pg_namespace where nspname = 'tasker'),
needed as (${NEEDED})
select kind, name, array_agg(distinct privilege) privileges from needed where not has
 group by place, kind, name order by place, name`;

/** Privileges on an object that a role lacks. */
export interface MissingRight {
  kind: 'database' | 'schema' | 'table' | 'sequence' | 'function';
  name: string;
  privileges: string[];
}

/** Returns the rights that a role lacks for an access, and none for a superuser or the owner. The role must exist. */
export async function missingRights(db: Db, role: string, access: Access): Promise<MissingRight[]> {
  return (await db.query<MissingRight>(MISSING_RIGHTS, [role, access])).rows;
}

// The default privileges of a role are those of all schemas, or else the built-in ones, and those of the schema.
// Not hot: reads only the catalogs, for commands that administer the database.
const MISSING_DEFAULTS = sql('missing_default_rights')`
with n as (select oid from pg_namespace where nspname = 'tasker'),
owners as (select distinct c.relowner id from n join pg_class c on c.relnamespace = n.oid and c.relkind = 'r'),
needed (type, builtin, privilege) as (values
  ('r'::"char", 'r'::"char", 'SELECT'), ('r', 'r', 'INSERT'), ('r', 'r', 'UPDATE'), ('r', 'r', 'DELETE'),
  ('S', 's', 'USAGE'), ('f', 'f', 'EXECUTE')),
given as (
  select o.id, w.type, a.grantee, a.privilege_type
    from owners o cross join (select distinct type, builtin from needed) w
   cross join lateral aclexplode(coalesce(
     (select d.defaclacl from pg_default_acl d where d.defaclrole = o.id and d.defaclnamespace = 0 and d.defaclobjtype = w.type),
     acldefault(w.builtin, o.id))) a
  union all
  select o.id, d.defaclobjtype, a.grantee, a.privilege_type
    from owners o cross join n join pg_default_acl d on d.defaclrole = o.id and d.defaclnamespace = n.oid
   cross join lateral aclexplode(d.defaclacl) a)
select distinct pg_get_userbyid(o.id)::text owner from owners o cross join needed w
 where not pg_has_role($1::name, o.id, 'USAGE') and not exists (
   select from given g where g.id = o.id and g.type = w.type and g.privilege_type = w.privilege
      and (g.grantee = 0 or pg_has_role($1::name, g.grantee, 'USAGE')))
 order by 1`;

/** Returns the owners of tables whose later tables, sequences or functions a role could not use. */
export async function missingDefaultRights(db: Db, role: string): Promise<string[]> {
  return (await db.query<{ owner: string }>(MISSING_DEFAULTS, [role])).rows.map(({ owner }) => owner);
}

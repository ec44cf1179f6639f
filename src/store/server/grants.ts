import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';
import type { Access, MissingRight } from './rights.ts';

// Not hot: reads only the catalogs, for a command that administers the database.
const GRANT_FACTS = sql('grant_facts')`
select r.oid is not null "exists", quote_ident($1) role, quote_ident('tasker') "schema", quote_ident(current_database()) "database",
       current_setting('server_version_num')::int version, o.owners, o.mine, o.isowner "isOwner"
  from (select array_agg(distinct quote_ident(pg_get_userbyid(c.relowner))) owners, bool_and(pg_has_role(c.relowner, 'USAGE')) mine,
               bool_or(pg_get_userbyid(c.relowner) = $1) isowner
          from pg_namespace n join pg_class c on c.relnamespace = n.oid and c.relkind = 'r' where n.nspname = 'tasker') o
  left join pg_roles r on r.rolname = $1`;

/** Facts for the grants to a role. Names are quoted where SQL requires it. */
export interface GrantFacts {
  exists: boolean;
  role: string;
  schema: string;
  database: string;
  /** The version of the server, such as 180004. */
  version: number;
  /** The owners of the tables; null if there are no tables. */
  owners: string[] | null;
  /** Whether the role of this connection may grant rights on all tables. */
  mine: boolean | null;
  /** Whether the role that receives the rights owns tables. */
  isOwner: boolean | null;
}

/** Returns facts for the grants to a role. */
export async function grantFacts(db: Db, role: string): Promise<GrantFacts> {
  return (await db.query<GrantFacts>(GRANT_FACTS, [role])).rows[0]!;
}

/** The version from which a role that does not own a table may be allowed to vacuum it. */
const MAINTAIN = 170_000;

/**
 * Returns the statements that grant a role its rights, for the owner of the schema. `missing`: the rights that the role
 * lacks now. Rights on the database usually come with the database, so they are granted only if they are missing.
 */
export function grantStatements(
  { role, schema, database, version, owners }: GrantFacts,
  { access, missing }: { access: Access; missing: readonly MissingRight[] },
): string[] {
  const writes = access === 'write';
  const ofDatabase = missing.filter(({ kind }) => kind === 'database').flatMap(({ privileges }) => privileges);
  const onTables = writes ? 'select, insert, update, delete' : 'select';
  const given: [privileges: string, objects: string][] = [
    [onTables, 'tables'],
    ...(writes ? [['usage', 'sequences'] as [string, string]] : []),
    ['execute', 'functions'],
  ];
  return [
    ...(ofDatabase.length > 0 ? [`grant ${ofDatabase.join(', ')} on database ${database} to ${role}`] : []),
    `grant usage on schema ${schema} to ${role}`,
    ...given.map(([privileges, all]) => `grant ${privileges} on all ${all} in schema ${schema} to ${role}`),
    ...(writes
      ? [
          `revoke insert, update, delete on ${schema}.migration from ${role}`,
          `grant truncate${version >= MAINTAIN ? ', maintain' : ''} on ${schema}.queue to ${role}`,
        ]
      : []),
    ...(owners ?? []).flatMap((owner) =>
      given.map(
        ([privileges, later]) =>
          `alter default privileges for role ${owner} in schema ${schema} grant ${privileges} on ${later} to ${role}`,
      ),
    ),
  ];
}

// Not hot: grants rights, for a command that administers the database.
const GRANT = sql('grant_rights')``;

/** Runs statements of {@link grantStatements}. */
export async function runGrants(db: Db, statements: readonly string[]): Promise<void> {
  for (const text of statements) await db.query(made(GRANT, text));
}

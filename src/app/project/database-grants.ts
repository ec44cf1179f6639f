import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { migrateCommand } from '../../engine/migrate.ts';
import { phraseRights } from '../../engine/rights.ts';
import { TaskerError } from '../../errors.ts';
import { type GrantFacts, grantFacts, grantStatements, runGrants } from '../../store/server/grants.ts';
import { type Access, missingRights } from '../../store/server/rights.ts';
import { type DatabaseChoice, openForTools } from './database-admin.ts';

/** Options of {@link databaseGrants}. */
export interface GrantOptions {
  role: string;
  access: Access;
  /** Whether to run the statements. */
  apply: boolean;
}

/** The statements that grant a role its rights on a schema. */
export interface DatabaseGrants {
  place: string;
  schema: string;
  role: string;
  access: Access;
  /** The roles that own the tables, usually one. One of them, or a superuser, runs the statements. */
  owners: string[];
  statements: string[];
  applied: boolean;
}

/**
 * Returns the statements that grant a role its rights on the schema, and runs them if requested.
 * @throws TaskerError `bad_request` if the role does not exist or owns the tables, `schema_behind` if there are no tables,
 * `rights_missing` if the role of the connection may not grant the rights
 */
export async function databaseGrants(choice: DatabaseChoice, options: GrantOptions): Promise<DatabaseGrants> {
  const open = await openForTools(choice);
  try {
    const { database } = open;
    const { role, access, apply } = options;
    const facts = await grantFacts(database, role);
    const owners = checked(database, role, facts);
    const statements = grantStatements(facts, { access, missing: await missingRights(database, role, access) });
    if (apply) await applyGrants(database, { ...options, facts, owners, statements });
    const { place, schema } = database;
    return { place, schema: schema.name, role, access, owners, statements, applied: apply };
  } finally {
    await open.close();
  }
}

/** Returns the owners of the tables. */
function checked(database: Database, role: string, { exists, owners, isOwner }: GrantFacts): string[] {
  const { place } = database;
  if (owners === null) {
    throw new TaskerError(
      'schema_behind',
      `${place} has no tables yet; run \`${migrateCommand(database)}\` first, as the role that is to own them`,
    );
  }
  if (!exists) {
    throw new TaskerError(
      'bad_request',
      `the role ${role} does not exist in ${place}; create it with \`create role\`, for example in \`npx tasker db psql\``,
    );
  }
  if (isOwner) {
    throw new TaskerError(
      'bad_request',
      `the role ${role} owns the tables of ${place}, and needs no grants; name another role`,
    );
  }
  return owners;
}

async function applyGrants(
  database: Database,
  {
    role,
    access,
    facts,
    owners,
    statements,
  }: GrantOptions & { facts: GrantFacts; owners: string[]; statements: string[] },
): Promise<void> {
  if (!facts.mine) {
    throw new TaskerError(
      'rights_missing',
      `only ${owners.join(', ')} can grant rights on the tables of ${database.place}; connect as that role, or as a superuser`,
    );
  }
  await database.transaction(opening(), (tx) => runGrants(tx, statements));
  const missing = await missingRights(database, role, access);
  if (missing.length === 0) return;
  throw new TaskerError(
    'rights_missing',
    `the role ${role} still lacks ${phraseRights(missing)} in ${database.place}, which the role of this connection cannot grant; run the statements that the command prints without --apply as a superuser`,
  );
}

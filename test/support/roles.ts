import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { migrateDatabase } from '../../src/app/project/database-admin.ts';
import { freshDatabase, type Sql } from './database.ts';

/** A role that may log in, and the URL of the database with its password. */
export interface TestRole {
  role: string;
  url: string;
}

/** A database whose schema belongs to a role that is not a superuser. */
export interface OwnedDatabase {
  /** The superuser's queries, and URL. */
  sql: Sql;
  url: string;
  name: string;
  /** May create schemas in this database. */
  owner: TestRole;
  /** Creates a role without rights on the schema. */
  createRole(): Promise<TestRole>;
}

/**
 * Creates a database without tables, and the role that may create them. They are removed when the test ends, with the
 * other roles.
 */
export async function ownedDatabase({ migrated = true } = {}): Promise<OwnedDatabase> {
  const { url, sql, drop } = await freshDatabase();
  await sql('drop schema tasker cascade');
  const [{ name } = { name: '' }] = await sql<{ name: string }>('select current_database() as name');
  const roles: string[] = [];
  onTestFinished(async () => {
    for (const role of roles) await sql(`drop owned by ${role} cascade; drop role ${role}`);
    await drop();
  });
  const createRole = async () => {
    const role = `role_${randomBytes(6).toString('hex')}`;
    await sql(`create role ${role} login password 'secret'`);
    roles.unshift(role);
    const as = new URL(url);
    as.username = role;
    as.password = 'secret';
    return { role, url: as.toString() };
  };
  const owner = await createRole();
  await sql(`grant create on database ${name} to ${owner.role}`);
  if (migrated) await migrateDatabase({ databaseUrl: owner.url });
  return { sql, url, name, owner, createRole };
}

/** Makes the last migration pending again. */
export async function forgetMigration(sql: Sql): Promise<void> {
  await sql('delete from tasker.migration where id = (select max(id) from tasker.migration)');
}

import { describe, expect, it } from 'vitest';
import { migrateDatabase } from '../../../src/app/project/database-admin.ts';
import { databaseGrants } from '../../../src/app/project/database-grants.ts';
import { openSession } from '../../support/database.ts';
import { ownedDatabase } from '../../support/roles.ts';

const WRITE = { access: 'write', apply: false } as const;
const READ = { access: 'read', apply: false } as const;

/** Returns an error of the server for a statement of a role, or `ok`. */
async function tried(url: string, statement: string): Promise<string> {
  const session = await openSession(url);
  return session.query(statement).then(
    () => 'ok',
    (error: Error) => error.message,
  );
}

describe('the statements for a role', () => {
  it('give an application rights on rows, sequences and functions, and read access to the log of migrations', async () => {
    const { owner, createRole } = await ownedDatabase();
    const { role } = await createRole();
    const found = await databaseGrants({ databaseUrl: owner.url }, { role, ...WRITE });
    const defaults = `alter default privileges for role ${owner.role} in schema tasker grant`;
    expect(found).toEqual({
      place: expect.stringContaining(owner.role),
      schema: 'tasker',
      role,
      access: 'write',
      owners: [owner.role],
      statements: [
        `grant usage on schema tasker to ${role}`,
        `grant select, insert, update, delete on all tables in schema tasker to ${role}`,
        `grant usage on all sequences in schema tasker to ${role}`,
        `grant execute on all functions in schema tasker to ${role}`,
        `revoke insert, update, delete on tasker.migration from ${role}`,
        `grant truncate, maintain on tasker.queue to ${role}`,
        `${defaults} select, insert, update, delete on tables to ${role}`,
        `${defaults} usage on sequences to ${role}`,
        `${defaults} execute on functions to ${role}`,
      ],
      applied: false,
    });
  });

  it('give a reader only rights to read', async () => {
    const { owner, createRole } = await ownedDatabase();
    const { role, url } = await createRole();
    const { statements } = await databaseGrants({ databaseUrl: owner.url }, { role, ...READ, apply: true });
    expect(statements.join('\n')).not.toMatch(/insert|update|delete|truncate|usage on all/);
    expect(await tried(url, 'select * from tasker.task')).toBe('ok');
    expect(await tried(url, 'delete from tasker.task')).toBe('permission denied for table task');
  });

  it('include the rights on the database that others do not have either', async () => {
    const { sql, name, owner, createRole } = await ownedDatabase();
    const { role } = await createRole();
    await sql(`revoke temporary on database ${name} from public`);
    const { statements } = await databaseGrants({ databaseUrl: owner.url }, { role, ...WRITE });
    expect(statements[0]).toBe(`grant temporary on database ${name} to ${role}`);
    await expect(databaseGrants({ databaseUrl: owner.url }, { role, ...WRITE, apply: true })).rejects.toMatchObject({
      code: 'rights_missing',
      message: expect.stringMatching(
        `^the role ${role} still lacks temporary on the database ${name} in .* as a superuser$`,
      ),
    });
  });

  it('quote the name of a role that needs it', async () => {
    const { sql, owner } = await ownedDatabase();
    await sql('create role "shop-App"');
    try {
      const { statements } = await databaseGrants(
        { databaseUrl: owner.url },
        { role: 'shop-App', ...WRITE, apply: true },
      );
      expect(statements[0]).toBe('grant usage on schema tasker to "shop-App"');
    } finally {
      await sql('drop owned by "shop-App"; drop role "shop-App"');
    }
  });
});

describe('a role that received its rights', () => {
  it('can use the tables of a later migration, but cannot change the log of migrations', async () => {
    const { owner, createRole } = await ownedDatabase();
    const { role, url } = await createRole();
    await databaseGrants({ databaseUrl: owner.url }, { role, ...WRITE, apply: true });
    expect(await tried(owner.url, 'create table tasker.later (id int generated always as identity)')).toBe('ok');
    expect(await tried(url, `insert into tasker.later values (default); select nextval('tasker.later_id_seq')`)).toBe(
      'ok',
    );
    expect(await tried(url, 'select * from tasker.migration')).toBe('ok');
    expect(await tried(url, 'delete from tasker.migration')).toBe('permission denied for table migration');
    expect(await tried(url, 'alter table tasker.task add column more int')).toBe('must be owner of table task');
  });

  it('may receive them again, and in a schema whose name is a reserved word', async () => {
    const { owner, createRole } = await ownedDatabase({ migrated: false });
    const { role, url } = await createRole();
    const choice = { databaseUrl: owner.url, env: { TASKER_SCHEMA: 'order' } };
    await migrateDatabase(choice);
    for (let times = 0; times < 2; times++) await databaseGrants(choice, { role, ...WRITE, apply: true });
    expect(await tried(url, 'truncate "order".queue')).toBe('ok');
  });
});

describe('grants are refused', () => {
  it('for a role that does not exist, and for the owner', async () => {
    const { owner } = await ownedDatabase();
    const grant = (role: string) => databaseGrants({ databaseUrl: owner.url }, { role, ...WRITE, apply: true });
    await expect(grant('nobody_here')).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(/^the role nobody_here does not exist in .*create it with `create role`/),
    });
    await expect(grant(owner.role)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('owns the tables'),
    });
  });

  it('before the first migration', async () => {
    const { owner, createRole } = await ownedDatabase({ migrated: false });
    const { role } = await createRole();
    await expect(databaseGrants({ databaseUrl: owner.url }, { role, ...WRITE })).rejects.toMatchObject({
      code: 'schema_behind',
      message: expect.stringContaining('run `npx tasker db migrate` first'),
    });
  });

  it('if a role without the right applies them, which may still print them', async () => {
    const { owner, createRole } = await ownedDatabase();
    const { role, url } = await createRole();
    expect((await databaseGrants({ databaseUrl: url }, { role, ...WRITE })).statements).toHaveLength(9);
    await expect(databaseGrants({ databaseUrl: url }, { role, ...WRITE, apply: true })).rejects.toMatchObject({
      code: 'rights_missing',
      message: expect.stringMatching(`^only ${owner.role} can grant rights on the tables of `),
    });
  });
});

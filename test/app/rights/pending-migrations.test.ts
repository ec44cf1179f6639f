import { expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { migrateDatabase } from '../../../src/app/project/database-admin.ts';
import { forgetMigration, ownedDatabase } from '../../support/roles.ts';
import { DEMO, template } from '../../support/setup.ts';

/** Opens a tasker as a role, and stops it. */
async function open(databaseUrl: string, options: { migrate?: boolean } = {}): Promise<void> {
  const tasker = await createTasker({ databaseUrl, templates: template({ a: [] }), worker: false, ...options });
  await tasker.stop();
}

it('the error for a role that may not create the schema names the role, the pending migrations and the command', async () => {
  const { name, createRole } = await ownedDatabase({ migrated: false });
  const { role, url } = await createRole();
  const behind = {
    code: 'schema_behind',
    message: expect.stringMatching(
      new RegExp(
        `^postgres://${role}:\\*+@\\S+/${name}\\S* lacks 1 migration \\(0001_\\w+\\.sql\\), and the role ${role} may not apply it \\(permission denied for database ${name}\\); run \`npx tasker db migrate\` as a role that may create the schema$`,
      ),
    ),
    details: { pending: [expect.stringMatching(/^0001_/)] },
  };
  await expect(open(url)).rejects.toMatchObject(behind);
  await expect(migrateDatabase({ databaseUrl: url })).rejects.toMatchObject(behind);
});

it('the error for a role that does not own the schema names the owner', async () => {
  const { sql, owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await sql(`grant usage on schema tasker to ${role}; grant select on tasker.migration to ${role}`);
  await forgetMigration(sql);
  await expect(open(url)).rejects.toMatchObject({
    code: 'schema_behind',
    message: expect.stringMatching(
      new RegExp(
        `lacks 1 migration .*, and the role ${role} may not apply it \\(permission denied for schema tasker\\); run \`npx tasker db migrate\` as ${owner.role}, which owns the schema$`,
      ),
    ),
  });
});

it.each([true, false])(
  'the error for a role that may not read the schema names the command that prints the grants, with migrate %s',
  async (migrate) => {
    const { createRole } = await ownedDatabase();
    const { role, url } = await createRole();
    await expect(open(url, { migrate })).rejects.toMatchObject({
      code: 'rights_missing',
      message: expect.stringMatching(
        new RegExp(
          `^the role ${role} lacks a right in postgres://\\S+: permission denied for schema tasker; \`npx tasker db grants ${role}\` prints the statements that grant it$`,
        ),
      ),
    });
  },
);

it('so does the error for a role that may only read, when the program registers its templates', async () => {
  const { sql, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await sql(`grant usage on schema tasker to ${role}; grant select on all tables in schema tasker to ${role}`);
  await expect(open(url)).rejects.toMatchObject({
    code: 'rights_missing',
    message: expect.stringContaining(`permission denied for table`),
  });
});

it('a role that may write but owns nothing opens a schema without pending migrations', async () => {
  const { sql, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await sql(
    `grant usage on schema tasker to ${role}; grant select, insert, update, delete on all tables in schema tasker to ${role}`,
  );
  const tasker = await createTasker({ databaseUrl: url, templates: template({ a: [] }), worker: false });
  await tasker.createTask(DEMO);
  await tasker.stop();
});

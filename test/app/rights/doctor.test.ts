import { expect, it } from 'vitest';
import { migrateDatabase } from '../../../src/app/project/database-admin.ts';
import { databaseGrants } from '../../../src/app/project/database-grants.ts';
import { examine } from '../../../src/app/project/doctor.ts';
import { ownedDatabase } from '../../support/roles.ts';

/** Returns the statuses of all checks, and the check of the rights. */
async function examined(databaseUrl: string, env: Record<string, string> = {}) {
  const checks = await examine({ databaseUrl, env, templates: [], handlers: [] });
  const statuses = Object.fromEntries(checks.map(({ name, status }) => [name, status]));
  return { statuses, rights: checks.find(({ name }) => name === 'rights') };
}

it('doctor reports no problem for the owner, a superuser, and a role with the grants', async () => {
  const { url, owner, createRole } = await ownedDatabase();
  const { role, url: ofRole } = await createRole();
  await databaseGrants({ databaseUrl: owner.url }, { role, access: 'write', apply: true });
  for (const one of [url, owner.url, ofRole]) {
    const { statuses, rights } = await examined(one);
    expect(rights).toEqual({ name: 'rights', status: 'ok', found: expect.any(String) });
    expect(Object.values(statuses)).not.toContain('fail');
  }
  expect((await examined(owner.url)).rights!.found).toBe(`the role ${owner.role} owns the tables`);
  expect((await examined(ofRole)).rights!.found).toBe(`the role ${role} has the rights of workers and servers`);
});

it('doctor reports no problem for a member of a group with the grants', async () => {
  const { sql, owner, createRole } = await ownedDatabase();
  const group = await createRole();
  const { role, url } = await createRole();
  await sql(`grant ${group.role} to ${role}`);
  await databaseGrants({ databaseUrl: owner.url }, { role: group.role, access: 'write', apply: true });
  expect((await examined(url)).rights).toMatchObject({ status: 'ok' });
});

it('doctor names the first missing rights, and the command that prints the grants', async () => {
  const { sql, owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await databaseGrants({ databaseUrl: owner.url }, { role, access: 'write', apply: true });
  await sql(
    `revoke truncate on tasker.queue from ${role}; revoke update, delete on tasker.wait, tasker.task, tasker.vote from ${role}`,
  );
  await sql('revoke execute on function tasker.iso from public, ' + role);
  const { statuses, rights } = await examined(url);
  expect(rights).toEqual({
    name: 'rights',
    status: 'fail',
    found: `the role ${role} lacks truncate on the table queue; delete, update on the table task; delete, update on the table vote; and rights on 2 more`,
    wayOut: `run the statements of \`npx tasker db grants ${role}\` as ${owner.role}`,
  });
  expect(statuses).toMatchObject({ database: 'ok', schema: 'ok', queue: 'skip', workers: 'skip' });
});

it('doctor reports a role without any right, and one that may only read', async () => {
  const { owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  const none = await examined(url);
  expect(none.rights).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('lacks usage on the schema tasker; '),
  });
  expect(none.statuses).toMatchObject({ database: 'ok', schema: 'fail', queue: 'skip', notifications: 'ok' });

  await databaseGrants({ databaseUrl: owner.url }, { role, access: 'read', apply: true });
  const reader = await examined(url);
  expect(reader.rights).toMatchObject({
    status: 'warn',
    found: expect.stringContaining(`the role ${role} may only read`),
  });
  expect(reader.statuses).toMatchObject({ schema: 'ok', queue: 'ok', served: 'ok' });
});

it('doctor warns if the tables of a later migration would not be accessible', async () => {
  const { sql, owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await databaseGrants({ databaseUrl: owner.url }, { role, access: 'write', apply: true });
  await sql(`alter default privileges for role ${owner.role} in schema tasker revoke insert on tables from ${role}`);
  expect((await examined(url)).rights).toEqual({
    name: 'rights',
    status: 'warn',
    found: `the role ${role} will have no rights on the tables of later migrations: ${owner.role} has no default privileges for it`,
    wayOut: `run the statements of \`npx tasker db grants ${role}\` as ${owner.role}`,
  });
});

it('doctor names the schema in the command, and skips the rights before the first migration', async () => {
  const { owner, createRole } = await ownedDatabase({ migrated: false });
  const { role, url } = await createRole();
  expect((await examined(url)).rights).toMatchObject({ status: 'skip' });
  const env = { TASKER_SCHEMA: 'shop' };
  await migrateDatabase({ databaseUrl: owner.url, env });
  expect((await examined(url, env)).rights).toMatchObject({
    status: 'fail',
    wayOut: `run the statements of \`npx tasker db grants ${role} --schema shop\` as ${owner.role}`,
  });
});

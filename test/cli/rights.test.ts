import { expect, it } from 'vitest';
import { forgetMigration, ownedDatabase } from '../support/roles.ts';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from './installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });

/** The lines of standard error that are not lines of a worker's log. */
const errorsOf = (stderr: string) => stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));

it.each([
  ['worker', []],
  ['server', ['--bind', '127.0.0.1:0']],
  ['db', ['migrate']],
])('%s without the right to apply a pending migration exits with 3, and prints one sentence', async (command, more) => {
  const { sql, owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await sql(`grant usage on schema tasker to ${role}; grant select on tasker.migration to ${role}`);
  await forgetMigration(sql);
  const { code, stderr } = await on.project.run([command, ...more], { env: { DATABASE_URL: url } });
  expect([code, errorsOf(stderr)]).toEqual([
    3,
    [
      expect.stringMatching(
        new RegExp(
          `^error: postgres://${role}.* lacks 1 migration .*; run \`npx tasker db migrate\` as ${owner.role}, which owns the schema$`,
        ),
      ),
    ],
  ]);
});

it('a command of a role that may only read fails with the command that prints the grants', async () => {
  const { sql, owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  const task = (await on.project.run(['task', 'create', 'pair'], { env: { DATABASE_URL: owner.url } })).stdout.trim();
  await sql(`grant usage on schema tasker to ${role}; grant select on all tables in schema tasker to ${role}`);
  const env = { DATABASE_URL: url };
  expect(await on.project.run(['task', 'list'], { env })).toMatchObject({ code: 0 });
  const cancelled = await on.project.run(['task', 'cancel', task], { env });
  expect([cancelled.code, cancelled.stderr]).toEqual([
    3,
    expect.stringMatching(
      new RegExp(
        `^error: the role ${role} lacks a right in postgres:\\S+: permission denied for table \\w+; \`npx tasker db grants ${role}\` prints the statements that grant it\n$`,
      ),
    ),
  ]);
});

it('db grants prints statements that psql can run, and runs them with --apply', async () => {
  const { owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  const env = { DATABASE_URL: owner.url };
  const printed = await on.project.run(['db', 'grants', role], { env });
  expect(printed).toMatchObject({ code: 0, stderr: `run these statements as ${owner.role}, or with --apply\n` });
  expect(printed.stdout).toMatch(new RegExp(`^grant usage on schema tasker to ${role};\n(?:.*;\n)+$`));
  const read = await on.project.json(['db', 'grants', role, '--read-only'], { env });
  expect(read).toMatchObject({ role, schema: 'tasker', access: 'read', owners: [owner.role], applied: false });

  const applied = await on.project.run(['db', 'grants', role, '--apply'], { env });
  expect(applied).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(`^postgres:.*: ${role} may now read and write the schema tasker\n$`),
  });
  expect(await on.project.run(['task', 'create', 'pair'], { env: { DATABASE_URL: url } })).toMatchObject({ code: 0 });

  const refused = await on.project.run(['db', 'grants', 'absent'], { env });
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/^error: the role absent does not exist in /),
  ]);
});

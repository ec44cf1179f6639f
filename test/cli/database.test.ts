import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { installation, PAIR } from './installation.ts';

let place: Awaited<ReturnType<typeof installation>>;

beforeAll(async () => {
  place = await installation();
});

afterAll(() => place?.remove());

it('commands with --database-url work with one warning while tasker.toml is invalid', async () => {
  const database = await freshDatabase();
  try {
    const shop = await place.project('broken');
    await shop.write('templates/pair.yaml', PAIR);
    const id = await shop.create('pair', '--database-url', database.url);
    for (const toml of ['[common.execution\nenvironment =', '[events]\nconcurrency = "many"\n']) {
      await shop.write('tasker.toml', toml);
      for (const command of [
        ['task', 'list'],
        ['task', 'get', id],
        ['task', 'why', id],
        ['task', 'create', 'pair'],
        ['step', 'list', id],
        ['event', 'list'],
        ['db', 'status'],
        ['db', 'migrate'],
        ['db', 'psql', '--url'],
      ]) {
        const { code, stderr } = await shop.run([...command, '--database-url', database.url]);
        expect([command, code, stderr.match(/configuration invalid, using the defaults/g)?.length ?? 0]).toEqual([
          command,
          0,
          command.join(' ') === 'db status' ? 0 : 1,
        ]);
      }
      const without = await shop.run(['task', 'list'], { endsEarly: true });
      expect([without.code, without.stderr]).toEqual([3, expect.stringContaining('tasker.toml')]);
    }
    const worker = await shop.run(['worker', '--database-url', database.url]);
    expect([worker.code, worker.stderr]).toEqual([3, expect.stringContaining('tasker.toml')]);
    const wrong = await shop.run(['task', 'list', '--database-url', 'mysql://x']);
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining('PostgreSQL URL')]);
  } finally {
    await database.drop();
  }
});

it('db start reports an unusable folder in one line', async () => {
  const blocked = await place.project('blocked');
  await blocked.write('.tasker', 'a file where the folder should be');
  const { code, stderr, stdout } = await blocked.run(['db', 'start']);
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(/^error: .*\.tasker/)]);
});

it('only db migrate changes the schema of a server', async () => {
  const database = await freshDatabase();
  try {
    await database.sql('drop schema tasker cascade');
    const shop = await place.project('server', { DATABASE_URL: database.url });
    const behind = await shop.run(['task', 'list']);
    expect([behind.code, behind.stderr]).toEqual([3, expect.stringContaining('npx tasker db migrate')]);
    expect((await shop.run(['db', 'status'])).stdout).toContain('pending: 0001');
    expect(await shop.json(['db', 'migrate'])).toMatchObject({
      applied: expect.arrayContaining([expect.stringMatching(/^0001/)]),
    });
    expect(await shop.json(['task', 'list'])).toMatchObject({ tasks: [], total: 0 });
    const start = await shop.run(['db', 'start']);
    expect([start.code, start.stderr]).toEqual([
      2,
      expect.stringContaining('cannot start the server of a database URL'),
    ]);
  } finally {
    await database.drop();
  }
});

it.each([
  ['TASKER_ENV', 'bare'],
  ['NODE_ENV', 'plain'],
])('with %s=production, commands ask for a server and do not suggest the embedded server', async (variable, name) => {
  const bare = await place.project(name);
  const env = { [variable]: 'production' };
  const endsEarly = true;
  const embedded = /npx tasker(-core)? dev\b/;
  for (const command of [
    ['task', 'list'],
    ['event', 'list'],
    ['task', 'create', 'pair'],
  ]) {
    const { code, stderr } = await bare.run(command, { env, endsEarly });
    expect([code, stderr]).toEqual([3, expect.stringContaining('set it to your PostgreSQL server')]);
    expect(stderr).not.toMatch(embedded);
  }
  const { stdout } = await bare.run(['doctor'], { env });
  expect(stdout).toContain('DATABASE_URL');
  expect(stdout).not.toMatch(/database.*tasker(-core)? dev/);
  const status = await bare.run(['db', 'status'], { env, endsEarly });
  expect(status.stdout).toContain('not created; set DATABASE_URL to your PostgreSQL server');
  expect(status.stdout).not.toMatch(embedded);
  expect((await bare.run(['task', 'list'], { endsEarly })).stderr).toMatch(embedded);
  expect((await bare.run(['db', 'status'], { endsEarly })).stdout).toMatch(embedded);
});

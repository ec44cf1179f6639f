import { existsSync } from 'node:fs';
import { chmod, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { installation, PAIR, type Project } from './installation.ts';

const CREATE = ['task', 'create', 'pair'];

let place: Awaited<ReturnType<typeof installation>>;
let project: Project;

beforeAll(async () => {
  place = await installation();
  project = await place.project('shop');
  await project.write('templates/pair.yaml', PAIR);
});

afterAll(async () => {
  await project?.run(['db', 'stop']);
  await place?.remove();
});

it('db start starts an embedded server that other commands share until db stop', async () => {
  const started = await project.json<{ pid: number; started: boolean }>(['db', 'start']);
  expect(started.started).toBe(true);
  expect(await project.json(['db', 'start'])).toMatchObject({ pid: started.pid, started: false });

  const id = await project.create('pair');
  expect(await project.json(['db', 'status'])).toMatchObject({
    kind: 'embedded',
    running: true,
    in_use: true,
    pid: started.pid,
    schema: { pending: [] },
  });

  expect(await project.json(['db', 'stop'])).toMatchObject({ stopped: true });
  const status = await project.run(['db', 'status']);
  expect([status.code, status.stdout]).toEqual([1, expect.stringContaining('not running')]);
  expect((await project.run(['db', 'stop'])).stderr).toContain('no server runs');

  expect(await project.json(['task', 'get', id])).toMatchObject({ task_uuid: id });
});

it('task create in a subfolder uses the embedded database of the project, and reports when it creates one', async () => {
  const shop = await place.project('nested');
  await shop.write('package.json', '{}');
  await shop.write('templates/pair.yaml', PAIR);
  const first = await shop.run(CREATE);
  expect([first.code, first.stderr]).toEqual([
    0,
    expect.stringMatching(/created an embedded database in .*nested.\.tasker$/m),
  ]);
  await shop.write('src/orders/notes.txt', '');
  const second = await shop.start(CREATE, { folder: 'src/orders' }).ended;
  expect([second.code, second.stderr]).toEqual([0, expect.not.stringContaining('created')]);
  expect(existsSync(path.join(shop.folder, 'src/orders/.tasker'))).toBe(false);
  expect(await shop.json(['task', 'list'])).toMatchObject({ total: 2 });
});

it('the server of db start keeps running while tasker.toml is invalid', async () => {
  await project.json(['db', 'start']);
  const { url } = await project.json<{ url: string }>(['db', 'psql']);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await project.write('tasker.toml', '[common.execution\nenvironment =');
    // Longer than the interval at which the process that holds the server checks the server.
    await client.query('select pg_sleep(2)');
    expect((await client.query<{ up: boolean }>('select true as up')).rows).toEqual([{ up: true }]);

    await project.write('tasker.toml', '[common.database]\nembedded_folder = "elsewhere"\n');
    await client.query('select pg_sleep(1)');
  } finally {
    await client.end();
    await rm(path.join(project.folder, 'tasker.toml'), { force: true });
  }
  expect(await project.json(['db', 'stop'])).toMatchObject({ stopped: true });
});

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

it('db psql opens psql, or prints the URL if it is not installed', async () => {
  const without = await project.run(['db', 'psql'], { env: { PATH: '/nowhere' } });
  expect([without.code, without.stderr]).toEqual([0, expect.stringContaining('psql is not in PATH')]);
  expect(without.stdout).toMatch(/^postgres:\/\/.*tasker/);

  await project.write(
    'tools/psql',
    `#!${process.execPath}
require('node:fs').writeFileSync('psql.json', JSON.stringify([process.argv.slice(2), process.env.PGPASSWORD]));
process.exitCode = 7;
`,
  );
  await chmod(path.join(project.folder, 'tools/psql'), 0o755);
  const url = new URL(without.stdout.trim());
  const ran = await project.run(['db', 'psql', '--', '-c', 'select 1'], {
    env: { PATH: path.join(project.folder, 'tools') },
  });
  expect(ran.code).toBe(7);
  const [args, password] = JSON.parse(await readFile(path.join(project.folder, 'psql.json'), 'utf8')) as [
    string[],
    string,
  ];
  expect(args).toEqual(['-d', expect.stringContaining(url.pathname), '-c', 'select 1']);
  expect(password).toBe(url.password);
  expect(args.join(' ')).not.toContain(url.password);
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
    expect([behind.code, behind.stderr]).toEqual([1, expect.stringContaining('npx tasker db migrate')]);
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
  for (const command of [
    ['task', 'list'],
    ['event', 'list'],
    ['task', 'create', 'pair'],
  ]) {
    const { code, stderr } = await bare.run(command, { env, endsEarly });
    expect([code, stderr]).toEqual([3, expect.stringContaining('set it to your PostgreSQL server')]);
    expect(stderr).not.toContain('tasker dev');
  }
  const { stdout } = await bare.run(['doctor'], { env });
  expect(stdout).toContain('DATABASE_URL');
  expect(stdout).not.toMatch(/database.*tasker dev/);
  const status = await bare.run(['db', 'status'], { env, endsEarly });
  expect(status.stdout).toContain('not created; set DATABASE_URL to your PostgreSQL server');
  expect(status.stdout).not.toContain('tasker dev');
  expect((await bare.run(['task', 'list'], { endsEarly })).stderr).toContain('tasker dev');
  expect((await bare.run(['db', 'status'], { endsEarly })).stdout).toContain('tasker dev');
});

it('commands use the embedded server with NODE_ENV=production if TASKER_ENV or TASKER_EMBEDDED allows an embedded server', async () => {
  const shop = await place.project('chosen');
  await shop.write('templates/pair.yaml', PAIR);
  const refused = await shop.run(['task', 'create', 'pair'], { env: { NODE_ENV: 'production' }, endsEarly: true });
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('NODE_ENV is production')]);
  for (const [name, value, message] of [
    ['TASKER_ENV', 'staging', /^created an embedded database in .*\nno running worker/],
    ['TASKER_EMBEDDED', '1', /^no running worker/],
  ] as const) {
    const env = { NODE_ENV: 'production', [name]: value };
    const created = await shop.run(['task', 'create', 'pair'], { env });
    expect([created.code, created.stderr]).toEqual([0, expect.stringMatching(message)]);
  }
  await shop.write('tasker.toml', '[common.execution]\nenvironment = "staging"\n');
  const byFile = await shop.run(['task', 'list'], { env: { NODE_ENV: 'production' }, endsEarly: true });
  expect([byFile.code, byFile.stderr]).toEqual([3, expect.stringContaining('NODE_ENV is production')]);
});

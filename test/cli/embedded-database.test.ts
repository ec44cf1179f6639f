import { existsSync } from 'node:fs';
import { chmod, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

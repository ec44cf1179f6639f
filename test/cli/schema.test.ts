import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { DEMO, template } from '../support/setup.ts';
import { projectOnDatabase } from './installation.ts';

const on = projectOnDatabase({});
const NAMED = ['--schema', 'shop_tasks'];

const list = async (args: string[], env: Record<string, string> = {}) => {
  const { stdout } = await on.project.run(['task', 'list', '--json', ...args], { env });
  return (JSON.parse(stdout) as { tasks: { task_uuid: string }[] }).tasks.map((task) => task.task_uuid);
};

const schemasCheck = async (args: string[]) => {
  const { stdout } = await on.project.run(['doctor', '--json', ...args]);
  const { checks } = JSON.parse(stdout) as {
    checks: { name: string; status: string; found: string; way_out: string }[];
  };
  return checks.find(({ name }) => name === 'schemas');
};

const addWorker = (schema: string) =>
  on.database.sql(`insert into ${schema}.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
                   values ('w', 'h', 1, '{}', '{}', 1, now() + interval '1 hour')`);

let created: string;
beforeAll(async () => {
  const migrated = await on.project.json(['db', 'migrate', ...NAMED]);
  expect(migrated).toMatchObject({ applied: [expect.stringMatching(/^0001_/)] });
  const tasker = await createTasker({
    databaseUrl: on.database.url,
    schema: 'shop_tasks',
    templates: template({ a: [] }),
    worker: false,
    logger: silentLogger,
  });
  created = (await tasker.createTask(DEMO)).taskUuid;
  await tasker.stop();
});
afterAll(() => on.database.sql('drop schema shop_tasks cascade'));

describe('commands', () => {
  it('use the schema of --schema, of TASKER_SCHEMA or of the configuration, in this order', async () => {
    expect(await list([])).toEqual([]);
    expect(await list(NAMED)).toEqual([created]);
    expect(await list([], { TASKER_SCHEMA: 'shop_tasks' })).toEqual([created]);
    expect(await list(['--schema', 'tasker'], { TASKER_SCHEMA: 'shop_tasks' })).toEqual([]);
    await on.project.write('tasker.toml', '[common.database]\nschema = "shop_tasks"\n');
    expect(await list([])).toEqual([created]);
    expect(await list([], { TASKER_SCHEMA: 'tasker' })).toEqual([]);
    await on.project.write('tasker.toml', '');
  });

  it('show which schema they use', async () => {
    expect(await on.project.json(['db', 'status', ...NAMED])).toMatchObject({ schema_name: 'shop_tasks' });
    expect((await on.project.run(['db', 'status', ...NAMED])).stdout).toMatch(/^schema +shop_tasks, up to date/m);
    expect(await on.project.json(['db', 'psql', ...NAMED])).toMatchObject({ schema: 'shop_tasks' });
    expect((await on.project.run(['doctor', ...NAMED])).stdout).toMatch(/^ok +database .*, schema shop_tasks$/m);
  });

  it('reject a name that is not valid, and a schema of a server', async () => {
    const wrong = await on.project.run(['task', 'list', '--schema', 'Shop-Tasks']);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('it must be the name of a PostgreSQL schema'),
    ]);
    const both = await on.project.run(['task', 'list', ...NAMED, '--server', 'http://127.0.0.1:1']);
    expect(both.stderr).toBe('error: --server and --schema cannot be combined; pass one of them\n');
  });
});

describe('doctor', () => {
  it('reports other schemas with open tasks that no worker serves', async () => {
    expect(await schemasCheck([])).toMatchObject({
      status: 'warn',
      found: 'other schemas of this database have open tasks, and no live worker: shop_tasks',
      way_out: expect.stringContaining('npx tasker worker --schema shop_tasks'),
    });
  });

  it('reports workers of another schema if this one has none', async () => {
    await addWorker('shop_tasks');
    expect(await schemasCheck([])).toMatchObject({
      status: 'warn',
      found: expect.stringContaining(
        'no live worker serves the schema tasker, but other schemas of this database have workers: shop_tasks (1 live worker)',
      ),
    });
    await addWorker('tasker');
    expect(await schemasCheck([])).toMatchObject({
      status: 'ok',
      found: 'also in this database: shop_tasks (1 live worker)',
    });
  });
});

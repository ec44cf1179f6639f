// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of TOML files
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installation, type Project } from './installation.ts';

let place: Awaited<ReturnType<typeof installation>>;
let project: Project;

const COMMON = [
  '[common.database]',
  'url = "${DATABASE_URL:-postgres://ada:swordfish@db/shop}"',
  '[common.database.pool]',
  'max_connections = ${TASKER_INSTANCE_PORT:-25}',
  '[common.cache]',
  'enabled = true',
].join('\n');

beforeAll(async () => {
  place = await installation();
  project = await place.project('configured');
  await project.write('config/tasker/base/common.toml', COMMON);
  await project.write(
    'config/tasker/base/worker.toml',
    '[worker]\nnamespaces = ["shop", "mail"]\nlease_seconds = 20\n',
  );
  await project.write('config/tasker/environments/test/worker.toml', '[worker]\nnamespaces = ["shop"]\n');
  await project.write('broken.toml', '[worker]\nlease_seconds = "long"\nconcurency = 4\n[worker.web]\nenabled = 1\n');
});

afterAll(() => place?.remove());

it('config show prints the effective values and their sources, but no secrets', async () => {
  const { stdout, stderr, code } = await project.run(['config', 'show'], { env: { TASKER_ENV: 'test' } });
  expect(code).toBe(0);
  const line = (key: string) => stdout.split('\n').find((one) => one.startsWith(`${key} `));
  expect(line('common.database.url')).toMatch(/"postgres:\/\/ada:\*\*\*@db\/shop" +config.tasker.base.common\.toml:2$/);
  expect(line('worker.namespaces')).toMatch(/\["shop"\] +config.tasker.environments.test.worker\.toml:2$/);
  expect(line('worker.lease_seconds')).toMatch(/20 +config.tasker.base.worker\.toml:3$/);
  expect(line('common.execution.environment')).toMatch(/"test" +variable TASKER_ENV$/);
  expect(line('worker.web.enabled')).toMatch(/true +default$/);
  expect(stdout + stderr).not.toContain('swordfish');
  expect(stderr).toMatch(/^warning: .*keys without effect here: common\.cache\.\*/);
});

it('config show --json uses the file given with --config', async () => {
  await project.write('mine.toml', 'worker.worker_id = "mine"');
  const shown = await project.json<{ values: Record<string, unknown>; files: string[] }>([
    'config',
    'show',
    '--config',
    'mine.toml',
  ]);
  expect(shown.values['worker.worker_id']).toEqual({
    value: 'mine',
    from: 'file',
    name: 'worker.worker_id',
    file: 'mine.toml',
    line: 1,
  });
  expect(shown.files.map((file) => path.basename(file))).toEqual(['mine.toml']);
});

it('config validate reports every problem with file and line, and exits 1', async () => {
  const { stdout, code } = await project.run(['config', 'validate', 'broken.toml']);
  expect([code, stdout.trim().split('\n')]).toEqual([
    1,
    [
      'error: broken.toml:2: worker.lease_seconds must be a number of seconds from 0.1 to 2147483, got "long"',
      'error: broken.toml:5: worker.web.enabled must be true or false, got 1',
      'warning: broken.toml:3: unknown key worker.concurency is ignored',
    ],
  ]);
  const json = await project.run(['config', 'validate', 'broken.toml', '--json']);
  expect([json.code, JSON.parse(json.stdout)]).toMatchObject([
    1,
    {
      valid: false,
      problems: [{ severity: 'error', where: 'broken.toml', line: 2, key: 'worker.lease_seconds' }, {}, {}],
    },
  ]);
  const absent = await project.run(['config', 'validate', 'absent.toml']);
  expect([absent.code, absent.stdout]).toEqual([1, expect.stringMatching(/^error: .*absent\.toml does not exist/)]);
});

it('config validate accepts valid layers, and fails on warnings with --strict', async () => {
  const { stdout, code } = await project.run(['config', 'validate']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('2 files: valid, 1 warning')]);
  expect((await project.run(['config', 'validate', '--strict'])).code).toBe(1);
});

it('a worker does not start with an invalid configuration', async () => {
  const { stderr, code } = await project.run(['worker'], { env: { TASKER_CONFIG_PATH: 'broken.toml' } });
  expect([code, stderr]).toEqual([
    3,
    expect.stringContaining('broken.toml:5: worker.web.enabled must be true or false'),
  ]);
});

it('config explain accepts any name of a key', async () => {
  for (const name of ['worker.lease_seconds', 'leaseMs']) {
    const { stdout } = await project.run(['config', 'explain', name]);
    expect(stdout).toMatch(/^worker\.lease_seconds\n.+considered lost/);
    expect(stdout).toMatch(/default +30\n/);
    expect(stdout).toMatch(/current value +20 \(config.tasker.base.worker\.toml:3\)/);
  }
  expect(await project.json(['config', 'explain', 'TASKER_NAMESPACE'])).toMatchObject({
    key: 'worker.namespaces',
    value: ['shop', 'mail'],
  });
  expect((await project.run(['config', 'explain', 'common.cache.enabled'])).stdout).toMatch(
    /^common\.cache\.enabled is accepted but has no effect: templates are kept/,
  );
  expect((await project.run(['config', 'explain'])).stdout).toContain('worker.web.bind_address');
  const wrong = await project.run(['config', 'explain', 'worker.leese_seconds']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean worker.lease_seconds?')]);
});

it('config generate merges layers into one file with the same values', async () => {
  const args = ['config', 'generate', '-e', 'test', '-o', 'out/test.toml'];
  expect((await project.run(args)).stderr).toContain('complete configuration for test, from 3 files');
  const text = await readFile(path.join(project.folder, 'out', 'test.toml'), 'utf8');
  expect(text).toMatch(/^# Generated by `tasker config generate` from config\/tasker \(complete, test\)/);
  expect(text).toContain('url = "${DATABASE_URL:-postgres://ada:swordfish@db/shop}"');
  expect(text).toContain('max_connections = ${TASKER_INSTANCE_PORT:-25}');
  const values = async (env: Record<string, string>) => {
    const shown = await project.run(['config', 'show', '--json'], { env });
    const rows = Object.entries((JSON.parse(shown.stdout) as { values: Record<string, { value: unknown }> }).values);
    return rows.map(([key, { value }]) => [key, value]);
  };
  const ofLayers = await values({ TASKER_ENV: 'test' });
  expect(await values({ TASKER_ENV: 'test', TASKER_CONFIG_PATH: 'out/test.toml' })).toEqual(ofLayers);
  const worker = await project.run(['config', 'generate', '-e', 'test', '-c', 'common']);
  expect(worker.stdout).not.toContain('[worker]');
});

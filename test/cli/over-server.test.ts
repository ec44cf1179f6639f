import { spawnSync } from 'node:child_process';
import { chmod, readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase, type Running } from './installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });
const DONE = 'the server is closed';
let server: Running;
let url: string;
/** Serves the answers of routes that are read here, by path. */
let fake: Server;
const answers = new Map<string, unknown>();
const asked: { url: string; key: string | undefined }[] = [];

beforeAll(async () => {
  server = on.project.start(['server', '--bind', '127.0.0.1:0', '--json']);
  await server.until('server is ready');
  url = /"url":"([^"]+)"/.exec(server.output)![1]!;
  fake = createServer((request, response) => {
    asked.push({ url: request.url!, key: request.headers['x-api-key'] as string | undefined });
    const answer = answers.get(request.url!.split('?')[0]!);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { error: { code: 'NOT_FOUND', message: DONE } }));
  });
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server?.process.kill('SIGKILL');
  fake?.close();
});

const fakeUrl = () => `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;

/** Runs a command on a machine without a database: only the server is known. */
const over = (args: string[], env: Record<string, string> = {}) =>
  on.project.run(args, { env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', ...env } });

describe('over a server', () => {
  it('a task is created, shown, listed, followed and cancelled as in the database', async () => {
    const created = await over(['task', 'create', 'pair', '-i', '{"lucky":true}', '-t', 'remote', '--server', url]);
    expect([created.code, created.stderr]).toEqual([0, '']);
    const uuid = created.stdout.trim();
    const [here, there] = await Promise.all([
      on.project.run(['task', 'get', uuid]),
      over(['task', 'get', uuid, '--server', url]),
    ]);
    expect([there.code, there.stderr]).toEqual([0, '']);
    const shown = (text: string) => text.replaceAll(/\d+ (ms|s)\b/g, 'N');
    expect(shown(there.stdout)).toBe(shown(here.stdout));
    const env = { TASKER_ORCHESTRATION_URL: url };
    const list = async () =>
      JSON.parse((await over(['task', 'list', '--tag', 'remote', '--json'], env)).stdout) as unknown;
    // The list is written after the commit of a task.
    await expect.poll(list).toMatchObject({ tasks: [{ task_uuid: uuid, status: 'pending' }], total: 1 });
    const following = on.project.start(['task', 'watch', uuid, '--server', url]);
    const cancelled = await over(['task', 'cancel', uuid, '--json'], env);
    expect(JSON.parse(cancelled.stdout)).toEqual({ task_uuid: uuid, cancelled: true, status: 'cancelled' });
    const followed = await following.ended;
    expect([followed.code, followed.stdout]).toEqual([1, expect.stringContaining('task cancelled')]);
    const again = await over(['task', 'cancel', uuid], env);
    expect([again.code, again.stderr]).toEqual([0, `${uuid} has already ended: it is cancelled\n`]);
  });

  it('a task with the same key is refused, or its id is printed', async () => {
    const args = ['task', 'create', 'demo/pair@1.0.0', '-k', 'same', '--server', url];
    const first = await over(args);
    const second = await over(args);
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining('pass --return-existing')]);
    const third = await over([...args, '--return-existing']);
    expect([third.code, third.stdout]).toEqual([0, first.stdout]);
  });

  it('mistakes and refusals are reported as in the database', async () => {
    const unknown = await over(['task', 'create', 'pare', '--server', url]);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining(`no template pare is registered on ${url}`),
    ]);
    const missing = await over(['task', 'get', '019b0000-0000-7000-8000-000000000000', '--server', url]);
    expect([missing.code, missing.stderr.split('\n')]).toEqual([
      1,
      ['error: there is no task 019b0000-0000-7000-8000-000000000000', ''],
    ]);
    const wrong = await over(['task', 'get', '7', '--server', url]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('UUID')]);
    const away = await over(['task', 'get', '7', '--server', 'http://127.0.0.1:1']);
    expect([away.code, away.stderr.split('\n')]).toEqual([
      3,
      [expect.stringMatching(/^error: GET .*: the connection failed: /), ''],
    ]);
    const blocked = await over(['task', 'list', '--server', 'http://127.0.0.1:9']);
    expect([blocked.code, blocked.stderr]).toEqual([3, expect.stringContaining('listen on another one, such as 8080')]);
    const noUrl = await over(['task', 'list', '--server', 'nowhere']);
    expect([noUrl.code, noUrl.stderr]).toEqual([2, expect.stringContaining('the server: nowhere is not the address')]);
    const both = await on.project.run(['task', 'list', '--server', url, '--database-url', on.database.url]);
    expect([both.code, both.stderr]).toEqual([
      2,
      'error: --server and --database-url cannot be combined; pass one of them\n',
    ]);
  });

  it('a command without a route names the way out', async () => {
    const option = await over(['task', 'retry', '019b0000-0000-7000-8000-000000000000', '--server', url]);
    expect([option.code, option.stderr]).toEqual([
      2,
      'error: this command works on a database, not over the server that --server names; run it without --server, where the database is reachable\n',
    ]);
    const variable = await over(['dlq', 'list'], { TASKER_ORCHESTRATION_URL: url });
    expect([variable.code, variable.stderr]).toEqual([
      2,
      expect.stringContaining('unset TASKER_ORCHESTRATION_URL, or pass --database-url'),
    ]);
    const database = ['task', 'list', '--database-url', on.database.url];
    expect((await over(database, { TASKER_ORCHESTRATION_URL: 'http://127.0.0.1:1' })).code).toBe(0);
    const worker = await over(['worker', '--server', url]);
    expect([worker.code, worker.stderr]).toEqual([2, expect.stringContaining('--server')]);
  });

  it('why, summary and status show what the server answers as they show a database', async () => {
    const uuid = await on.project.create('pair');
    const commands: [string[], string][] = [
      [['task', 'why', uuid], `/v1/tasks/${uuid}/why`],
      [['task', 'summary', '--name', 'pair'], '/v1/summary'],
      [['status'], '/v1/status'],
    ];
    answers.set(`/v1/tasks/${uuid}/summary`, await (await fetch(`${url}/v1/tasks/${uuid}/summary`)).json());
    const steady = (text: string) =>
      text.replaceAll(/\d+(\.\d+)? ?(ms|s|min|h)\b/g, 'N').replaceAll(/"(at|lag_ms)": [^,]*/g, '');
    for (const [args, route] of commands) {
      // Until it shows the same before and after: what ended a moment ago is counted in the background.
      let here = await on.project.run(args);
      for (
        let before: typeof here | undefined;
        before === undefined || steady(before.stdout) !== steady(here.stdout);
      ) {
        before = here;
        answers.set(route, await on.project.json(args));
        here = await on.project.run(args);
      }
      const there = await over([...args, '--server', fakeUrl()]);
      expect([there.code, there.stderr]).toEqual([0, here.stderr]);
      expect(steady(there.stdout)).toBe(steady(here.stdout));
      const json = await over([...args, '--json', '--server', fakeUrl()]);
      expect(JSON.parse(json.stdout)).toEqual(answers.get(route));
    }
    expect(asked.find((one) => one.url.startsWith('/v1/summary'))!.url).toBe('/v1/summary?name=pair&limit=10');
  });
});

it('the program of the page about the client prints what the page says', async () => {
  const worker = on.project.start(['worker', '--web', 'off']);
  try {
    const page = await readFile('docs/guide/client.md', 'utf8');
    const [, program, printed] = /```ts\n([\s\S]+?)```[\s\S]+?```text\n([\s\S]+?)```/.exec(page)!;
    await on.project.write('client.mjs', program!.replace('http://127.0.0.1:8080', url));
    const { code, stdout, stderr } = await on.project.node(['client.mjs']).ended;
    expect([code, stderr, stdout]).toEqual([0, '', printed]);
  } finally {
    worker.process.kill('SIGTERM');
    await worker.ended;
  }
});

describe('profiles', () => {
  const file = () => path.join(on.project.folder, 'config/tasker/profiles.toml');
  const env = () => ({ XDG_CONFIG_HOME: path.join(on.project.folder, 'config') });
  const run = (args: string[], more: { env?: Record<string, string>; input?: string } = {}) =>
    on.project.run(args, { ...more, env: { DATABASE_URL: '', ...env(), ...more.env } });

  it('are kept with their keys in a file that only the user can read, and choose the server', async () => {
    expect((await run(['profile', 'list'])).stderr).toContain('no profiles');
    const set = await run(['profile', 'set', 'prod', '--server', `${fakeUrl()}/`, '--api-key', '-'], {
      input: 'key-7\n',
    });
    expect([set.code, set.stderr]).toEqual([0, `added profile prod in ${file()}\n`]);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(await readFile(file(), 'utf8')).toContain('key-7');
    const listed = await run(['profile', 'list', '--json']);
    expect(JSON.parse(listed.stdout)).toEqual({
      file: file(),
      profiles: [{ name: 'prod', url: fakeUrl(), credential: 'API key' }],
    });
    expect((await run(['profile', 'list'])).stdout).not.toContain('key-7');
    const got = await run(['task', 'get', 'x', '--profile', 'prod'], { env: { TASKER_API_KEY: 'another' } });
    expect([got.code, got.stderr]).toEqual([1, `error: ${DONE}\n`]);
    await run(['task', 'get', 'x'], { env: { TASKER_PROFILE: 'prod' } });
    const keys = asked.filter((one) => one.url === '/v1/tasks/x').map(({ key }) => key);
    expect(keys).toEqual(['key-7', 'key-7']);
  });

  it('are refused if others can read them, if they are damaged, and if they are unknown', async () => {
    await chmod(file(), 0o644);
    const open = await run(['task', 'list', '--profile', 'prod']);
    expect([open.code, open.stderr]).toEqual([3, expect.stringContaining(`run \`chmod 600 ${file()}\``)]);
    await chmod(file(), 0o600);
    const unknown = await run(['task', 'list', '--profile', 'prdo']);
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('there is prod')]);
    const argument = await run(['profile', 'set', 'prod', '--server', fakeUrl(), '--api-key', 'key-8']);
    expect([argument.code, argument.stderr]).toEqual([2, expect.stringContaining('other users can see arguments')]);
    const name = await run(['profile', 'set', 'a b', '--server', fakeUrl()]);
    expect([name.code, name.stderr]).toEqual([2, expect.stringContaining('"a b" is not a name')]);
    await on.project.write('config/tasker/profiles.toml', '[profile.prod]\nurl = 7\n');
    await chmod(file(), 0o600);
    const damaged = await run(['profile', 'list']);
    expect([damaged.code, damaged.stderr]).toEqual([3, expect.stringMatching(/profiles\.toml: profile\.prod\.url: /)]);
    await on.project.write('config/tasker/profiles.toml', '[profile.prod]\nurl = "http://a"\n');
    await chmod(file(), 0o600);
    expect((await run(['profile', 'remove', 'prod'])).code).toBe(0);
    expect((await run(['profile', 'remove', 'prod'])).code).toBe(3);
  });
});

describe('completion', () => {
  const shells = ['bash', 'zsh', 'fish'].filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0);

  it.each(shells)('prints a script that %s accepts', async (shell) => {
    const { code, stdout } = await on.project.run(['completion', shell]);
    expect(code).toBe(0);
    const checked = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  });

  it('offers the commands, options and values that fit in bash', async () => {
    const { stdout: script } = await on.project.run(['completion', 'bash']);
    const complete = (...words: string[]) => {
      const call = `${script}\nCOMP_WORDS=(tasker ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _tasker; echo "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', call], { encoding: 'utf8' }).stdout.trim().split(' ');
    };
    expect(complete('comp')).toEqual(['completion']);
    expect(complete('task', 'ca')).toEqual(['cancel']);
    expect(complete('--json', '--server', 'http://a', 'task', 'wa')).toEqual(['watch']);
    expect(complete('task', 'list', '--created-')).toEqual(['--created-after', '--created-before']);
    expect(complete('task', 'list', '--order', 'd')).toEqual(['desc']);
    expect(complete('task', 'list', '--prof')).toEqual(['--profile']);
  });

  it('refuses an unknown shell with the known ones', async () => {
    const { code, stderr } = await on.project.run(['completion', 'tcsh']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
  });
});

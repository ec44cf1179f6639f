import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/suite/free-ports.ts';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from './installation.ts';
import type { RunningProcess } from './running.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });
let server: RunningProcess;
let url: string;
/** A server that returns `answers` by path, and 404 for all other paths. */
let fake: Server;
const answers = new Map<string, string>();

beforeAll(async () => {
  server = on.project.start(['server', '--bind', '127.0.0.1:0', '--json']);
  await server.until('server is ready');
  url = /"url":"([^"]+)"/.exec(server.output)![1]!;
  fake = createServer((request, response) => {
    const answer = answers.get(request.url!.split('?')[0]!);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    const message = `route ${request.method} ${request.url!.split('?')[0]} not found; /api-docs/openapi.json lists all routes`;
    response.end(answer ?? JSON.stringify({ error: { code: 'NOT_FOUND', message } }));
  });
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server?.process.kill('SIGKILL');
  fake?.close();
});

const fakeUrl = () => `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;

/** Runs a command on a machine that reaches only the server, not the database. */
const over = (args: string[], env: Record<string, string> = {}) =>
  on.project.run(args, { env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', ...env } });

describe('over a server', () => {
  it('a task is created, shown, listed, watched and cancelled as on the database', async () => {
    const created = await over(['task', 'create', 'pair', '-i', '{"lucky":true}', '-t', 'remote', '--server', url]);
    expect([created.code, created.stderr]).toEqual([
      0,
      expect.stringMatching(/^no running worker serves namespace demo/),
    ]);
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
    // The search tables are written after the commit.
    await expect.poll(list).toMatchObject({ tasks: [{ task_uuid: uuid, status: 'pending' }], total: 1 });
    const following = on.project.startHere(['task', 'watch', uuid, '--server', url]);
    const cancelled = await over(['task', 'cancel', uuid, '--json'], env);
    expect(JSON.parse(cancelled.stdout)).toEqual({ task_uuid: uuid, cancelled: true, status: 'cancelled' });
    const followed = await following.ended;
    expect([followed.code, followed.stdout]).toEqual([1, expect.stringContaining('task cancelled')]);
    const again = await over(['task', 'cancel', uuid], env);
    expect([again.code, again.stderr]).toEqual([0, `${uuid} has already ended: it is cancelled\n`]);
  });

  it('a task with an existing key is rejected, or the existing id is printed with --return-existing', async () => {
    const args = ['task', 'create', 'demo/pair@1.0.0', '-k', 'same', '--server', url];
    const first = await over(args);
    const second = await over(args);
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining('pass --return-existing')]);
    const third = await over([...args, '--return-existing']);
    expect([third.code, third.stdout]).toEqual([0, first.stdout]);
  });

  it('errors are reported as on the database', async () => {
    const unknown = await over(['task', 'create', 'pare', '--server', url]);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining(`no template pare is registered on ${url}`),
    ]);
    const missing = await over(['task', 'get', '019b0000-0000-7000-8000-000000000000', '--server', url]);
    expect([missing.code, missing.stderr.split('\n')]).toEqual([
      1,
      ['error: task 019b0000-0000-7000-8000-000000000000 not found', ''],
    ]);
    const wrong = await over(['task', 'get', '7', '--server', url]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('UUID')]);
    const away = await over(['task', 'get', '7', '--server', 'http://127.0.0.1:1']);
    expect([away.code, away.stderr.split('\n')]).toEqual([
      3,
      [expect.stringMatching(/^error: GET .*: the connection failed: /), ''],
    ]);
    const blocked = await over(['task', 'list', '--server', 'http://127.0.0.1:9']);
    expect([blocked.code, blocked.stderr]).toEqual([
      3,
      expect.stringContaining('listen on another port, such as 8080'),
    ]);
    const noUrl = await over(['task', 'list', '--server', 'nowhere']);
    expect([noUrl.code, noUrl.stderr]).toEqual([2, expect.stringContaining('the server: nowhere is not the address')]);
    const both = await on.project.run(['task', 'list', '--server', url, '--database-url', on.database.url]);
    expect([both.code, both.stderr]).toEqual([
      2,
      'error: --server and --database-url cannot be combined; pass one of them\n',
    ]);
  });

  it('a command that needs the database reports how to run it on the database', async () => {
    const option = await over(['schedule', 'apply', 'schedules', '--server', url]);
    expect([option.code, option.stderr]).toEqual([
      2,
      'error: this command works on a database, not over the server that --server names; run it without --server, where the database is reachable\n',
    ]);
    const variable = await over(['db', 'prune', '--older-than', '90d', '--dry-run'], { TASKER_ORCHESTRATION_URL: url });
    expect([variable.code, variable.stderr]).toEqual([
      2,
      expect.stringContaining('unset TASKER_ORCHESTRATION_URL, or pass --database-url'),
    ]);
    const database = ['task', 'list', '--database-url', on.database.url];
    expect((await over(database, { TASKER_ORCHESTRATION_URL: 'http://127.0.0.1:1' })).code).toBe(0);
    const worker = await on.project.run(['worker', '--server', url], { endsEarly: true });
    expect([worker.code, worker.stderr]).toEqual([2, expect.stringContaining('--server')]);
  });

  it('event tail follows new events', async () => {
    const following = on.project.startHere(['event', 'tail', '--server', url]);
    await following.until('following');
    following.interrupt();
    const { code, stdout, stderr } = await following.ended;
    expect([code, stdout, stderr]).toEqual([0, '', `following ${url}; press Ctrl-C to stop\n`]);
  });

  it('another program, a server of another version and a TLS mismatch each have their own error', async () => {
    const list = async (server: string) => (await over(['task', 'list', '--server', server])).stderr;
    const closed = await list(`http://127.0.0.1:${await freePort()}`);
    expect(closed).toMatch(/ECONNREFUSED.*; check that `tasker server` is running there, and that the port is right/);
    expect(await list(url.replace('http:', 'https:'))).toMatch(/if the server has no TLS, use http:\/\//);
    const old = await over(['pause', 'list', '--server', fakeUrl()]);
    expect([old.code, old.stderr]).toEqual([
      1,
      `error: route GET /v1/pauses not found on ${fakeUrl()}: it is not a tasker server, or its version differs; check the address\n`,
    ]);
    answers.set('/v1/tasks', '<html>');
    expect(await list(fakeUrl())).toMatch(
      /the response is not JSON.*; check that .* is the address of a `tasker server`/,
    );
  });
});

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from '../cli/installation.ts';
import type { RunningProcess } from '../cli/running.ts';
import { until } from '../support/setup.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });
type Json = Record<string, unknown>;
let server: RunningProcess;

afterAll(() => server?.process.kill('SIGKILL'));

/** Starts a server that is ended after the tests, and returns its URL on this machine. */
async function started(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  server = on.project.start(['server', ...args, '--json'], { env });
  await server.until('server is ready');
  return /"url":"([^"]+)"/.exec(server.output)![1]!.replace('0.0.0.0', '127.0.0.1');
}

it('tasker server serves the templates of the project until SIGTERM', async () => {
  const url = await started(['--bind', '127.0.0.1:0']);
  const body = JSON.stringify({
    name: 'pair',
    namespace: 'demo',
    version: '1.0.0',
    context: { lucky: true },
    initiator: 'a',
    source_system: 'b',
    reason: 'c',
  });
  const created = await fetch(`${url}/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(created.status).toBe(201);
  const { task_uuid } = (await created.json()) as { task_uuid: string };
  expect((await on.project.json<{ status: string }>(['task', 'get', task_uuid])).status).toBe('pending');
  expect((await fetch(`${url}/v1/tasks/${task_uuid}`, { method: 'DELETE' })).status).toBe(200);
  const audit = await on.project.json<{ entries: { door: string }[] }>(['audit', 'list']);
  expect(audit.entries[0]!.door).toBe('rest');
  server.process.kill('SIGTERM');
  expect(await server.ended).toMatchObject({ code: 0 });
});

it('beyond loopback, tasker server does not start without a key, and rejects an invalid address', async () => {
  const open = await on.project.run(['server'], { env: { TASKER_WEB_BIND_ADDRESS: '0.0.0.0:0' } });
  expect([open.code, open.stderr]).toEqual([
    3,
    expect.stringContaining('no API key exists; create one with `tasker auth key create'),
  ]);
  expect(open.stderr).toContain('orchestration.web.bind_address 0.0.0.0:0 (variable TASKER_WEB_BIND_ADDRESS): other');
  const bad = await on.project.run(['server', '--bind', 'nowhere']);
  expect([bad.code, bad.stderr]).toEqual([3, expect.stringContaining('is not an address')]);
});

const CONFIGURED = `
[common.database.pool]
max_connections = 4
[orchestration.web]
bind_address = "0.0.0.0:0"
config_endpoint_enabled = true
legacy_status = true
misspelt = 1
[orchestration.web.database_pools]
web_api_max_connections = 3
[[orchestration.web.auth.api_keys]]
key = "0123456789abcdef-secret"
permissions = ["tasks:*", "system:config_read"]
`;

it('tasker server takes its settings from the configuration, and GET /config shows them without secrets', async () => {
  await on.project.write('served.toml', CONFIGURED);
  const env = { TASKER_CONFIG_PATH: 'served.toml', TASKER_WEB_BIND_ADDRESS: '' };
  const url = await started([], env);
  expect(server.output).toContain('unknown key orchestration.web.misspelt is ignored');
  const headers = { 'x-api-key': '0123456789abcdef-secret', 'content-type': 'application/json' };
  const context = { name: 'pair', namespace: 'demo', version: '1.0.0', context: { lucky: true } };
  const body = JSON.stringify({ ...context, initiator: 'a', source_system: 'b', reason: 'c' });
  expect((await fetch(`${url}/v1/tasks`, { method: 'POST', headers, body })).status).toBe(200);
  expect((await fetch(`${url}/config`)).status).toBe(401);
  const config = await fetch(`${url}/config`, { headers });
  const text = await config.text();
  expect([config.status, config.headers.get('cache-control')]).toEqual([200, 'no-store']);
  expect(JSON.parse(text)).toMatchObject({
    auth: { enabled: true, api_key_count: 1, verification_method: 'none' },
    database_pools: { web_api_pool_size: 3 },
    configuration: { 'orchestration.web.legacy_status': true, 'common.database.pool.max_connections': 3 },
  });
  expect(text).not.toContain('secret');
  server.process.kill('SIGTERM');
  await server.ended;
});

it('one process serves requests and runs steps; on SIGTERM, requests in flight and handlers finish and streams end', async () => {
  const url = await started(['--bind', '127.0.0.1:0', '--with-worker']);
  const same = { name: 'pair', namespace: 'demo', version: '1.0.0', initiator: 'a', source_system: 'b', reason: 'c' };
  const body = JSON.stringify({ ...same, context: { lucky: true, with: 'worker' } });
  const headers = { 'content-type': 'application/json' };
  const created = (await (await fetch(`${url}/v1/tasks`, { method: 'POST', headers, body })).json()) as Json;
  const state = async () => ((await (await fetch(`${url}/v1/tasks/${created.task_uuid}`)).json()) as Json).status;
  await until(state, (seen) => seen === 'complete');
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/tasker_steps_successes_total\S* [1-9]/);
  const stream = await fetch(`${url}/v1/stream`);
  const half = request(`${url}/v1/tasks`, { method: 'POST', headers });
  const answer = once(half, 'response') as Promise<[IncomingMessage]>;
  half.write(body.slice(0, 20));
  await once(half, 'socket');
  await until(
    async () => (await (await fetch(`${url}/metrics`)).text()).length,
    (length) => length > 0,
  );
  server.process.kill('SIGTERM');
  await server.until('stopping, finishing the requests in progress');
  expect(await stream.text()).toContain('event: closing');
  half.end(body.slice(20).replace('"worker"', '"other"'));
  expect((await answer)[0].statusCode).toBe(201);
  expect(await server.ended).toMatchObject({ code: 0 });
});

it('with --insecure, tasker server starts beyond loopback and warns', async () => {
  const url = await started(['--bind', '0.0.0.0:0', '--insecure']);
  expect(server.output).toContain('--insecure: every machine');
  expect((await fetch(`${url}/v1/tasks`)).status).toBe(200);
  expect((await fetch(`${url}/config`)).status).toBe(404);
  server.process.kill('SIGTERM');
  await server.ended;
});

it('tasker auth key creates keys, which the server beyond loopback requires, and revokes them', async () => {
  const made = await on.project.run(['auth', 'key', 'create', 'ci', '--role', 'viewer', '--expires-in', '90d']);
  expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^tsk_[a-z2-9]{8}_[\w-]{43}\n$/)]);
  const key = made.stdout.trim();
  const url = await started(['--bind', '0.0.0.0:0']);
  const status = async (headers: Record<string, string> = {}) => (await fetch(`${url}/v1/tasks`, { headers })).status;
  expect(await status()).toBe(401);
  expect(await status({ 'x-api-key': key })).toBe(200);
  const metrics = async (headers: Record<string, string>) => (await fetch(`${url}/metrics`, { headers })).status;
  expect([await metrics({}), await metrics({ 'x-api-key': key })]).toEqual([401, 200]);
  const again = await on.project.run(['auth', 'key', 'create', 'ci', '--role', 'viewer']);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('tasker auth key rotate ci')]);
  const rotated = await on.project.json<{ key: string }>(['auth', 'key', 'rotate', 'ci', '--overlap', '0']);
  expect(await status({ 'x-api-key': rotated.key })).toBe(200);
  const { keys } = await on.project.json<{ keys: object[] }>(['auth', 'key', 'list', '--all']);
  expect(keys).toMatchObject([{ state: 'expired' }, { name: 'ci', state: 'active', roles: ['viewer'] }]);
  expect(JSON.stringify(keys)).not.toContain(key.slice('tsk_12345678_'.length));
  expect((await on.project.run(['auth', 'key', 'revoke', 'ci'])).code).toBe(0);
  await until(
    () => status({ 'x-api-key': rotated.key }),
    (seen) => seen === 401,
  );
  server.process.kill('SIGTERM');
  await server.ended;
});

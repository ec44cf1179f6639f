import { expect, it } from 'vitest';
import { createKey, listKeys, revokeKey, rotateKey } from '../../../src/engine/credentials/api-keys.ts';
import { template, until } from '../../support/setup.ts';
import { type Answer, ask, type Json, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);
const failure = ({ status, headers, body }: Answer) => [
  status,
  (body.error as Json).code,
  headers.get('x-auth-failure-reason'),
];

it('a request needs a key, in X-API-Key or as a bearer token', async () => {
  const app = on.app();
  const key = await on.key({ name: 'reader', permissions: ['tasks:list'] });
  const without = await ask(app, 'GET /v1/tasks');
  expect(failure(without)).toEqual([401, 'UNAUTHORIZED', 'missing']);
  expect(without.headers.get('www-authenticate')).toMatch(/^Bearer/);
  expect(without.headers.get('x-auth-failure-severity')).toBe('low');
  expect((await ask(app, 'GET /v1/tasks', { 'x-api-key': key })).status).toBe(200);
  expect((await ask(app, 'GET /v1/tasks', { authorization: `Bearer ${key}` })).status).toBe(200);
  expect((await ask(app, 'GET /v1/tasks', { authorization: `bearer ${key}` })).status).toBe(200);
  const renamed = on.app({ auth: { ...SECURED.auth, keyHeader: 'X-Shop-Key' } });
  expect((await ask(renamed, 'GET /v1/tasks', { 'x-shop-key': key })).status).toBe(200);
  expect((await ask(renamed, 'GET /v1/tasks', { 'x-api-key': key })).status).toBe(401);
});

it('malformed, unknown and revoked keys get the same response, and an expired key gets a different one', async () => {
  const app = on.app();
  const key = await on.key({ name: 'gone', roles: ['viewer'] });
  await revokeKey(on.tasker.engine.database, 'gone', {});
  const wrong = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
  const answers = await Promise.all(
    [key, wrong, `tsk_aaaaaaaa_${'x'.repeat(43)}`, 'x', 'é'.normalize('NFD').slice(0, 1), `${key}, ${key}`].map(
      (text) => ask(app, 'GET /v1/tasks', { 'x-api-key': text }),
    ),
  );
  for (const answer of answers) {
    expect(failure(answer)).toEqual([401, 'AUTHENTICATION_FAILED', 'invalid']);
    expect(answer.body).toEqual(answers[0]!.body);
    expect(answer.headers.get('retry-after')).toBe('5');
  }
  const old = await on.key({ name: 'old', roles: ['viewer'], expiresInMs: 1 });
  // A fast machine would use the key in the millisecond in which it is still valid.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const expired = await ask(app, 'GET /v1/tasks', { 'x-api-key': old });
  expect(failure(expired)).toEqual([401, 'AUTHENTICATION_FAILED', 'expired']);
  for (const text of ['Basic YTpi', 'Bearer', `Bearer ${key} ${key}`, '']) {
    const answer = await ask(app, 'GET /v1/tasks', { authorization: text });
    expect(failure(answer)).toEqual([401, 'AUTHENTICATION_FAILED', 'malformed']);
  }
});

it('a key without the permission of a route gets 403, and the message names the permission', async () => {
  const app = on.app();
  const key = await on.key({ name: 'lister', permissions: ['tasks:list'] });
  const refused = await ask(app, 'GET /v1/dlq', { 'x-api-key': key });
  expect(failure(refused)).toEqual([403, 'FORBIDDEN', 'forbidden']);
  expect((refused.body.error as Json).message).toContain('dlq:read');
  const wild = await on.key({ name: 'wild', permissions: ['dlq:*'] });
  expect((await ask(app, 'GET /v1/dlq', { 'x-api-key': wild })).status).toBe(200);
  expect((await ask(app, 'GET /v1/tasks', { 'x-api-key': wild })).status).toBe(403);
});

it('only callers with a credential learn that a path does not exist', async () => {
  const app = on.app();
  const key = await on.key({ name: 'finder', permissions: ['tasks:list'] });
  expect((await ask(app, 'GET /v1/nothing')).status).toBe(401);
  expect((await ask(app, 'GET /v1/nothing', { 'x-api-key': key })).status).toBe(404);
  expect((await ask(app, 'PUT /v1/tasks')).status).toBe(401);
  expect((await ask(app, 'PUT /v1/tasks', { 'x-api-key': key })).status).toBe(405);
});

it('a route without a permission rejects every caller', async () => {
  const app = on.app();
  app.get('/v1/forgotten', (c) => c.text('secret'));
  const admin = await on.key({ name: 'root', roles: ['admin'] });
  const refused = await ask(app, 'GET /v1/forgotten', { 'x-api-key': admin });
  expect(failure(refused)).toEqual([403, 'FORBIDDEN', 'forbidden']);
  expect((await ask(on.app(), 'GET /v1/tasks', { 'x-api-key': admin })).status).toBe(200);
});

it('health, metrics and the documentation need no credential, and support HEAD', async () => {
  const app = on.app();
  for (const path of ['/health', '/health/ready', '/metrics', '/api-docs/openapi.json', '/api-docs/ui']) {
    expect([path, (await app.request(`http://localhost${path}`)).status]).toEqual([path, 200]);
  }
  expect((await app.request('http://localhost/health', { method: 'HEAD' })).status).toBe(200);
  expect((await app.request('http://localhost/v1/tasks', { method: 'HEAD' })).status).toBe(401);
});

it('keys are stored as a hash, and the list shows their prefix and last use', async () => {
  const { database } = on.tasker.engine;
  const made = await createKey(
    database,
    { name: 'stored', roles: ['viewer'], namespaces: ['test'], expiresInMs: 3_600_000 },
    { actor: 'ana' },
  );
  const [row] = await on.sql(
    `select encode(hash, 'hex') hash, api_key::text all from tasker.api_key where name = 'stored'`,
  );
  expect(row!.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(row!.all).not.toContain(made.key.slice(made.prefix.length + 1));
  expect(made.key.startsWith(`${made.prefix}_`)).toBe(true);
  const shown = async () => (await listKeys(database, { all: false })).find(({ name }) => name === 'stored')!;
  expect(await shown()).toMatchObject({ state: 'active', lastUsedAt: null, createdBy: 'ana', namespaces: ['test'] });
  await ask(on.app(), 'GET /v1/tasks', { 'x-api-key': made.key });
  await until(shown, ({ lastUsedAt }) => lastUsedAt !== null);
});

it('a rotated key is accepted until the overlap ends, and the new key has the same rights', async () => {
  const { database } = on.tasker.engine;
  const app = on.app();
  const old = await on.key({ name: 'rotating', permissions: ['tasks:list'], namespaces: ['test'] });
  const made = await rotateKey(database, 'rotating', { overlapMs: 3_600_000, actor: 'ana' });
  expect(made).toMatchObject({ name: 'rotating', permissions: ['tasks:list'], namespaces: ['test'], state: 'active' });
  for (const key of [old, made.key]) expect((await ask(app, 'GET /v1/tasks', { 'x-api-key': key })).status).toBe(200);
  const at = await rotateKey(database, 'rotating', { overlapMs: 0, actor: 'ana' });
  await expect(rotateKey(database, made.prefix, { overlapMs: 0 })).rejects.toMatchObject({ code: 'conflict' });
  expect(failure(await ask(on.app(), 'GET /v1/tasks', { 'x-api-key': made.key }))[2]).toBe('expired');
  await revokeKey(database, 'rotating', {});
  for (const key of [old, made.key, at.key]) {
    expect(failure(await ask(on.app(), 'GET /v1/tasks', { 'x-api-key': key }))[2]).toBe('invalid');
  }
  expect(await revokeKey(database, at.prefix, {})).toMatchObject([{ state: 'revoked' }]);
});

it('a mistake in the request for a key is reported with advice', async () => {
  const { database } = on.tasker.engine;
  const wrong = async (request: object) => createKey(database, { name: 'x', roles: ['viewer'], ...request }, {});
  await expect(wrong({ permissions: ['task:read'] })).rejects.toThrow(/did you mean tasks:read/);
  for (const permissions of [['*'], ['*:*'], [':*'], ['tasks:*x'], ['']]) {
    await expect(wrong({ permissions })).rejects.toMatchObject({ code: 'bad_request' });
  }
  await expect(wrong({ roles: ['root'] })).rejects.toThrow(/viewer, operator, admin/);
  await expect(wrong({ roles: [] })).rejects.toThrow(/would allow nothing/);
  await expect(wrong({ namespaces: [] })).rejects.toThrow(/empty list/);
  await expect(wrong({ namespaces: ['a b'] })).rejects.toMatchObject({ code: 'bad_request' });
  await expect(wrong({ name: 'a\nb' })).rejects.toMatchObject({ code: 'bad_request' });
  await expect(wrong({ expiresInMs: -1 })).rejects.toMatchObject({ code: 'bad_request' });
  await wrong({ name: 'twice' });
  await expect(wrong({ name: 'twice' })).rejects.toMatchObject({ code: 'conflict' });
  await expect(revokeKey(database, 'twise', {})).rejects.toThrow(/did you mean twice/);
});

it('every change of a key is in the audit, without the key', async () => {
  const { entries } = await on.tasker.audit({ target: undefined }, { limit: 1000 });
  const acts = entries.filter(({ target }) => target?.startsWith('key rotating '));
  expect(acts.map(({ action }) => action).sort()).toEqual(
    ['create_key', 'rotate_key', 'rotate_key', 'revoke_key', 'revoke_key', 'revoke_key'].sort(),
  );
  expect(JSON.stringify(entries)).not.toMatch(/tsk_\w{8}_/);
});

it('a server on loopback needs no credential until the first key exists, and still needs one after the key is revoked', async () => {
  const app = on.app({ auth: { ...SECURED.auth, required: 'with_keys' } });
  expect((await ask(app, 'GET /v1/tasks')).status).toBe(401);
  const open = on.app({ auth: { ...SECURED.auth, required: 'never' } });
  expect((await ask(open, 'GET /v1/tasks')).status).toBe(200);
});

it('requests from foreign web pages are rejected, and so are requests under foreign host names if no credential is needed', async () => {
  const open = on.app({ auth: { ...SECURED.auth, required: 'never' } });
  const closed = on.app();
  const status = async (app: typeof open, url: string, headers: Record<string, string> = {}) =>
    (await ask(app, `GET ${url}`, headers)).status;
  expect(await status(open, 'http://evil.example/v1/tasks')).toBe(403);
  expect(await status(closed, 'http://tasker.example/v1/tasks')).toBe(401);
  for (const app of [open, closed]) {
    expect(await status(app, '/v1/tasks', { origin: 'https://evil.example' })).toBe(403);
    expect(await status(app, '/v1/tasks', { origin: 'null' })).toBe(403);
    expect(await status(app, '/v1/tasks', { origin: 'http://localhost.evil.example' })).toBe(403);
  }
  const exposed = on.app({ exposed: true, corsOrigins: ['https://desk.example'] });
  expect(await status(exposed, 'http://tasker.example/v1/tasks', { origin: 'https://tasker.example' })).toBe(401);
  expect(await status(exposed, 'http://tasker.example/v1/tasks', { origin: 'https://desk.example' })).toBe(401);
  expect(await status(exposed, 'http://tasker.example/v1/tasks', { origin: 'http://localhost:3000' })).toBe(403);
});

it('every response has headers that prevent framing and content sniffing', async () => {
  for (const path of ['/v1/tasks', '/health', '/api-docs/ui', '/nothing']) {
    const { headers } = await on.app().request(`http://localhost${path}`);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  }
});

it('only pages of the configured origins can read responses, but never with a session', async () => {
  const app = on.app({ corsOrigins: ['https://desk.example'] });
  const asked = (origin: string) => ({
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-api-key',
  });
  const preflight = async (of: typeof app, origin: string) => {
    const { status, headers } = await of.request('http://localhost/v1/tasks', {
      method: 'OPTIONS',
      headers: asked(origin),
    });
    return [status, headers.get('access-control-allow-origin'), headers.get('access-control-allow-credentials')];
  };
  expect(await preflight(app, 'https://desk.example')).toEqual([204, 'https://desk.example', null]);
  expect((await preflight(app, 'https://evil.example'))[1]).toBeNull();
  expect((await preflight(on.app(), 'https://desk.example'))[1]).toBeNull();
  const refused = await ask(app, 'GET /v1/tasks', { origin: 'https://desk.example' });
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, 'https://desk.example']);
  expect(refused.headers.get('vary')).toContain('Origin');
});

it('a task keeps the credential that created it, which a body cannot override, and creations are not in the audit', async () => {
  const app = on.app();
  const key = await on.key({ name: 'creator', roles: ['operator'] });
  const same = { name: 'demo', namespace: 'test', version: '1.0.0', context: { by: 'creator' }, initiator: 'boss' };
  const body = { ...same, source_system: 'shop', reason: 'try' };
  const before = await on.sql('select count(*)::int n from tasker.operator_action');
  const made = await ask(app, 'POST /v1/tasks', { 'x-api-key': key }, { ...body, created_with: 'key:boss' });
  const shown = made.status === 201 ? made : await ask(app, 'POST /v1/tasks', { 'x-api-key': key }, body);
  expect(shown.body).toMatchObject({ initiator: 'boss', created_with: 'key:creator' });
  const lines = [1, 2].map((n) => JSON.stringify({ ...body, context: { n } })).join('\n');
  const many = await app.request('http://localhost/v1/tasks/bulk', {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/x-ndjson' },
    body: lines,
  });
  expect(await many.text()).toContain('"created":true');
  const rows = await on.sql(`select created_with from tasker.task where source_system = 'shop'`);
  expect(rows.map((row) => row.created_with)).toEqual(['key:creator', 'key:creator', 'key:creator']);
  const { taskUuid } = await on.tasker.createTask({ ...same, context: { by: 'program' } } as never);
  expect((await on.tasker.getTask(taskUuid)).createdWith).toBeNull();
  expect(await on.sql('select count(*)::int n from tasker.operator_action')).toEqual(before);
});

import { expect, it } from 'vitest';
import { revokeKey } from '../../../src/engine/credentials/api-keys.ts';
import { template } from '../../support/setup.ts';
import { type App, ask, type Json, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);
const CSRF = { 'x-tasker-csrf': '1' };

/** Logs in with a key, and returns the response and the cookie as a browser sends it. */
async function login(app: App, key: string, host = 'http://localhost') {
  const answer = await ask(app, `POST ${host}/v1/session`, { 'x-api-key': key });
  const set = answer.headers.get('set-cookie') ?? '';
  return { ...answer, set, cookie: { cookie: set.split(';')[0]! } };
}

it('a session has the rights of its key, in a cookie that scripts and other sites cannot use', async () => {
  const app = on.app();
  const key = await on.key({ name: 'ana', roles: ['viewer'], namespaces: ['test'] });
  const { status, set, cookie, body } = await login(app, key);
  expect(status).toBe(201);
  expect(body).toMatchObject({ subject: 'key:ana', roles: ['viewer'], namespaces: ['test'], credential: 'key' });
  expect(set).toMatch(/^tasker_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  const me = await ask(app, 'GET /v1/me', cookie);
  expect(me.body).toMatchObject({
    authenticated: true,
    subject: 'key:ana',
    credential: 'session',
    namespaces: ['test'],
  });
  expect(me.body.permissions).toContain('tasks:read');
  expect((await ask(app, 'GET /v1/tasks', cookie)).status).toBe(200);
  expect((await ask(app, 'DELETE /v1/tasks/019b0000-0000-7000-8000-000000000000', { ...cookie, ...CSRF })).status).toBe(
    403,
  );
  const [row] = await on.sql(`select encode(hash, 'hex') hash, web_session::text all from tasker.web_session`);
  expect(row!.all).not.toContain(cookie.cookie.split('=')[1]);
});

it('for other machines, the cookie requires https', async () => {
  const app = on.app({ exposed: true });
  const key = await on.key({ name: 'remote', roles: ['viewer'] });
  const { set, cookie } = await login(app, key, 'http://tasker.example');
  expect(set).toMatch(/^__Host-tasker_session=[\w-]{43}; .*Secure/);
  expect((await ask(app, 'GET http://tasker.example/v1/me', cookie)).status).toBe(200);
  const plain = { cookie: cookie.cookie.replace('__Host-', '') };
  expect((await ask(app, 'GET http://tasker.example/v1/me', plain)).status).toBe(401);
});

it('in a session, a change needs a header that forms cannot send, and a page of this server', async () => {
  const app = on.app({ corsOrigins: ['https://desk.example'] });
  const { cookie } = await login(app, await on.key({ name: 'bea', roles: ['admin'] }));
  const path = 'DELETE /v1/tasks/019b0000-0000-7000-8000-000000000000';
  const status = async (headers: Record<string, string>, request = path) =>
    (await ask(app, request, { ...cookie, ...headers })).status;
  expect(await status({})).toBe(403);
  expect(await status(CSRF)).toBe(404);
  expect(await status({ ...CSRF, origin: 'http://localhost' })).toBe(404);
  for (const origin of ['http://localhost:3000', 'https://desk.example', 'https://evil.example', 'null']) {
    expect([origin, await status({ ...CSRF, origin })]).toEqual([origin, 403]);
  }
  for (const site of ['cross-site', 'same-site']) {
    expect([site, await status({ 'sec-fetch-site': site }, 'GET /v1/tasks')]).toEqual([site, 403]);
  }
  expect(await status({ 'sec-fetch-site': 'same-origin' }, 'GET /v1/tasks')).toBe(200);
});

it('a session ends with DELETE, with its key, and when it expires', async () => {
  const app = on.app();
  const key = await on.key({ name: 'carl', roles: ['viewer'] });
  const [first, second] = [await login(app, key), await login(app, key)];
  const ended = await ask(app, 'DELETE /v1/session', { ...first.cookie, ...CSRF });
  expect([ended.status, ended.headers.get('set-cookie')]).toEqual([200, expect.stringContaining('Max-Age=0')]);
  expect((await ask(app, 'GET /v1/me', first.cookie)).status).toBe(401);
  expect((await ask(app, 'GET /v1/me', second.cookie)).status).toBe(200);
  await revokeKey(on.tasker.engine.database, 'carl', {});
  const after = await ask(on.app(), 'GET /v1/me', second.cookie);
  expect([after.status, after.headers.get('x-auth-failure-reason')]).toEqual([401, 'expired']);
  const third = await login(app, await on.key({ name: 'dora', roles: ['viewer'] }));
  await on.sql(`update tasker.web_session set expires_at = now() where subject = 'key:dora'`);
  expect((await ask(on.app(), 'GET /v1/me', third.cookie)).status).toBe(401);
  const short = await login(app, await on.key({ name: 'eve', roles: ['viewer'], expiresInMs: 60_000 }));
  expect(Date.parse(short.body.expires_at as string) - Date.now()).toBeLessThan(61_000);
});

it('a session cannot begin another session, and an invalid cookie is rejected', async () => {
  const app = on.app();
  const { cookie } = await login(app, await on.key({ name: 'fay', roles: ['viewer'] }));
  expect((await ask(app, 'POST /v1/session', { ...cookie, ...CSRF })).status).toBe(400);
  for (const value of ['', 'x', 'A'.repeat(43), `${'A'.repeat(42)}é`]) {
    expect((await ask(app, 'GET /v1/me', { cookie: encodeURI(`tasker_session=${value}`) })).status).toBe(401);
  }
  const both = { ...cookie, 'x-api-key': 'wrong' };
  expect((await ask(app, 'GET /v1/me', both)).status).toBe(401);
});

it('sessions are listed and ended by their id or their subject, and the audit records that', async () => {
  const app = on.app();
  const admin = { 'x-api-key': await on.key({ name: 'manager', roles: ['admin'] }) };
  const key = await on.key({ name: 'gina', roles: ['viewer'], namespaces: ['test'] });
  const [first, second, third] = [await login(app, key), await login(app, key), await login(app, key)];
  const list = async (query = '') =>
    (await ask<{ sessions: Json[] }>(app, `GET /v1/auth/sessions${query}`, admin)).body.sessions;
  const listed = await list('?subject=key:gina');
  expect(listed).toHaveLength(3);
  expect(listed[0]).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{16}$/),
    subject: 'key:gina',
    roles: ['viewer'],
    permissions: expect.arrayContaining(['tasks:read']),
    namespaces: ['test'],
    key_prefix: key.slice(0, 12),
    created_at: expect.any(String),
    expires_at: third.body.expires_at,
  });
  for (const { cookie } of [first, second, third]) {
    expect(JSON.stringify(listed)).not.toContain(cookie.cookie.split('=')[1]);
  }
  const ended = await ask<{ sessions: Json[] }>(app, `DELETE /v1/auth/sessions/${listed[2]!.id}`, admin, {
    reason: 'a lost laptop',
  });
  expect([ended.status, ended.body.sessions]).toEqual([200, [listed[2]]]);
  const status = async ({ cookie }: typeof first) => (await ask(on.app(), 'GET /v1/me', cookie)).status;
  expect([await status(first), await status(second), await status(third)]).toEqual([401, 200, 200]);
  const all = await ask<{ sessions: Json[] }>(app, 'DELETE /v1/auth/sessions/key:gina', admin);
  expect(all.body.sessions).toEqual(listed.slice(0, 2));
  expect([await status(second), await status(third)]).toEqual([401, 401]);
  expect(await list('?subject=key:gina')).toEqual([]);
  const again = await ask(app, `DELETE /v1/auth/sessions/${listed[2]!.id}`, admin);
  expect([again.status, (again.body.error as Json).message]).toEqual([404, expect.stringContaining('session list')]);
  const { entries } = await on.tasker.audit({ action: 'end_session' }, {});
  expect(entries.map(({ target, actor, door, reason }) => ({ target, actor, door, reason }))).toContainEqual({
    target: `session ${listed[2]!.id} of key:gina`,
    actor: 'key:manager',
    door: 'rest',
    reason: 'a lost laptop',
  });
  expect(entries).toHaveLength(3);
});

it('the list has no session that has ended by its time or with its key, and an operator may not read it', async () => {
  const app = on.app();
  const admin = { 'x-api-key': await on.key({ name: 'boss', roles: ['admin'] }) };
  await login(app, await on.key({ name: 'hugo', roles: ['viewer'] }));
  await login(app, await on.key({ name: 'ida', roles: ['viewer'] }));
  await login(app, await on.key({ name: 'jan', roles: ['viewer'] }));
  await on.sql(`update tasker.web_session set expires_at = now() where subject = 'key:hugo'`);
  await on.sql(`update tasker.api_key set expires_at = now() where name = 'ida'`);
  const { body } = await ask<{ sessions: Json[] }>(app, 'GET /v1/auth/sessions', admin);
  const subjects = body.sessions.map(({ subject }) => subject);
  expect(subjects.filter((one) => ['key:hugo', 'key:ida', 'key:jan'].includes(one as string))).toEqual(['key:jan']);
  // The expired session is gone, so that it cannot be ended.
  expect((await ask(app, 'DELETE /v1/auth/sessions/key:hugo', admin)).status).toBe(404);
  const operator = { 'x-api-key': await on.key({ name: 'lea', roles: ['operator'] }) };
  for (const request of ['GET /v1/auth/sessions', 'DELETE /v1/auth/sessions/key:jan']) {
    expect([request, (await ask(app, request, operator)).status]).toEqual([request, 403]);
  }
  const { cookie } = await login(app, admin['x-api-key']);
  const own = await ask<{ sessions: Json[] }>(app, 'DELETE /v1/auth/sessions/key:boss', { ...cookie, ...CSRF });
  expect(own.body.sessions).toHaveLength(1);
  expect((await ask(on.app(), 'GET /v1/me', cookie)).status).toBe(401);
});

it('without authentication, every caller has all permissions, and there is no login', async () => {
  const app = on.app({ auth: { ...SECURED.auth, required: 'never' } });
  expect((await ask(app, 'GET /v1/me')).body).toEqual({
    authenticated: false,
    subject: null,
    credential: null,
    roles: [],
    permissions: null,
    namespaces: null,
  });
  const refused = await ask(app, 'POST /v1/session');
  expect([refused.status, (refused.body.error as Json).code]).toEqual([400, 'BAD_REQUEST']);
});

import { expect, it } from 'vitest';
import { template } from '../../support/setup.ts';
import { type App, ask, type Json, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);
const create = (app: App, key: string, body: object) => ask(app, 'POST /v1/auth/keys', { 'x-api-key': key }, body);

it('keys are created, listed, rotated and revoked over HTTP, under the name of the credential', async () => {
  const app = on.app();
  const headers = { 'x-api-key': await on.key({ name: 'root', roles: ['admin'] }) };
  const made = await create(app, headers['x-api-key'], { name: 'shop', roles: ['viewer'], by: 'ana', reason: 'new' });
  expect([made.status, made.body.name, made.body.created_by]).toEqual([201, 'shop', 'key:root']);
  expect((await ask(app, 'GET /v1/tasks', { 'x-api-key': made.body.key as string })).status).toBe(200);
  const rotated = await ask(app, 'POST /v1/auth/keys/shop/rotate', headers, { overlap_seconds: 0 });
  expect([rotated.status, rotated.body.name]).toEqual([201, 'shop']);
  const listed = await ask<{ keys: Json[] }>(app, 'GET /v1/auth/keys', headers);
  expect(listed.body.keys.map(({ name }) => name)).toEqual(['root', 'shop']);
  expect(JSON.stringify(listed.body)).not.toMatch(/tsk_\w{8}_/);
  const revoked = await ask<{ keys: Json[] }>(app, 'POST /v1/auth/keys/shop/revoke', headers, {});
  expect(revoked.body.keys).toMatchObject([{ state: 'revoked' }, { state: 'revoked' }]);
  expect((await ask(app, 'POST /v1/auth/keys/nothing/revoke', headers, {})).status).toBe(404);
  const { entries } = await on.tasker.audit({ actor: 'key:root' }, {});
  expect(entries.map(({ action, door }) => `${action} ${door}`)).toEqual([
    'revoke_key rest',
    'revoke_key rest',
    'rotate_key rest',
    'create_key rest',
  ]);
  expect(entries.at(-1)!.reason).toBe('new (by ana)');
});

it('a credential cannot give itself more rights', async () => {
  const app = on.app();
  const manager = await on.key({ name: 'manager', permissions: ['auth:manage', 'tasks:read'] });
  expect((await create(app, manager, { name: 'more', roles: ['admin'] })).status).toBe(403);
  expect((await create(app, manager, { name: 'more', permissions: ['tasks:*'] })).status).toBe(403);
  expect((await create(app, manager, { name: 'same', permissions: ['tasks:read'] })).status).toBe(201);
  await on.key({ name: 'strong', roles: ['admin'] });
  expect((await ask(app, 'POST /v1/auth/keys/strong/rotate', { 'x-api-key': manager }, {})).status).toBe(403);
  const limited = await on.key({ name: 'limited', roles: ['admin'], namespaces: ['test'] });
  expect((await create(app, limited, { name: 'all', roles: ['admin'] })).status).toBe(403);
  expect((await create(app, manager, { name: 'x', permissions: ['tasks:fly'] })).status).toBe(400);
});

it('a request for a key with a misspelt field creates nothing, and names the field and a similar one', async () => {
  await on.sql('delete from tasker.api_key');
  const app = on.app();
  const headers = { 'x-api-key': await on.key({ name: 'root', roles: ['admin'] }) };
  const misspelt = { name: 'ci', roles: ['operator'], namespace: ['shop'], expires_in: '1h' };
  const refused = await create(app, headers['x-api-key'], misspelt);
  expect([refused.status, (refused.body.error as Json).message]).toEqual([
    400,
    'unknown field namespace; did you mean namespaces or name?; unknown field expires_in; did you mean expires_in_seconds?',
  ]);
  for (const [body, message] of [
    [{ name: 'ci', roles: ['operator'], Namespaces: ['shop'] }, /unknown field Namespaces; did you mean namespaces/],
    [{ name: 'ci', roles: ['operator'], ttl: 1 }, /unknown field ttl; the fields are name, roles, .*, reason, by$/],
    [JSON.parse('{"name":"ci","roles":["viewer"],"__proto__":{"namespaces":["shop"]}}'), /unknown field __proto__/],
    [{ name: 'ci', rôles: ['operator'] }, /unknown field rôles; did you mean roles\?/],
  ] as const) {
    const { status, body: answer } = await create(app, headers['x-api-key'], body);
    expect([status, (answer.error as Json).message]).toEqual([400, expect.stringMatching(message)]);
  }
  const listed = await ask<{ keys: Json[] }>(app, 'GET /v1/auth/keys?all=true', headers);
  expect(listed.body.keys.map(({ name }) => name)).toEqual(['root']);
});

it('a request to rotate or revoke a key with a misspelt field changes nothing', async () => {
  await on.sql('delete from tasker.api_key');
  const app = on.app();
  const headers = { 'x-api-key': await on.key({ name: 'root', roles: ['admin'] }) };
  await on.key({ name: 'ci', roles: ['viewer'] });
  for (const [act, body, near] of [
    ['rotate', { overlap: 0 }, 'overlap_seconds'],
    ['rotate', { expires_in: '1h', overlap_seconds: 0 }, 'expires_in_seconds'],
    ['revoke', { raeson: 'leaked' }, 'reason'],
  ] as const) {
    const { status, body: answer } = await ask(app, `POST /v1/auth/keys/ci/${act}`, headers, body);
    const [field] = Object.keys(body);
    const message = `unknown field ${field}; did you mean ${near}?`;
    expect([act, status, (answer.error as Json).message]).toEqual([act, 400, message]);
  }
  const listed = await ask<{ keys: Json[] }>(app, 'GET /v1/auth/keys?all=true', headers);
  expect(listed.body.keys.map(({ name, state }) => [name, state])).toEqual([
    ['ci', 'active'],
    ['root', 'active'],
  ]);
});

it('after the first key is created over HTTP, the server requires a credential', async () => {
  await on.sql('delete from tasker.api_key');
  const app = on.app({ auth: { ...SECURED.auth, required: 'with_keys' } });
  expect((await ask(app, 'GET /v1/tasks')).status).toBe(200);
  const made = await ask(app, 'POST /v1/auth/keys', {}, { name: 'first', roles: ['admin'], by: 'ana' });
  expect([made.status, made.body.created_by]).toEqual([201, 'ana']);
  // Another server sees the key immediately, because its cache is still empty.
  const another = on.app({ auth: { ...SECURED.auth, required: 'with_keys' } });
  expect((await ask(another, 'GET /v1/tasks')).status).toBe(401);
  expect((await ask(another, 'GET /v1/tasks', { 'x-api-key': made.body.key as string })).status).toBe(200);
});

import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLogger } from '../../../src/logging/logger.ts';
import { KeySet } from '../../../src/rest/auth/key-set.ts';
import { type TokenSettings, Tokens } from '../../../src/rest/auth/tokens.ts';
import { template } from '../../support/setup.ts';
import { ask, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const settings: TokenSettings = {
  issuer: 'tasker-core',
  audience: 'tasker-api',
  algorithms: ['RS256'],
  strict: true,
  keys: { pem },
};

interface Claims extends Record<string, unknown> {
  iss?: string;
}

/** Signs a valid token, except for the given claims and header. */
function token(
  claims: Claims = {},
  { key = rsa.privateKey, alg = 'RS256', kid }: { key?: KeyObject; alg?: string; kid?: string } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { sub: 'ana', iss: 'tasker-core', aud: 'tasker-api', iat: now, exp: now + 600, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg, ...(kid !== undefined && { kid }) }).sign(key);
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokens = () => new Tokens(settings, silentLogger);
const reasonOf = (of: Tokens, text: string) =>
  of.callerOf(text).then(
    () => 'in',
    (error: { reason?: string; code?: string }) => error.reason ?? error.code,
  );

it('the bearer of a token has its permissions, and may act only under its subject', async () => {
  const app = on.app({ auth: { ...SECURED.auth, tokens: settings } });
  const text = await token({ permissions: ['tasks:list', 'dlq:*'], worker_namespaces: ['test'], roles: ['finance'] });
  const me = await ask(app, 'GET /v1/me', { authorization: `Bearer ${text}` });
  expect(me.body).toMatchObject({ subject: 'ana', credential: 'token', namespaces: ['test'], roles: ['finance'] });
  expect(me.body.permissions).toEqual(['dlq:read', 'dlq:stats', 'dlq:update', 'tasks:list']);
  expect((await ask(app, 'GET /v1/tasks', { authorization: `Bearer ${text}` })).status).toBe(200);
  expect((await ask(app, 'GET /v1/templates', { authorization: `Bearer ${text}` })).status).toBe(403);
  const session = await ask(app, 'POST /v1/session', { authorization: `Bearer ${text}` });
  expect(Date.parse(session.body.expires_at as string) - Date.now()).toBeLessThan(601_000);
  const none = on.app();
  expect((await ask(none, 'GET /v1/tasks', { authorization: `Bearer ${text}` })).status).toBe(401);
});

it('only tokens of the allowed algorithms that the key has signed are accepted', async () => {
  const of = tokens();
  expect(await reasonOf(of, await token())).toBe('in');
  const [head, body, signature] = (await token()).split('.') as [string, string, string];
  const hs = `${part({ alg: 'HS256', typ: 'JWT' })}.${body}`;
  const forged: Record<string, string> = {
    none: `${part({ alg: 'none' })}.${body}.`,
    'None with a signature': `${part({ alg: 'None' })}.${body}.${signature}`,
    'HS256 with the public key': `${hs}.${createHmac('sha256', pem).update(hs).digest('base64url')}`,
    'another key': await token({}, { key: other.privateKey }),
    'another algorithm': await token({}, { alg: 'RS512' }),
    'another kind of key': await token({}, { key: ec.privateKey, alg: 'ES256' }),
    'another body': `${head}.${part({ sub: 'root', iss: 'tasker-core', aud: 'tasker-api', exp: 9e9 })}.${signature}`,
    'an unknown critical header': `${part({ alg: 'RS256', crit: ['x'], x: 1 })}.${body}.${signature}`,
  };
  for (const [name, text] of Object.entries(forged)) {
    expect([name, await reasonOf(of, text)]).toEqual([name, expect.stringMatching(/^(invalid|malformed)$/)]);
  }
  const allowed = new Tokens({ ...settings, algorithms: ['RS256', 'RS512'] }, silentLogger);
  expect(await reasonOf(allowed, await token({}, { alg: 'RS512' }))).toBe('in');
});

it('every claim is checked', async () => {
  const now = Math.floor(Date.now() / 1000);
  const cases: [object, string][] = [
    [{ exp: now - 60 }, 'expired'],
    [{ exp: undefined }, 'invalid'],
    [{ nbf: now + 600 }, 'invalid'],
    [{ iss: 'somebody' }, 'invalid'],
    [{ aud: 'worker-api' }, 'invalid'],
    [{ aud: ['x', 'tasker-api'] }, 'in'],
    [{ sub: undefined }, 'invalid'],
    [{ sub: '' }, 'invalid'],
    [{ sub: 'key:ci' }, 'invalid'],
    [{ sub: 'a\u0000' }, 'invalid'],
    [{ permissions: 'tasks:read' }, 'invalid'],
    [{ permissions: ['*'] }, 'invalid'],
    [{ permissions: ['tasks:fly'] }, 'invalid'],
    [{ permissions: ['tasks:read', 7] }, 'invalid'],
    [{ worker_namespaces: 'shop' }, 'invalid'],
    [{ roles: { admin: true } }, 'invalid'],
  ];
  const of = tokens();
  for (const [claims, reason] of cases) {
    expect([claims, await reasonOf(of, await token(claims as Claims))]).toEqual([claims, reason]);
  }
  const lenient = new Tokens({ ...settings, strict: false }, silentLogger);
  const caller = await lenient.callerOf(await token({ permissions: ['tasks:fly', 'tasks:read'] }));
  expect(caller.permissions).toEqual(['tasks:read']);
});

it('only roles with the prefix grant permissions, and a token without a list of namespaces applies to all namespaces', async () => {
  const of = tokens();
  const plain = await of.callerOf(await token({ roles: ['admin'] }));
  expect([plain.permissions, plain.namespaces, plain.roles]).toEqual([[], undefined, ['admin']]);
  const viewer = await of.callerOf(await token({ roles: ['tasker-viewer'], namespaces: [] }));
  expect([viewer.allows('tasks:read'), viewer.allows('tasks:cancel'), viewer.namespaces]).toEqual([true, false, []]);
});

it('an empty list of namespaces in a token means none', async () => {
  const app = on.app({ auth: { ...SECURED.auth, tokens: settings } });
  await on.tasker.createTask({ name: 'demo', namespace: 'test' });
  const seen = async (claims: Claims) => {
    const authorization = `Bearer ${await token({ permissions: ['tasks:list', 'tasks:create'], ...claims })}`;
    const me = await ask(app, 'GET /v1/me', { authorization });
    const templates = { name: 'demo', namespace: 'test', version: '1.0.0', context: {} };
    const request = { ...templates, initiator: 'a', source_system: 'b', reason: 'c' };
    const { status } = await ask(app, 'POST /v1/tasks', { authorization }, request);
    return [me.body.namespaces, status];
  };
  expect(await seen({})).toEqual([null, 201]);
  expect(await seen({ worker_namespaces: [] })).toEqual([[], 404]);
  expect(await seen({ namespaces: [] })).toEqual([[], 404]);
  expect(await seen({ worker_namespaces: ['*'] })).toEqual([null, 201]);
  expect(await reasonOf(tokens(), await token({ worker_namespaces: null }))).toBe('invalid');
});

it('a private or a weak key in the configuration is rejected', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'pkcs1', format: 'pem' });
  const secret = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const text of ['nothing', secret as string, weak as string]) {
    expect(() => new Tokens({ ...settings, keys: { pem: text } }, silentLogger)).toThrow(/jwt_public_key/);
  }
  const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }) as string;
  expect(() => new Tokens({ ...settings, keys: { pem: pkcs1 } }, silentLogger)).not.toThrow();
});

let provider: Server;
let url: string;
const served = { keys: [] as object[], status: 200, requests: 0, body: undefined as string | undefined };

beforeAll(async () => {
  provider = createServer((_, answer) => {
    served.requests++;
    answer.writeHead(served.status, { location: 'http://127.0.0.1/' });
    answer.end(served.body ?? JSON.stringify({ keys: served.keys }));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/keys`;
});
afterAll(() => provider.close());

const jwk = async (key: KeyObject, kid: string) => ({ ...(await exportJWK(key)), kid, use: 'sig', alg: 'RS256' });

/** Tokens whose keys come from the provider, and a clock that the test moves. */
function fromProvider(more: object = {}) {
  const clock = { now: 1_000_000 };
  const keySettings = { url, refreshMs: 60_000, maxStaleMs: 30_000, allowHttp: true, ...more };
  const set = new KeySet(keySettings, silentLogger, () => clock.now);
  return { clock, tokens: new Tokens({ ...settings, keys: keySettings }, silentLogger, set) };
}

it('keys of a provider are loaded once, and again when it signs with a new key', async () => {
  Object.assign(served, { keys: [await jwk(rsa.publicKey, 'one')], status: 200, requests: 0, body: undefined });
  const { tokens: of, clock } = fromProvider();
  const first = await token({}, { kid: 'one' });
  expect(await Promise.all([1, 2, 3].map(() => reasonOf(of, first)))).toEqual(['in', 'in', 'in']);
  expect(served.requests).toBe(1);
  served.keys = [await jwk(other.publicKey, 'two')];
  const second = await token({}, { key: other.privateKey, kid: 'two' });
  expect(await reasonOf(of, second)).toBe('invalid');
  clock.now += 31_000;
  expect(await reasonOf(of, second)).toBe('in');
  expect(await reasonOf(of, first)).toBe('invalid');
  expect(served.requests).toBe(2);
});

it('older keys are used for a while when the provider does not respond, and then every token is rejected', async () => {
  Object.assign(served, { keys: [await jwk(rsa.publicKey, 'one')], status: 200, requests: 0, body: undefined });
  const { tokens: of, clock } = fromProvider();
  const text = await token({}, { kid: 'one' });
  expect(await reasonOf(of, text)).toBe('in');
  served.status = 503;
  clock.now += 70_000;
  expect(await reasonOf(of, text)).toBe('in');
  expect(await reasonOf(of, text)).toBe('in');
  expect(served.requests).toBe(2);
  clock.now += 30_000;
  expect(await reasonOf(of, text)).toBe('not_ready');
  served.status = 200;
  expect(await reasonOf(of, text)).toBe('in');
});

it('redirects, private addresses, http and responses that are not key sets are rejected', async () => {
  const text = await token({}, { kid: 'one' });
  for (const answer of [{ status: 302 }, { body: 'no JSON' }, { body: '{}' }, { body: 'x'.repeat(2_000_000) }]) {
    Object.assign(served, { keys: [], status: 200, body: undefined }, answer);
    expect(await reasonOf(fromProvider().tokens, text)).toBe('not_ready');
  }
  served.requests = 0;
  const secure = [
    url,
    url.replace('http:', 'https:'),
    'https://localhost/keys',
    'https://169.254.169.254/keys',
    'https://[::1]/k',
  ];
  for (const one of secure) {
    expect(await reasonOf(fromProvider({ url: one, allowHttp: false }).tokens, text)).toBe('not_ready');
  }
  expect(served.requests).toBe(0);
  // A symmetric key in the set does not allow forgery.
  Object.assign(served, { keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'h' }], status: 200, body: undefined });
  const hs = `${part({ alg: 'HS256', kid: 'h' })}.${part({ sub: 'x' })}`;
  const forged = `${hs}.${createHmac('sha256', 'secret').update(hs).digest('base64url')}`;
  expect(await reasonOf(fromProvider().tokens, forged)).toBe('invalid');
});

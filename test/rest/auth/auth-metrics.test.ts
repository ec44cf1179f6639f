import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { securityFrom } from '../../../src/cli/project/server-security.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { TokenSettings } from '../../../src/rest/auth/tokens.ts';
import { template } from '../../support/setup.ts';
import { type App, ask, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const tokens: TokenSettings = {
  issuer: 'tasker-core',
  audience: 'tasker-api',
  algorithms: ['RS256'],
  strict: true,
  keys: { pem: rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string },
};

function token(permissions: string[], { expired = false } = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'ana', iss: 'tasker-core', aud: 'tasker-api', exp: now + (expired ? -600 : 600), permissions };
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey);
}

/** Returns the metrics of authentication by name and labels, without those of value 0. */
async function counted(app: App, headers: Record<string, string> = {}): Promise<Map<string, number>> {
  const answer = await app.request('http://localhost/metrics', { headers });
  expect(answer.status).toBe(200);
  const lines = (await answer.text()).split('\n').filter((line) => /^tasker_(auth|permission|api)_/.test(line));
  return new Map(
    lines
      .filter((line) => !line.includes('_bucket'))
      .map((line): [string, number] => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))])
      .filter(([, value]) => value > 0),
  );
}

/** Returns the increase of each counter while requests are sent. For durations, it is the increase of their number. */
async function growth(app: App, act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await counted(app);
  await act();
  const after = await counted(app);
  const grown = [...after].map(([name, value]): [string, number] => [name, value - (before.get(name) ?? 0)]);
  return Object.fromEntries(grown.filter(([name, by]) => by > 0 && !name.endsWith('_sum')));
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const REQUESTS = 'tasker_auth_requests_total';
const FAILURES = 'tasker_auth_failures_total';
const DENIALS = 'tasker_permission_denials_total';
const VERIFIED = 'tasker_auth_jwt_verification_duration_seconds_count';

it('requests are counted by the kind of their credential, and requests that need none are not counted', async () => {
  const app = on.app({ auth: { ...SECURED.auth, tokens } });
  const key = await on.key({ name: 'counted', roles: ['viewer'] });
  const begun = await ask(app, 'POST /v1/session', { 'x-api-key': key });
  const cookie = begun.headers.get('set-cookie')!.split(';')[0]!;
  const text = await token(['tasks:list']);
  const grown = await growth(app, async () => {
    for (let i = 0; i < 3; i++) expect((await ask(app, 'GET /v1/tasks', { 'x-api-key': key })).status).toBe(200);
    for (let i = 0; i < 2; i++) expect((await ask(app, 'GET /v1/tasks', bearer(text))).status).toBe(200);
    expect((await ask(app, 'GET /v1/me', { cookie })).status).toBe(200);
    for (const path of ['/health', '/metrics', '/api-docs/openapi.json', '/v1/auth/providers', '/']) {
      expect((await app.request(`http://localhost${path}`)).status).toBe(200);
    }
  });
  expect(grown).toEqual({
    [`${REQUESTS}{credential="key"}`]: 3,
    [`${REQUESTS}{credential="token"}`]: 2,
    [`${REQUESTS}{credential="session"}`]: 1,
    [VERIFIED]: 2,
  });
});

it('rejections are counted by their reason, and their requests are counted as requests without a credential', async () => {
  const app = on.app({ auth: { ...SECURED.auth, tokens } });
  const refused: [Record<string, string>, string][] = [
    [{}, 'missing'],
    [{ 'x-api-key': 'tsk_wrong' }, 'invalid'],
    [{ authorization: 'Basic x' }, 'malformed'],
    [bearer(await token(['tasks:list'], { expired: true })), 'expired'],
  ];
  for (const [headers, reason] of refused) {
    const grown = await growth(app, async () => {
      const { status, headers: answered } = await ask(app, 'GET /v1/tasks', headers);
      expect([status, answered.get('x-auth-failure-reason')]).toEqual([401, reason]);
    });
    expect(grown).toEqual({
      [`${REQUESTS}{credential="none"}`]: 1,
      [`${FAILURES}{reason="${reason}"}`]: 1,
      ...(reason === 'expired' && { [VERIFIED]: 1 }),
    });
  }
});

it('a caller without the permission is counted by the permission, and an unknown path adds no label', async () => {
  const app = on.app();
  const key = await on.key({ name: 'narrow', permissions: ['tasks:list'], namespaces: ['test'] });
  const grown = await growth(app, async () => {
    expect((await ask(app, 'GET /v1/templates', { 'x-api-key': key })).status).toBe(403);
    expect((await ask(app, 'GET /v1/nothing/at/all', { 'x-api-key': key })).status).toBe(404);
  });
  expect(grown).toEqual({
    [`${REQUESTS}{credential="key"}`]: 2,
    [`${FAILURES}{reason="forbidden"}`]: 1,
    [`${DENIALS}{permission="templates:read"}`]: 1,
  });
});

it('a rejected namespace or page is counted as a rejection, but not as a missing permission', async () => {
  const app = on.app();
  const key = await on.key({ name: 'there', roles: ['admin'], namespaces: ['test'] });
  const grown = await growth(app, async () => {
    expect((await ask(app, 'GET /v1/auth/keys', { 'x-api-key': key })).status).toBe(403);
  });
  expect(grown).toEqual({ [`${REQUESTS}{credential="key"}`]: 1, [`${FAILURES}{reason="forbidden"}`]: 1 });
  const begun = await ask(app, 'POST /v1/session', { 'x-api-key': key });
  const cookie = begun.headers.get('set-cookie')!.split(';')[0]!;
  const foreign = await growth(app, async () => {
    expect((await ask(app, 'GET /v1/tasks', { cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  });
  expect(foreign).toEqual({ [`${REQUESTS}{credential="none"}`]: 1, [`${FAILURES}{reason="forbidden"}`]: 1 });
});

it('requests that the server rejects without processing them are counted by the reason', async () => {
  const app = on.app({ requestsPerSecond: 1 });
  const key = await on.key({ name: 'hasty', roles: ['viewer'] });
  let refused = 0;
  const grown = await growth(app, async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(app, 'GET /v1/me', { 'x-api-key': key })));
    refused = answers.filter(({ status }) => status === 429).length;
  });
  expect(refused).toBeGreaterThan(0);
  expect(grown).toEqual({
    [`${REQUESTS}{credential="key"}`]: 20,
    'tasker_api_requests_rejected_total{reason="rate_limited"}': refused,
  });
});

it('metrics need a credential with system:analytics_read if the configuration requires it, and health never does', async () => {
  const app = on.app({ metricsNeedCredential: true });
  const viewer = await on.key({ name: 'prometheus', permissions: ['system:analytics_read'] });
  const other = await on.key({ name: 'blind', permissions: ['tasks:read'] });
  for (const path of ['/metrics', '/metrics/events']) {
    const status = async (headers: Record<string, string>) =>
      (await app.request(`http://localhost${path}`, { headers })).status;
    expect([path, await status({})]).toEqual([path, 401]);
    expect([path, await status({ 'x-api-key': other })]).toEqual([path, 403]);
    expect([path, await status({ 'x-api-key': viewer })]).toEqual([path, 200]);
    expect([path, await status(bearer(viewer))]).toEqual([path, 200]);
    const head = await app.request(`http://localhost${path}`, { method: 'HEAD' });
    expect([path, head.status]).toEqual([path, 401]);
  }
  for (const path of ['/health', '/health/live', '/health/ready', '/health/detailed']) {
    expect((await app.request(`http://localhost${path}`)).status).toBe(200);
  }
  const denied = await counted(app, { 'x-api-key': viewer });
  expect(denied.get(`${DENIALS}{permission="system:analytics_read"}`)).toBeGreaterThanOrEqual(2);
});

it('beyond loopback, metrics need a credential unless the configuration makes them public', () => {
  const { config } = loadConfig({ env: {}, cwd: '/' });
  const needsCredential = (host: string, metricsNeedCredential?: boolean) =>
    securityFrom({ ...config, metricsNeedCredential }, { host, insecure: false, tls: false }).metricsNeedCredential;
  expect(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1', '::1'].map((host) => needsCredential(host))).toEqual([
    ...[true, true, true],
    ...[false, false],
  ]);
  expect([needsCredential('0.0.0.0', false), needsCredential('127.0.0.1', true)]).toEqual([false, true]);
});

it('on a server that needs no credential, metrics need none either', async () => {
  const app = on.app({ metricsNeedCredential: true, auth: { ...SECURED.auth, required: 'never' } });
  expect((await app.request('http://localhost/metrics')).status).toBe(200);
});

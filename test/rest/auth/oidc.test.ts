import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { OidcSettings } from '../../../src/rest/auth/oidc/oidc-login.ts';
import { returnAddress } from '../../../src/rest/auth/oidc/return-address.ts';
import { template } from '../../support/setup.ts';
import { Provider } from './provider.ts';
import { type App, type Json, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);
const provider = new Provider();
let app: App;

const appWith = (settings: Partial<OidcSettings> = {}) =>
  on.app({
    auth: {
      ...SECURED.auth,
      oidc: {
        issuer: provider.issuer,
        name: 'Shop',
        clientId: 'tasker',
        clientSecret: 'hush',
        scopes: ['openid', 'email'],
        publicUrl: 'http://localhost/ops',
        allowHttp: true,
        subjectClaim: 'sub',
        rolesClaim: 'groups',
        roles: { 'platform team': 'operator', guests: 'viewer' },
        namespacesClaim: undefined,
        sessionMs: 3_600_000,
        ...settings,
      },
    },
  });

beforeAll(async () => {
  await provider.start();
  app = appWith();
});
afterAll(() => provider.stop());
beforeEach(() => {
  Object.assign(provider, {
    claims: { groups: ['platform team', 'x'] },
    wrong: {},
    isDown: false,
    userinfo: undefined,
  });
});

interface Begun {
  address: string;
  cookie: string;
}

async function begin(of: App = app, query = ''): Promise<Begun> {
  const answer = await of.request(`http://localhost/v1/auth/oidc/login${query}`);
  expect(answer.status).toBe(302);
  return { address: answer.headers.get('location')!, cookie: answer.headers.getSetCookie()[0]!.split(';')[0]! };
}

/** Sends the browser back from the provider. */
async function back(query: URLSearchParams | string, cookie: string, of: App = app) {
  const answer = await of.request(`http://localhost/v1/auth/oidc/callback?${query}`, { headers: { cookie } });
  const set = answer.headers.getSetCookie();
  const session = set.find((one) => one.startsWith('tasker_session='));
  const { error } = (answer.status === 302 ? {} : await answer.json()) as { error?: Json };
  const reason = answer.headers.get('x-auth-failure-reason');
  return { status: answer.status, location: answer.headers.get('location'), set, session, error, reason };
}

async function login(of: App = app, query = '') {
  const { address, cookie } = await begin(of, query);
  return back(provider.login(address), cookie, of);
}

const me = async (session: string | undefined, of: App = app): Promise<Json> =>
  (
    await of.request('http://localhost/v1/me', { headers: { cookie: session!.split(';')[0]! } })
  ).json() as Promise<Json>;

it('a person with a mapped role gets a session in the same cookie as with a key', async () => {
  expect(await (await app.request('http://localhost/v1/auth/providers')).json()).toEqual({
    oidc: { name: 'Shop', login_url: 'http://localhost/ops/v1/auth/oidc/login' },
  });
  const begun = await app.request('http://localhost/v1/auth/oidc/login?return_to=/tasks/1%3Fa=b');
  const { searchParams: query } = new URL(begun.headers.get('location')!);
  expect(Object.fromEntries(query)).toMatchObject({
    response_type: 'code',
    client_id: 'tasker',
    redirect_uri: 'http://localhost/ops/v1/auth/oidc/callback',
    scope: 'openid email',
    code_challenge_method: 'S256',
  });
  const [pending] = begun.headers.getSetCookie();
  expect(pending).toMatch(/^tasker_login_[\w-]{8}=[\w-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/);
  const done = await back(provider.login(begun.headers.get('location')!), pending!.split(';')[0]!);
  expect([done.status, done.location]).toEqual([302, 'http://localhost/ops/tasks/1?a=b']);
  expect(done.session).toMatch(/^tasker_session=[\w-]{43}; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(done.set.find((one) => one.startsWith('tasker_login_'))).toMatch(/=; Max-Age=0;/);
  const seen = await me(done.session);
  expect(seen).toMatchObject({ subject: 'ana', credential: 'session', namespaces: null });
  expect(seen.roles).toEqual(['platform team', 'x', 'operator']);
  expect(seen.permissions).toContain('tasks:cancel');
  // Another server of the same database knows the session.
  expect(await me(done.session, appWith())).toEqual(seen);
});

it('one server finishes the login that another server began', async () => {
  const { address, cookie } = await begin();
  expect((await back(provider.login(address), cookie, appWith())).status).toBe(302);
});

it('a code is accepted once, and only in the browser that began the login', async () => {
  const { address, cookie } = await begin();
  const query = provider.login(address);
  expect(await back(query, '')).toMatchObject({ status: 401, reason: 'expired', session: undefined });
  expect((await back(query, cookie)).status).toBe(302);
  expect(await back(query, cookie)).toMatchObject({ status: 401, reason: 'invalid', session: undefined });
  const [first, second] = [await begin(), await begin()];
  // The code of one login with the state of another, as in a forged link.
  const mixed = provider.login(first.address);
  mixed.set('state', new URL(second.address).searchParams.get('state')!);
  expect(await back(mixed, second.cookie)).toMatchObject({ status: 401, reason: 'invalid' });
});

it('an invalid state, issuer or response of the provider begins no session', async () => {
  const tries: [string, (query: URLSearchParams) => void, number][] = [
    ['state', (query) => query.set('state', `${query.get('state')!.slice(0, 8)}x`), 401],
    ['two states', (query) => query.append('state', query.get('state')!), 401],
    ['issuer', (query) => query.set('iss', 'https://evil.example'), 401],
    ['no issuer', (query) => query.delete('iss'), 401],
    ['no code', (query) => query.delete('code'), 401],
    ['refused', (query) => query.set('error', 'access_denied'), 403],
    ['odd error', (query) => query.set('error', '<script>\n'), 401],
  ];
  for (const [name, change, status] of tries) {
    const { address, cookie } = await begin();
    const query = provider.login(address);
    change(query);
    const done = await back(query, cookie);
    expect([name, done.status, done.session, JSON.stringify(done.error)]).toEqual([
      name,
      status,
      undefined,
      expect.not.stringContaining('script'),
    ]);
  }
  expect(await back('', 'tasker_login_none=%7B')).toMatchObject({ status: 401, reason: 'malformed' });
});

it('an ID token with a wrong nonce, time, audience, issuer or signature is rejected', async () => {
  const now = Math.floor(Date.now() / 1000);
  const cases: [string, Provider['wrong'], string | undefined][] = [
    ['nonce', { claims: { nonce: 'other' } }, 'invalid'],
    ['no nonce', { claims: { nonce: undefined } }, 'invalid'],
    ['expired', { claims: { exp: now - 120 } }, 'expired'],
    ['not yet', { claims: { nbf: now + 120 } }, 'expired'],
    ['a clock that is 20 seconds behind', { claims: { exp: now - 20 } }, undefined],
    ['audience', { claims: { aud: 'other' } }, 'invalid'],
    ['issuer', { claims: { iss: 'https://id.example' } }, 'invalid'],
    ['HS256 with the public key', { alg: 'HS256' }, 'invalid'],
    ['none', { alg: 'none' }, 'invalid'],
    ['another key', { alg: 'forged' }, 'invalid'],
  ];
  for (const [name, wrong, reason] of cases) {
    provider.wrong = wrong;
    const done = await login();
    expect([name, done.reason ?? undefined, done.session === undefined]).toEqual([name, reason, reason !== undefined]);
  }
});

it('a login succeeds right after the provider has replaced its key', async () => {
  expect((await login()).status).toBe(302);
  provider.rotate();
  expect((await login()).status).toBe(302);
});

it('an unreachable provider causes 503 at the start and at the end of a login, and logins succeed when it is back', async () => {
  const { address, cookie } = await begin();
  const query = provider.login(address);
  provider.isDown = true;
  expect(await back(query, cookie)).toMatchObject({ status: 503, session: undefined });
  const fresh = appWith();
  expect((await fresh.request('http://localhost/v1/auth/oidc/login')).status).toBe(503);
  provider.isDown = false;
  expect((await login(fresh)).status).toBe(302);
});

it('roles and namespaces come from the configured claims, and without a mapped role there is no session', async () => {
  const nested = appWith({ rolesClaim: 'realm_access.roles', namespacesClaim: 'teams' });
  const refused = async (claims: Record<string, unknown>, of: App) => {
    provider.claims = claims;
    const done = await login(of);
    return [done.status, done.session, done.set.some((one) => one.startsWith('tasker_session'))];
  };
  const no = (status: number) => [status, undefined, false];
  for (const groups of [undefined, [], ['admin'], 'viewer', ['__proto__'], ['constructor']]) {
    expect([groups, ...(await refused({ groups }, app))]).toEqual([groups, ...no(403)]);
  }
  for (const groups of [{ guests: true }, ['guests', 7], ['a\u0000'], Array(1001).fill('guests')]) {
    expect(await refused({ groups }, app)).toEqual(no(401));
  }
  for (const sub of ['key:ci', '', 'a'.repeat(201)]) {
    expect(await refused({ groups: ['guests'], sub }, app)).toEqual(no(401));
  }
  expect(await refused({ realm_access: { roles: ['guests'] } }, nested)).toEqual(no(403));
  provider.claims = { realm_access: { roles: 'guests' }, teams: ['test'] };
  const seen = await me((await login(nested)).session);
  expect(seen).toMatchObject({ roles: ['guests', 'viewer'], namespaces: ['test'] });
  expect(seen.permissions).not.toContain('tasks:cancel');
  provider.claims = { realm_access: { roles: ['guests'] }, teams: '*' };
  expect(await me((await login(nested)).session)).toMatchObject({ namespaces: null });
});

it('groups of the userinfo endpoint are used, but its other claims do not replace those of the id token', async () => {
  provider.claims = {};
  provider.userinfo = { groups: ['guests'], sub: 'ana', email: 'x' };
  expect(await me((await login()).session)).toMatchObject({ subject: 'ana', roles: ['guests', 'viewer'] });
  provider.userinfo = { groups: ['guests'], sub: 'eve' };
  expect((await login()).status).toBe(401);
  const byMail = appWith({ subjectClaim: 'email' });
  provider.claims = { groups: ['guests'], email: 'ana@shop.example', email_verified: false };
  expect((await login(byMail)).status).toBe(401);
});

it('the browser returns only to a path of this server', async () => {
  const publicUrl = 'https://tasker.example/ops';
  const own = (path: string) => returnAddress(path, publicUrl);
  expect(own('/tasks/1?state=a&b=%0a#x')).toBe(`${publicUrl}/tasks/1?state=a&b=%0a#x`);
  const bad = [
    '//evil.example',
    '/\\evil.example',
    '\\\\evil',
    'https://evil.example',
    '@evil.example',
    '.evil.example',
  ];
  const worse = [
    '/a\r\nset-cookie: x',
    '/\t/evil.example',
    '/../admin',
    '/%2e%2e/admin',
    '/a/../../x',
    '',
    '/é',
    '/a\\b',
  ];
  for (const path of [...bad, ...worse]) expect([path, own(path)]).toEqual([path, `${publicUrl}/`]);
  const done = await login(app, `?return_to=${encodeURIComponent('//evil.example')}`);
  expect(done.location).toBe('http://localhost/ops/');
  expect((await login(app, `?return_to=/${'a'.repeat(5000)}`)).location).toBe('http://localhost/ops/');
});

it('logins never make the cookies too large for a request, and failed logins of an address are limited', async () => {
  let cookie = '';
  for (let i = 0; i < 12; i++) {
    const answer = await app.request('http://localhost/v1/auth/oidc/login', { headers: { cookie } });
    const jar = new Map(cookie.split('; ').map((one) => one.split('=') as [string, string]));
    for (const set of answer.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0]!.split('=') as [string, string];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    jar.delete('');
    cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    expect(jar.size).toBeLessThanOrEqual(6);
  }
  const strict = on.app({
    auth: { ...SECURED.auth, wrong: { burst: 3, perSecond: 0.001 }, oidc: appSettings() },
  });
  const states = [];
  for (let i = 0; i < 4; i++) states.push((await back('state=abcdefgh', '', strict)).status);
  expect(states).toEqual([401, 401, 401, 429]);
});

function appSettings(): OidcSettings {
  return {
    ...{ issuer: provider.issuer, name: 'Shop', clientId: 'tasker', clientSecret: 'hush', scopes: ['openid'] },
    ...{ publicUrl: 'http://localhost', allowHttp: true, subjectClaim: 'sub', rolesClaim: 'groups', roles: {} },
    ...{ namespacesClaim: undefined, sessionMs: 60_000 },
  };
}

it('without a provider, the login routes do not exist', async () => {
  const without = on.app();
  expect(await (await without.request('http://localhost/v1/auth/providers')).json()).toEqual({ oidc: null });
  for (const path of ['login', 'callback?state=abcdefgh&code=x']) {
    expect((await without.request(`http://localhost/v1/auth/oidc/${path}`)).status).toBe(404);
  }
});

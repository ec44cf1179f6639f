import { expect, it } from 'vitest';
import { addressKey, RateLimit } from '../../../src/rest/auth/rate-limit.ts';
import { openSession } from '../../support/database.ts';
import { template } from '../../support/setup.ts';
import { ask, SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);

it('a bucket allows a burst, then the rate, and returns when the next request is allowed', () => {
  const limit = new RateLimit({ perSecond: 2, burst: 3, most: 10 });
  expect([0, 0, 0, 0].map(() => limit.take('a', 1000))).toEqual([0, 0, 0, 1]);
  expect(limit.take('b', 1000)).toBe(0);
  expect(limit.take('a', 1500)).toBe(0);
  expect(limit.take('a', 1500)).toBe(1);
  expect([0, 0, 0, 0].map(() => limit.take('a', 60_000))).toEqual([0, 0, 0, 1]);
  limit.giveBack('a', 60_000);
  expect([limit.take('a', 60_000), limit.take('a', 60_000)]).toEqual([0, 1]);
  const slow = new RateLimit({ perSecond: 0.1, burst: 1, most: 10 });
  expect([slow.take('a', 0), slow.take('a', 0), slow.take('a', 4_000)]).toEqual([0, 10, 6]);
});

it('memory is bounded for any number of addresses', () => {
  const limit = new RateLimit({ perSecond: 1, burst: 2, most: 100 });
  for (let i = 0; i < 10_000; i++) limit.take(`address ${i}`, 0);
  expect(limit.size).toBe(100);
});

it('all addresses of an IPv6 network share one limit', () => {
  expect(addressKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(addressKey('2001:db8:1:2::9')).toBe('2001:db8:1:2::/64');
  expect(addressKey('2001:db8::9')).toBe('2001:db8:0:0::/64');
  expect(addressKey('::1')).toBe('0:0:0:0::/64');
  expect(addressKey('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(addressKey('10.0.0.1')).toBe('10.0.0.1');
});

it('a credential that sends too many requests gets 429 with Retry-After, and others are not affected', async () => {
  const app = on.app({ requestsPerSecond: 1 });
  const [busy, calm] = [
    await on.key({ name: 'busy', roles: ['viewer'] }),
    await on.key({ name: 'calm', roles: ['viewer'] }),
  ];
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(app, 'GET /v1/me', { 'x-api-key': busy })));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(refused[0]!.body).toMatchObject({ error: { code: 'RATE_LIMITED' } });
  expect((await ask(app, 'GET /v1/me', { 'x-api-key': calm })).status).toBe(200);
  for (let i = 0; i < 5; i++) expect((await app.request('http://localhost/health')).status).toBe(200);
});

it('after many wrong credentials an address gets 429, but a recently used key is still accepted', async () => {
  const app = on.app({ auth: { ...SECURED.auth, wrong: { burst: 20, perSecond: 0.001 } } });
  const key = await on.key({ name: 'right', roles: ['viewer'] });
  expect((await ask(app, 'GET /v1/me', { 'x-api-key': key })).status).toBe(200);
  const guesses = Array.from({ length: 30 }, (_, i) => {
    return ask(app, 'GET /v1/me', { 'x-api-key': `tsk_aaaaaaaa_${String(i).padStart(43, 'x')}` });
  });
  const seen = (await Promise.all(guesses)).map(({ status }) => status);
  expect([seen.filter((status) => status === 401).length, seen.filter((status) => status === 429).length]).toEqual([
    20, 10,
  ]);
  const fresh = await on.key({ name: 'fresh', roles: ['viewer'] });
  expect((await ask(app, 'GET /v1/me', { 'x-api-key': fresh })).status).toBe(429);
  expect((await ask(app, 'GET /v1/me', { 'x-api-key': key })).status).toBe(200);
});

it('requests with unknown keys and cookies get 503 while many of them are being looked up, and a known key is still accepted', async () => {
  const app = on.app();
  const [known, later] = [
    await on.key({ name: 'known', roles: ['viewer'] }),
    await on.key({ name: 'later', roles: ['viewer'] }),
  ];
  expect((await ask(app, 'GET /v1/me', { 'x-api-key': known })).status).toBe(200);
  const blocker = await openSession(on.url);
  await blocker.query('begin');
  await blocker.query('lock table tasker.api_key, tasker.web_session in access exclusive mode');
  const name = (i: number) => `${String(i).padStart(43, 'x')}`;
  const guesses = Array.from({ length: 150 }, (_, i) => [
    ask(app, 'GET /v1/me', { 'x-api-key': `tsk_aaaaaaaa_${name(i)}` }),
    ask(app, 'GET /v1/me', { cookie: `tasker_session=${name(i)}` }),
  ]).flat();
  const refused = () => ask(app, 'GET /v1/me', { 'x-api-key': later });
  expect(await refused()).toMatchObject({ status: 503, body: { error: { code: 'BACKPRESSURE' } } });
  const accepted = ask(app, 'GET /v1/me', { 'x-api-key': known });
  await blocker.query('rollback');
  expect((await accepted).status).toBe(200);
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  expect([401, 503].map((status) => statuses.filter((one) => one === status).length)).toEqual([200, 100]);
  expect((await refused()).status).toBe(200);
});

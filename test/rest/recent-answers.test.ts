import { expect, it } from 'vitest';
import { DEMO, template } from '../support/setup.ts';
import { leastOf } from '../support/suite/measure.ts';
import { type App, secured } from './auth/secured.ts';

const on = secured([template({ first: [] }), template({ first: [] }, { name: 'hidden', namespace: 'other' })]);

const ask = async (app: App, path: string, key: string, cacheControl?: string) => {
  const headers = { 'x-api-key': key, ...(cacheControl !== undefined && { 'cache-control': cacheControl }) };
  const answer = await app.request(`http://localhost${path}`, { headers });
  return { status: answer.status, age: answer.headers.get('age'), body: await answer.json() };
};
const counted = async (app: App, key: string, cacheControl?: string) => {
  const { body } = await ask(app, '/v1/summary', key, cacheControl);
  return Object.values((body as { states: Record<string, number> }).states).reduce((sum, count) => sum + count, 0);
};

it('a response is reused only for requests that allow its age', async () => {
  const app = on.app();
  const key = await on.key({ name: 'reader', roles: ['viewer'] });
  const before = await counted(app, key, 'max-age=0');
  await on.tasker.createTask({ ...DEMO, context: {} });
  await on.tasker.engine.search.log.flush();
  await expect.poll(() => counted(app, key)).toBe(before + 1);
  // No request has allowed an age since then, so that the first response is still the cached one.
  const shared = await ask(app, '/v1/summary', key, 'no-transform, max-age=60');
  expect(shared.age).toMatch(/^\d+$/);
  expect(await counted(app, key, 'max-age=60')).toBe(before);
  expect(await counted(app, key, 'max-age=0')).toBe(before + 1);
  expect(await counted(app, key, 'max-age=60')).toBe(before + 1);
  // Other addresses have other responses.
  expect((await ask(app, '/v1/summary?namespace=test', key, 'max-age=60')).age).toBeNull();
});

it('concurrent requests share one read of the database', async () => {
  const app = on.app();
  const key = await on.key({ name: 'crowd', roles: ['viewer'] });
  await ask(app, '/v1/me', key);
  let limit = 1;
  const cost = async (cacheControl: string | undefined) => {
    const before = on.tasker.statements;
    await Promise.all(Array.from({ length: 20 }, () => ask(app, `/v1/summary?limit=${limit}`, key, cacheControl)));
    return on.tasker.statements - before;
  };
  const costOfNew = () => {
    limit += 1;
    return cost('max-age=60');
  };
  // Other statements of the process can only add to a count.
  const one = await leastOf(1, costOfNew, 3);
  expect(one).toBeGreaterThan(0);
  expect(await leastOf(1, () => cost('max-age=60'))).toBe(0);
  expect(await cost(undefined)).toBeGreaterThan(10 * one);
});

it('a response is never reused for a caller with other rights, and errors are not reused', async () => {
  const app = on.app();
  const all = await on.key({ name: 'all', roles: ['operator'] });
  const some = await on.key({ name: 'some', roles: ['operator'], namespaces: ['test'] });
  const less = await on.key({ name: 'less', permissions: ['tasks:list'] });
  await on.tasker.createTask({ ...DEMO, namespace: 'other', name: 'hidden', context: { secret: 'blue' } });
  const list = (key: string) => ask(app, '/v1/tasks?name=hidden', key, 'max-age=60');
  await expect.poll(async () => JSON.stringify((await ask(app, '/v1/tasks?name=hidden', all)).body)).toContain('blue');
  await ask(app, '/v1/tasks?name=hidden', all, 'max-age=0');
  expect(JSON.stringify((await list(all)).body)).toContain('blue');
  // The caller `less` may see the task, but has other permissions.
  for (const key of [some, less]) {
    const { age, body } = await list(key);
    expect(age).toBeNull();
    expect(JSON.stringify(body).includes('blue')).toBe(key === less);
  }
  const refused = () => ask(app, '/v1/workers', less, 'max-age=60');
  expect([(await refused()).status, (await refused()).age]).toEqual([403, null]);
  // The response about the caller itself is always new.
  for (const key of [all, some]) expect((await ask(app, '/v1/me', key, 'max-age=60')).age).toBeNull();
});

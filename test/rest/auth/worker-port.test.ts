import { expect, it, onTestFinished } from 'vitest';
import { WorkerServer } from '../../../src/app/server/worker-server.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { workerGuard } from '../../../src/rest/auth/worker-guard.ts';
import { template } from '../../support/setup.ts';
import { SECURED, secured } from './secured.ts';

const on = secured([template({ first: [] })]);

/** Starts a worker on an address that other machines can reach. */
async function started({
  guarded,
  ...more
}: {
  guarded: boolean;
  metricsNeedCredential?: boolean;
}): Promise<(path: string, key?: string) => Promise<number>> {
  const server = new WorkerServer();
  const settings = { ...SECURED, ...more };
  if (guarded) server.guard = workerGuard(() => server.tasker, { settings, logger: silentLogger });
  onTestFinished(() => server.shutdown());
  await server.start({
    databaseUrl: on.url,
    templates: [template({ first: [] })],
    handlers: [],
    web: { bindAddress: '0.0.0.0:0', configEndpointEnabled: true },
    logger: silentLogger as never,
  });
  const url = server.url!.replace('0.0.0.0', '127.0.0.1');
  return async (path, key) => {
    const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key };
    const answer = await fetch(`${url}${path}`, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
}

it('beyond loopback, the port of a worker needs a credential with the permission of the route', async () => {
  const status = await started({ guarded: true });
  const viewer = await on.key({ name: 'looks', roles: ['viewer'] });
  const operator = await on.key({ name: 'runs', roles: ['operator'] });
  const limited = await on.key({ name: 'limited', roles: ['admin'], namespaces: ['test'] });
  const creator = await on.key({ name: 'creates', permissions: ['tasks:create'] });
  for (const path of ['/health', '/health/ready', '/metrics', '/metrics/events']) {
    expect([path, await status(path)]).toEqual([path, 200]);
  }
  for (const path of ['/v1/templates', '/config', '/api-docs/openapi.json', '/v1/%74emplates', '//v1/templates']) {
    const open = await status(path);
    expect([path, open === 401 || open === 404]).toEqual([path, true]);
    expect([path, await status(path, `${viewer}x`)]).not.toEqual([path, 200]);
  }
  expect(await status('/v1/templates', viewer)).toBe(200);
  expect(await status('/v1/templates/test/demo/1.0.0', viewer)).toBe(200);
  expect([await status('/config', viewer), await status('/config', operator)]).toEqual([403, 200]);
  expect([await status('/v1/templates', limited), await status('/v1/templates', creator)]).toEqual([403, 403]);
  expect(await status('/api-docs/openapi.json', creator)).toBe(200);
});

it('beyond loopback, the metrics of a worker need a credential, because they name every template', async () => {
  const status = await started({ guarded: true, metricsNeedCredential: true });
  const scraper = await on.key({ name: 'scrapes', permissions: ['system:analytics_read'] });
  const creator = await on.key({ name: 'only-creates', permissions: ['tasks:create'] });
  for (const path of ['/metrics', '/metrics/worker', '/metrics/events']) {
    const statuses = [await status(path), await status(path, creator), await status(path, scraper)];
    expect([path, statuses]).toEqual([path, [401, 403, 200]]);
  }
  for (const path of ['/%6detrics', '//metrics', '/metrics/', '/Metrics']) {
    expect([path, await status(path)]).not.toEqual([path, 200]);
  }
  for (const path of ['/health', '/health/live', '/health/ready'])
    expect([path, await status(path)]).toEqual([path, 200]);
});

it('without a guard, as in a program, the port serves only health and metrics beyond loopback', async () => {
  const status = await started({ guarded: false });
  expect([await status('/metrics'), await status('/v1/templates'), await status('/config')]).toEqual([200, 403, 403]);
});

import { expect, it } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { LOCAL_SECURITY } from '../../src/rest/auth/settings.ts';
import { restApp } from '../../src/rest/rest-app.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { asking } from '../support/rest/contract.ts';
import { type Json, servedApi } from '../support/rest/served-api.ts';
import { DEMO, template } from '../support/setup.ts';

const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const READY = [
  'circuit_breaker',
  'command_processor',
  'orchestration_database',
  'orchestration_system',
  'web_database',
];
const DETAILED = [...READY, 'channel_saturation', 'pool_utilization', 'queue_depth'].sort();
const INFO = {
  version: '1.2.3',
  environment: 'test',
  schema: 'tasker',
  operational_state: 'running',
  web_database_pool_size: 6,
  orchestration_database_pool_size: 6,
  circuit_breaker_state: 'closed',
};

type Checks = Record<string, { status: string; message?: string; duration_ms: number }>;

/** Expects the checks to have these names, and each the fields of a check. */
function expectChecks(checks: Checks, names: readonly string[]): void {
  expect(Object.keys(checks).sort()).toEqual(names);
  for (const [name, check] of Object.entries(checks)) {
    expect([name, Object.keys(check).filter((key) => !['status', 'message', 'duration_ms'].includes(key))]).toEqual([
      name,
      [],
    ]);
    expect([name, Number.isInteger(check.duration_ms)]).toEqual([name, true]);
  }
}

it('the health routes of the server have exactly the documented fields', async () => {
  const api = await servedApi({ templates: [template({ first: [] })] });
  try {
    expect((await api.ask('GET', '/health')).body).toEqual({ status: 'healthy', timestamp: ISO });
    expect((await api.ask('GET', '/health/live')).body).toEqual({ status: 'alive', timestamp: ISO });
    const ready = await api.ask<Json & { checks: Checks }>('GET', '/health/ready');
    expect(ready.status).toBe(200);
    expect(ready.body).toEqual({ status: 'ready', timestamp: ISO, checks: expect.anything(), info: INFO });
    expectChecks(ready.body.checks, READY);
    for (let i = 0; i < 3; i++) await api.tasker.createTask(DEMO);
    const detailed = await api.ask<Json & { checks: Checks }>('GET', '/health/detailed');
    expect(detailed.body).toEqual({ status: 'healthy', timestamp: ISO, checks: expect.anything(), info: INFO });
    expectChecks(detailed.body.checks, DETAILED);
    expect(detailed.body.checks.queue_depth).toMatchObject({
      status: 'healthy',
      message: '3 ready steps that no worker has claimed',
    });
    expect(detailed.body.checks.pool_utilization!.message).toMatch(/^\d of 6 connections in use, and \d callers/);
  } finally {
    await api.stop();
  }
});

it('without metrics, the health routes omit the checks that need metrics', async () => {
  const api = await servedApi({ metrics: false });
  try {
    const { body } = await api.ask<{ status: string; checks: Checks }>('GET', '/health/detailed');
    expect(body.status).toBe('healthy');
    expectChecks(body.checks, [...READY, 'channel_saturation'].sort());
  } finally {
    await api.stop();
  }
});

it('while the database is unreachable, ready is a 503 with the usual error body, and detailed is 200 and degraded', async () => {
  const api = await servedApi();
  const proxy = await startProxy(api.url);
  const tasker = await createTasker({ databaseUrl: proxy.url, worker: false, logger: silentLogger, poolSize: 4 });
  let state = 'running';
  const facts = { version: '1', environment: 'test', state: () => state };
  const app = restApp({ tasker, logger: silentLogger, facts });
  const send = asking(app);
  const ask = (path: string) => send<Json>('GET', path);
  try {
    proxy.decide = () => 'cut';
    // The first response on a loaded machine may be that the database did not respond in time.
    let ready!: Awaited<ReturnType<typeof ask>>;
    await expect
      .poll(
        async () => {
          ready = await ask('/health/ready');
          return JSON.stringify(ready.body);
        },
        { timeout: 20_000 },
      )
      .toMatch(/ECONN|terminated|closed|127\.0\.0\.1/);
    expect(ready.status).toBe(503);
    expect(ready.body).toEqual({
      error: {
        code: 'SERVICE_UNAVAILABLE',
        message: expect.stringMatching(/^the server is not ready: web_database: /),
      },
    });
    const detailed = await ask('/health/detailed');
    expect([detailed.status, detailed.body.status]).toEqual([200, 'degraded']);
    const checks = detailed.body.checks as Checks;
    expectChecks(checks, DETAILED);
    expect([checks.web_database!.status, checks.orchestration_database!.status]).toEqual(['unhealthy', 'unhealthy']);
    expect(checks.queue_depth!.status).toBe('unknown');
    for (const path of ['/health', '/health/live']) expect((await ask(path)).status).toBe(200);
    const port = new URL(proxy.url).port;
    const open = restApp({ tasker, logger: silentLogger, facts, security: { ...LOCAL_SECURITY, exposed: true } });
    let seen = '';
    await expect
      .poll(async () => (seen = JSON.stringify((await asking(open)('GET', '/health/ready')).body)), { timeout: 20_000 })
      .toContain('web_database: not reachable');
    expect(seen).not.toMatch(new RegExp(`${port}|127\\.0\\.0\\.1|localhost`));
    proxy.decide = () => undefined;
    await expect.poll(async () => (await ask('/health/ready')).status, { timeout: 20_000 }).toBe(200);
    state = 'shutting_down';
    const stopping = await ask('/health/ready');
    expect([stopping.status, stopping.body]).toEqual([
      503,
      {
        error: {
          code: 'SERVICE_UNAVAILABLE',
          message: 'the server is not ready: orchestration_system: unhealthy; command_processor: unhealthy',
        },
      },
    ]);
    expect((await ask('/health/live')).status).toBe(200);
  } finally {
    await tasker.stop();
    await api.stop();
  }
});

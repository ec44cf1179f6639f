import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { serverSettings, type WorkerServerConfig } from '../../src/app/server/server-config.ts';
import { WorkerServer } from '../../src/app/server/worker-server.ts';
import { shownConfig } from '../../src/config/show/show-config.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { emptyDatabase } from '../support/database.ts';
import { template } from '../support/setup.ts';

const ANY_PORT = '127.0.0.1:0';

/** Starts a server with its own database, and returns functions to send requests. */
async function serve({ web, ...config }: WorkerServerConfig = {}) {
  const { url, drop } = await emptyDatabase();
  const server = new WorkerServer({ databaseUrl: url, logger: silentLogger, templates: [], handlers: [] });
  onTestFinished(async () => {
    await server.shutdown({ drainTimeoutMs: 100 });
    await drop();
  });
  server.getHandlerSystem().register(
    'greet',
    defineHandler('greet', {}, async () => ({ greeting: 'hello' })),
  );
  const port = { bindAddress: ANY_PORT, ...(typeof web === 'object' && web) };
  await server.start({ templates: [template({ greet: [] })], ...config, web: web === false ? false : port });
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(new URL(path, server.url), init);
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const json = async (path: string, init?: RequestInit) => {
    const { status, body } = await ask(path, init);
    const answer: Record<string, unknown> = { status, ...JSON.parse(body) };
    return answer;
  };
  return { server, ask, json };
}

it('the health routes report whether the worker lives, is ready and which of its parts is unhealthy', async () => {
  const { json, ask } = await serve({ name: 'worker-7' });
  const about = { timestamp: expect.any(String), worker_id: 'worker-7' };
  expect(await json('/health')).toEqual({ status: 'healthy', ...about });
  expect(await json('/health/live')).toEqual({ status: 'alive', ...about });
  const healthy = { status: 'healthy', duration_ms: expect.any(Number), last_checked: expect.any(String) };
  expect(await json('/health/ready')).toMatchObject({
    status: 'ready',
    checks: { database: healthy, command_processor: healthy, queue_processing: healthy },
    system_info: { operational_state: 'running', worker_type: 'typescript', supported_namespaces: ['test'] },
  });
  expect(await json('/health/detailed')).toMatchObject({
    status: expect.stringMatching(/^(healthy|degraded)$/),
    checks: {
      event_system: { status: expect.any(String) },
      event_loop: { status: expect.any(String) },
      step_processing: healthy,
      circuit_breakers: { status: 'healthy' },
    },
    distributed_cache: { enabled: false },
  });
  expect((await ask('/health')).headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-/);
});

it('metrics are available as Prometheus text and as JSON', async () => {
  const { ask, json, server } = await serve({ name: 'worker-7' });
  const { taskUuid } = await server.tasker!.createTask({ namespace: 'test', name: 'demo' });
  await server.tasker!.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const { headers, body } = await ask('/metrics');
  expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(body).toMatch(/^tasker_worker_info\{.*worker="worker-7".*\} 1$/m);
  expect(body).toMatch(/^tasker_steps_executions_total\{.*handler="greet".*\} 1$/m);
  expect(await json('/metrics/worker')).toMatchObject({
    metrics: { tasker_worker_uptime_seconds: { value: expect.any(Number), metric_type: 'gauge' } },
    worker_id: 'worker-7',
  });
});

it('the event metrics show outcomes of domain events and the lag of groups', async () => {
  const declared = { name: 'demo.greeted', description: 'said', schema: { type: 'object', required: ['greeting'] } };
  const unfit = { ...declared, name: 'demo.unfit', schema: { type: 'object', required: ['farewell'] } };
  const fast = { ...declared, name: 'demo.fast', delivery_mode: 'fast' };
  const greeting = template({ greet: { publishes_events: [declared, unfit, fast] } });
  const { json, server } = await serve({ name: 'worker-7', templates: [greeting] });
  const tasker = server.tasker!;
  await tasker.engine.events.joinGroup({ name: 'audit', patterns: ['demo.*'] });
  const began = performance.now();
  const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'demo' });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const behind = {
    name: 'audit',
    patterns: ['demo.*'],
    waiting: 1,
    retrying: 0,
    dead: 0,
    members: 1,
    members_differ: false,
  };
  await expect
    .poll(() => json('/metrics/events'))
    .toMatchObject({
      router: { total_routed: 2, durable_routed: 1, fast_routed: 1, broadcast_routed: 0, routing_errors: 1 },
      unpublished: { invalid: 1, failed: 0, refused: 0 },
      in_process_bus: { dropped: 0, subscriber_count: expect.any(Number) },
      deliveries: { delivered: 0, failed: 0, dead: 0 },
      groups: [behind],
      worker_id: 'worker-7',
    });
  const { groups } = (await json('/metrics/events')) as { groups: { seconds_behind: number }[] };
  expect(groups[0]!.seconds_behind).toBeGreaterThan(0);
  expect(groups[0]!.seconds_behind).toBeLessThan((performance.now() - began) / 1000);
});

it('the template routes show the served templates and whether the worker can run them', async () => {
  const missing = template({ first: [], second: ['first'] }, { name: 'unknown' });
  const { json } = await serve({ templates: [template({ greet: [] }), missing], environment: 'test' });
  expect(await json('/v1/templates')).toMatchObject({
    supported_namespaces: ['test'],
    template_count: 2,
    templates: [{ namespace: 'test', name: 'demo', version: '1.0.0', step_count: 1 }, { name: 'unknown' }],
  });
  const stats = { supported_namespaces: ['test'], cache_hits: expect.any(Number), cache_evictions: 0 };
  expect(await json('/v1/templates?include_cache_stats=true')).toMatchObject({ cache_stats: stats });
  expect(await json('/v1/templates')).not.toHaveProperty('cache_stats');
  expect(await json('/v1/templates?namespace=elsewhere')).toMatchObject({ template_count: 0 });
  expect(await json('/v1/templates/test/demo/1.0.0')).toMatchObject({
    template: { template: { name: 'demo', namespace_name: 'test' }, environment: 'test' },
    handler_metadata: {
      namespace: 'test',
      name: 'demo',
      version: '1.0.0',
      handler_class: 'greet',
      registered_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    },
  });
  const post = { method: 'POST' };
  expect(await json('/v1/templates/test/demo/1.0.0/validate', post)).toMatchObject({ valid: true, errors: [] });
  expect(await json('/v1/templates/test/unknown/1.0.0/validate', post)).toMatchObject({
    valid: false,
    errors: [expect.stringContaining('first'), expect.stringContaining('second')],
    step_handlers: ['first', 'second'],
  });
});

it('the template routes show cached templates and how often each was used', async () => {
  const { server, json } = await serve();
  const stats = async () => (await json('/v1/templates?include_cache_stats')).cache_stats as Record<string, number>;
  const before = await stats();
  expect(before).toMatchObject({ total_cached: 1, oldest_entry_age_seconds: expect.any(Number) });
  for (let i = 0; i < 3; i++) await server.tasker!.createTask({ namespace: 'test', name: 'demo' });
  const after = await stats();
  expect(after['cache_hits']! + after['cache_misses']!).toBe(before['cache_hits']! + before['cache_misses']! + 3);
  expect(after['average_access_count']).toBe(before['average_access_count']! + 3);
  expect(await json('/v1/templates/test/demo/1.0.0')).toMatchObject({
    cached: true,
    access_count: before['average_access_count']! + 4,
    cache_age_seconds: expect.any(Number),
  });
});

it('all errors have the same form', async () => {
  const { json } = await serve();
  expect(await json('/v1/templates/test/demo/9.9.9')).toMatchObject({
    status: 404,
    error: { code: 'NOT_FOUND', message: expect.stringContaining('test/demo@9.9.9') },
  });
  expect(await json('/v1/tasks')).toMatchObject({
    status: 404,
    error: { code: 'NOT_FOUND', message: expect.stringContaining('/api-docs/openapi.json') },
  });
});

it('the OpenAPI document lists every path', async () => {
  const { json } = await serve({ web: { configEndpointEnabled: true } });
  const { openapi, paths } = await json('/api-docs/openapi.json');
  expect(openapi).toBe('3.1.0');
  expect(Object.keys(paths as object)).toEqual([
    '/health',
    '/health/live',
    '/health/ready',
    '/health/detailed',
    '/metrics',
    '/metrics/worker',
    '/metrics/events',
    '/v1/templates',
    '/v1/templates/{namespace}/{name}/{version}',
    '/v1/templates/{namespace}/{name}/{version}/validate',
    '/config',
  ]);
});

it('the configuration is shown only if enabled, without passwords', async () => {
  const hidden = await serve();
  expect(await hidden.json('/config')).toMatchObject({ status: 404 });
  const { json } = await serve({ web: { configEndpointEnabled: true }, concurrency: 7 });
  expect(await json('/config')).toMatchObject({
    worker_type: 'typescript',
    configuration: { 'worker.mpsc_channels.handler_dispatch.max_concurrent_handlers': 7 },
  });
  const shown = shownConfig(serverSettings({ databaseUrl: 'postgres://ada:secret@db.example/shop' }).loaded, 'test');
  expect(shown).toMatchObject({ 'common.database.url': 'postgres://ada:***@db.example/shop' });
});

it('only health and metrics are available to other machines', async () => {
  const { server, ask, json } = await serve({ web: { bindAddress: '0.0.0.0:0', configEndpointEnabled: true } });
  expect(server.url).toContain('0.0.0.0');
  for (const path of [
    '/health',
    '/health/live',
    '/health/ready',
    '/health/detailed',
    '/metrics',
    '/metrics/worker',
    '/metrics/events',
  ]) {
    expect([path, (await ask(path)).status]).toEqual([path, 200]);
  }
  for (const path of [
    '/v1/templates',
    '/v1/templates/test/demo/1.0.0',
    '/config',
    '/api-docs/openapi.json',
    '/api-docs/ui',
  ]) {
    expect(await json(path)).toMatchObject({ status: 403, error: { code: 'FORBIDDEN' } });
  }
  expect(await json('/config')).toMatchObject({
    error: { message: expect.stringContaining('only served while the worker listens on a loopback address') },
  });
});

it('a request with a host name other than localhost is rejected', async () => {
  const { server } = await serve();
  const { default: http } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    const request = http.get(new URL('/v1/templates', server.url), { headers: { host: 'evil.example' } });
    request.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject);
  });
  expect(status).toBe(403);
});

it('starting on a port in use fails with advice, and leaves nothing open', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  const { url, drop } = await emptyDatabase();
  onTestFinished(drop);
  const server = new WorkerServer({ databaseUrl: url, logger: silentLogger, templates: [], handlers: [] });
  await expect(server.start({ web: { bindAddress: `127.0.0.1:${port}` } })).rejects.toMatchObject({
    code: 'worker_bootstrap',
    message: expect.stringMatching(new RegExp(`port ${port} of 127.0.0.1 is in use .*TASKER_WEB_BIND_ADDRESS`)),
    cause: { code: 'address_unavailable' },
  });
  expect(server.getState()).toBe('error');
});

it('no port is opened if the web server is disabled', async () => {
  const { server } = await serve({ web: false });
  expect(server.url).toBeUndefined();
  expect(server.isRunning()).toBe(true);
});

it('an invalid template name is not found and causes no internal error', async () => {
  const { json } = await serve();
  for (const path of [
    '/v1/templates/te%00st/demo/1.0.0',
    '/v1/templates/test/demo/1.0.0%00',
    '/v1/templates/test/%00/1.0.0/validate',
  ]) {
    const method = path.endsWith('/validate') ? 'POST' : 'GET';
    expect(await json(path, { method })).toMatchObject({ status: 404, error: { code: 'NOT_FOUND' } });
  }
});

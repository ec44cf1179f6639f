import { expect, it, onTestFinished } from 'vitest';
import { WorkerServer } from '../../src/app/server/worker-server.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type FaultyProxy, startProxy } from '../support/crash/proxy.ts';
import { freshDatabase } from '../support/database.ts';
import { deferred, template, until } from '../support/setup.ts';
import { leastOf, msOf } from '../support/suite/measure.ts';

/** Creates a server whose database can be disconnected. */
async function behindProxy({
  bindAddress = '127.0.0.1:0',
} = {}): Promise<{ server: WorkerServer; proxy: FaultyProxy }> {
  const { url, drop } = await freshDatabase();
  const proxy = await startProxy(url);
  const server = new WorkerServer({
    databaseUrl: proxy.url,
    logger: silentLogger,
    templates: [template({ work: [] })],
    handlers: [],
    web: { bindAddress },
    drainTimeoutMs: 200,
  });
  onTestFinished(async () => {
    proxy.close();
    await server.shutdown();
    await drop();
  });
  return { server, proxy };
}

async function ask(server: WorkerServer, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(new URL(path, server.url));
  return { status: response.status, body: await response.json() };
}

const untilStatus = (server: WorkerServer, status: number) =>
  until(
    () => ask(server, '/health/ready'),
    (seen) => seen.status === status,
  );

/** The worker must report a lost database within this time: two seconds, and more on busy machines. */
const DETECTED_MS = 5_000;

/**
 * Loses the database, and returns the response of the worker once it is not ready. Expects that the worker detects the
 * loss in time in one of a few rounds, because a busy machine can delay the detection.
 */
async function untilNotReady(server: WorkerServer, lose: () => void, restore: () => void): Promise<unknown> {
  let body: unknown;
  let first = true;
  const round = async () => {
    if (!first) {
      restore();
      await untilStatus(server, 200);
    }
    first = false;
    return msOf(async () => {
      lose();
      ({ body } = await untilStatus(server, 503));
    });
  };
  expect(await leastOf(DETECTED_MS, round, 5)).toBeLessThan(DETECTED_MS);
  return body;
}

/** Closes the connection at each message of the worker, as when the database server is down. */
function disconnect(proxy: FaultyProxy): void {
  proxy.decide = () => 'lost';
  proxy.cutAll();
}

function reconnect(proxy: FaultyProxy): void {
  proxy.decide = () => undefined;
}

it('a worker is not ready while the database is down, names the failed part, and is ready again afterwards', async () => {
  const { server, proxy } = await behindProxy();
  await server.start();
  await untilStatus(server, 200);
  const body = await untilNotReady(
    server,
    () => disconnect(proxy),
    () => reconnect(proxy),
  );
  expect(body).toMatchObject({
    error: {
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('database: '),
      details: { checks: { database: { status: 'unhealthy' } } },
    },
  });
  expect(await ask(server, '/health/live')).toMatchObject({ status: 200, body: { status: 'alive' } });
  expect(await ask(server, '/health/detailed')).toMatchObject({
    status: 200,
    body: { status: 'unhealthy', checks: { database: { status: 'unhealthy' } } },
  });
  reconnect(proxy);
  await untilStatus(server, 200);
});

it('messages of the database and its driver are not shown to other machines', async () => {
  const { server, proxy } = await behindProxy({ bindAddress: '0.0.0.0:0' });
  await server.start();
  await untilStatus(server, 200);
  disconnect(proxy);
  const { body } = await untilStatus(server, 503);
  const check = { status: 'unhealthy', message: 'not reachable' };
  expect(body).toMatchObject({
    error: {
      message: expect.stringMatching(/database: not reachable(;|$)/),
      details: { checks: { database: check } },
    },
  });
  expect(await ask(server, '/health/detailed')).toMatchObject({ body: { checks: { database: check } } });
});

it('a worker is not ready while the database does not respond', async () => {
  const { server, proxy } = await behindProxy();
  await server.start();
  await untilStatus(server, 200);
  const body = await untilNotReady(
    server,
    () => proxy.freeze(),
    () => proxy.thaw(),
  );
  expect(JSON.stringify(body)).toMatch(/database: no response for \d+\.\d seconds/);
  expect(await ask(server, '/health/live')).toMatchObject({ status: 200 });
  proxy.thaw();
  await untilStatus(server, 200);
});

it('a worker stops in time while the database does not respond and a handler is running', async () => {
  const { server, proxy } = await behindProxy();
  const [running, go] = [deferred(), deferred()];
  server.getHandlerSystem().register(
    'work',
    defineHandler('work', {}, async () => {
      running.resolve();
      await go.promise;
    }),
  );
  await server.start();
  await server.tasker!.createTask({ namespace: 'test', name: 'demo' });
  await running.promise;
  proxy.freeze();
  const stopping = server.shutdown();
  expect(await ask(server, '/health/ready')).toMatchObject({
    status: 503,
    body: { error: { message: expect.stringContaining('command_processor: the worker is shutting down') } },
  });
  await stopping;
  expect(server.getState()).toBe('stopped');
  go.resolve();
});

it('a starting worker that waits for an unresponsive database stops in time', async () => {
  const { server, proxy } = await behindProxy();
  proxy.freeze();
  const starting = server.start().catch((error: unknown) => error);
  await until(
    () => server.url,
    (url) => url !== undefined,
  );
  expect(await ask(server, '/health/live')).toMatchObject({ status: 200 });
  expect(await ask(server, '/health/ready')).toMatchObject({
    status: 503,
    body: { error: { message: expect.stringContaining('the worker is starting') } },
  });
  await server.shutdown();
  expect(server.getState()).toBe('stopped');
  proxy.close();
  expect(await starting).toMatchObject({ code: 'stopped' });
});

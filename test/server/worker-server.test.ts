import { expect, it, onTestFinished } from 'vitest';
import type { WorkerServerConfig } from '../../src/app/server/server-config.ts';
import { WorkerServer } from '../../src/app/server/worker-server.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { emptyDatabase } from '../support/database.ts';
import { deferred, setup, template, until } from '../support/setup.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];
const listeners = () => SIGNALS.map((signal) => process.listenerCount(signal));

/** Creates a server with its own database, without starting it. Both are removed when the test ends. */
async function server(defaults: WorkerServerConfig = {}): Promise<WorkerServer> {
  const { url, drop } = await emptyDatabase();
  const made = new WorkerServer({
    databaseUrl: url,
    logger: silentLogger,
    templates: [template({ work: [] })],
    handlers: [],
    web: false,
    ...defaults,
  });
  onTestFinished(async () => {
    // The test itself checks the errors of shutdown.
    await made.shutdown({ drainTimeoutMs: 100 }).catch(() => undefined);
    await drop();
  });
  return made;
}

it('a worker server reports each of its states, and its statistics', async () => {
  const worker = await server({ name: 'worker-7', maxConcurrentHandlers: 3 });
  const seen: string[] = [worker.getState()];
  expect(worker.getWorkerId()).toBeNull();
  worker.getHandlerSystem().register(
    'work',
    defineHandler('work', {}, async () => ({ done: true })),
  );
  const starting = worker.start();
  seen.push(worker.getState());
  expect(await starting).toBe(worker);
  seen.push(worker.getState());
  const { taskUuid } = await worker.tasker!.createTask({ namespace: 'test', name: 'demo' });
  expect(await worker.tasker!.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
  expect(worker.healthCheck()).toMatchObject({ healthy: true, status: { running: true } });
  expect(worker.status()).toMatchObject({ state: 'running', workerId: 'worker-7', processedCount: 1, errorCount: 0 });
  const stopping = worker.shutdown();
  seen.push(worker.getState());
  await stopping;
  seen.push(worker.getState());
  expect(seen).toEqual(['initialized', 'starting', 'running', 'shutting_down', 'stopped']);
  expect(worker.status()).toMatchObject({ running: false, processedCount: 1, activeHandlers: 0, uptimeMs: 0 });
  expect(worker.healthCheck()).toMatchObject({ healthy: false, error: 'the worker server is stopped' });
});

it('a worker server cannot be started twice, but can be restarted after it stops', async () => {
  const worker = await server();
  const starting = worker.start();
  const twice = { name: 'WorkerAlreadyRunningError', code: 'worker_already_running' };
  await expect(worker.start()).rejects.toMatchObject(twice);
  await starting;
  await expect(worker.start()).rejects.toMatchObject(twice);
  const stopping = worker.shutdown();
  await expect(worker.start()).rejects.toMatchObject(twice);
  await stopping;
  await worker.start();
  expect(worker.isRunning()).toBe(true);
});

it('a worker server can be stopped before, during and after its start, and a second time', async () => {
  const worker = await server();
  await worker.shutdown();
  expect(worker.getState()).toBe('initialized');
  const starting = worker.start();
  const stopping = worker.stop();
  expect(worker.stop()).toBe(worker.shutdown());
  await expect(starting).rejects.toMatchObject({ code: 'stopped' });
  await stopping;
  expect(worker.getState()).toBe('stopped');
  await worker.stop();
});

it('all shutdown handlers run last, and a failure is reported', async () => {
  const worker = await server();
  const ran: string[] = [];
  worker.onShutdown(() => void ran.push(worker.tasker === undefined ? 'after the tasker' : 'too early'));
  worker.onShutdown(() => Promise.reject(new Error('the cache is gone')));
  worker.onShutdown(() => void ran.push('third'));
  await worker.start();
  await expect(worker.shutdown()).rejects.toThrow('the cache is gone');
  expect(ran).toEqual(['after the tasker', 'third']);
});

it('if the database rejects the worker, the error names the server and user, but never the password', async () => {
  const { url, drop } = await emptyDatabase();
  onTestFinished(drop);
  const wrong = Object.assign(new URL(url), { username: 'nobody_of_that_name', password: 'secret-word' });
  const worker = new WorkerServer({ databaseUrl: wrong.href, logger: silentLogger, handlers: [], web: false });
  const error = await worker.start().catch((thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({
    name: 'WorkerBootstrapError',
    code: 'worker_bootstrap',
    message: expect.stringContaining('nobody_of_that_name'),
    cause: { code: 'database_unreachable' },
  });
  const { message } = error as Error;
  expect(message).toContain(wrong.hostname);
  expect(message).not.toContain('secret-word');
  expect(worker.getState()).toBe('error');
});

it('a worker server has the same results as a tasker in an application, which opens no port and handles no signals', async () => {
  const before = listeners();
  const work = defineHandler('work', { inputs: { n: 'n' } }, async ({ n }) => ({ twice: 2 * Number(n) }));
  const worker = await server();
  worker.getHandlerSystem().register('work', work);
  await worker.start();
  const { tasker } = await setup({ templates: [template({ work: [] })], handlers: [work] });
  expect(listeners()).toEqual(before);
  const results = [];
  for (const one of [worker.tasker!, tasker]) {
    const { taskUuid } = await one.createTask({ namespace: 'test', name: 'demo', context: { n: 21 } });
    const { status } = await one.waitForTask(taskUuid, { timeoutMs: 20_000 });
    results.push([status, (await one.getStep(taskUuid, 'work')).results?.result]);
  }
  expect(results[0]).toEqual(['complete', { twice: 42 }]);
  expect(results[1]).toEqual(results[0]);
});

it('repeated restarts under load lose no step and run no step twice', async () => {
  const worker = await server({ concurrency: 20 });
  const runs = new Map<string, number>();
  worker.getHandlerSystem().register(
    'work',
    defineHandler('work', {}, async ({ context }) => {
      runs.set(context.taskUuid, (runs.get(context.taskUuid) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }),
  );
  const request = { namespace: 'test', name: 'demo' };
  await worker.start();
  const tasks = await worker.tasker!.createTasks(Array.from({ length: 1_000 }, () => request));
  for (let restarts = 0; restarts < 20; restarts++) {
    const before = runs.size;
    await until(
      () => runs.size,
      (count) => count > before || count === tasks.length,
    );
    await worker.shutdown();
    await worker.start();
  }
  const ended = tasks.map(({ taskUuid }) => worker.tasker!.waitForTask(taskUuid, { timeoutMs: 60_000 }));
  expect(new Set((await Promise.all(ended)).map(({ status }) => status))).toEqual(new Set(['complete']));
  expect([runs.size, new Set(runs.values())]).toEqual([1_000, new Set([1])]);
});

it('signals are handled only if this is enabled, and only until the server stops', async () => {
  const before = listeners();
  const quiet = await server();
  await quiet.start();
  expect(listeners()).toEqual(before);
  await quiet.shutdown();
  const listening = await server({ handleSignals: true });
  await listening.start();
  expect(listeners()).toEqual(before.map((count) => count + 1));
  await listening.shutdown();
  expect(listeners()).toEqual(before);
});

it('a stopping server waits for its running handlers, until hurry() aborts them', async () => {
  const worker = await server();
  const running = deferred();
  const aborted = deferred();
  worker.getHandlerSystem().register(
    'work',
    defineHandler('work', {}, async ({ signal }) => {
      running.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted.resolve();
      throw new Error('interrupted');
    }),
  );
  await worker.start();
  await worker.tasker!.createTask({ namespace: 'test', name: 'demo' });
  await running.promise;
  const stopping = worker.shutdown({ drainTimeoutMs: 3_600_000 });
  expect(worker.status()).toMatchObject({ state: 'shutting_down', activeHandlers: 1 });
  worker.hurry();
  await aborted.promise;
  await stopping;
  expect(worker.status()).toMatchObject({ state: 'stopped', activeHandlers: 0 });
});

it('only the configured namespace is served', async () => {
  const worker = await server({ namespace: 'elsewhere' });
  await worker.start();
  expect(worker.tasker!.vitals.namespaces).toEqual(['elsewhere']);
});

it.each([
  [{ template: './templates' }, 'unknown option template; did you mean templates?'],
  [{ web: { bindAdress: '127.0.0.1:0' } }, 'web: unknown option bindAdress; did you mean bindAddress?'],
  [{ limits: { decisonDepth: 3 } }, 'limits: unknown option decisonDepth; did you mean decisionDepth?'],
])('unknown options are rejected with similar names: %j', async (options, message) => {
  const worker = await server();
  await expect(worker.start(options as never)).rejects.toMatchObject({
    cause: expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) }),
  });
});

it('a number of handlers out of range is rejected under both names of the option', async () => {
  for (const options of [{ concurrency: 0 }, { maxConcurrentHandlers: 0 }]) {
    const worker = await server(options);
    await expect(worker.start()).rejects.toMatchObject({
      cause: expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringContaining('concurrency must be'),
      }),
    });
  }
});

it('the options of a native worker are accepted without effect', async () => {
  const worker = await server({
    modulePath: null,
    libraryPath: '/usr/lib',
    pollIntervalMs: 10,
    starvationCheckInterval: 1,
    cleanupInterval: 1,
    metricsInterval: 1,
    handleSignals: false,
    logLevel: 'error',
  });
  await worker.start();
  expect(worker.isRunning()).toBe(true);
});

it('the namespaces of the templates are served if the given namespace is empty', async () => {
  const worker = await server({ namespace: '' });
  await worker.start();
  expect(worker.tasker!.vitals.namespaces).toEqual(['test']);
});

it('an invalid namespace is rejected with the rule', async () => {
  const worker = await server({ namespace: 'my-app' });
  await expect(worker.start()).rejects.toThrow(/a namespace has 1 to 29 letters, digits and underscores/);
});

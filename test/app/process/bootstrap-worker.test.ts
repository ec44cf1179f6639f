import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { workerSystem } from '../../../src/app/process/worker-system.ts';
import {
  bootstrapWorker,
  ConversionError,
  defineHandler,
  EventPoller,
  type FfiStepEvent,
  getFfiLayer,
  getHealthCheck,
  getMetrics,
  getRustVersion,
  getVersion,
  getWorkerConfig,
  getWorkerStatus,
  healthCheck,
  isWorkerRunning,
  type NapiModule,
  type NapiStepExecutionResult,
  stopWorker,
  transitionToGracefulShutdown,
  WorkerNotInitializedError,
} from '../../../src/index.ts';
import { cleanProcess, setupBridge } from '../../support/bridge.ts';
import { projectWith } from '../../support/config-folder.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const NOWHERE = 'postgres://nobody:secret@127.0.0.1:1/none';

const completed = (event: FfiStepEvent, result: unknown = {}): NapiStepExecutionResult => ({
  stepUuid: event.stepUuid,
  success: true,
  result,
  status: 'completed',
  metadata: { executionTimeMs: 3, workerId: 'by-hand', completedAt: new Date().toISOString() },
});

const failed = (event: FfiStepEvent, retryable: boolean): NapiStepExecutionResult => ({
  stepUuid: event.stepUuid,
  success: false,
  result: {},
  status: 'failed',
  metadata: { executionTimeMs: 3, completedAt: new Date().toISOString(), retryable, errorCode: 'E42' },
  error: { message: 'amount missing', errorType: 'validation_error', retryable },
});

describe('bootstrapWorker', () => {
  it('bootstrapWorker starts one worker, and a second call returns that worker', async () => {
    const { result } = await setupBridge(shared, { a: [] }, { start: [] });
    expect(result).toMatchObject({
      success: true,
      status: 'started',
      workerId: expect.stringMatching(/^typescript-worker-/),
    });
    expect(await bootstrapWorker()).toMatchObject({
      success: true,
      status: 'already_running',
      workerId: result.workerId,
    });
  });

  it('concurrent calls start one worker', async () => {
    cleanProcess();
    const config = { databaseUrl: shared.url, namespace: 'together', logLevel: 'error' as const };
    const results = await Promise.all([bootstrapWorker(config), bootstrapWorker(config), bootstrapWorker(config)]);
    expect(results.map(({ status }) => status)).toEqual(['started', 'already_running', 'already_running']);
    expect(new Set(results.map(({ workerId }) => workerId)).size).toBe(1);
  });

  it('if the worker cannot start, the result and the poller report the reason without the password', async () => {
    cleanProcess();
    const result = await bootstrapWorker({ databaseUrl: NOWHERE, logLevel: 'error' });
    expect(result).toMatchObject({ success: false, status: 'error', cause: { code: 'database_unreachable' } });
    expect(result.message).toContain('127.0.0.1');
    expect(result.message).not.toContain('secret');
    const poller = new EventPoller();
    expect(() => poller.start()).toThrow(WorkerNotInitializedError);
    try {
      poller.start();
    } catch (error) {
      expect((error as Error).cause).toMatchObject({
        code: 'worker_bootstrap',
        cause: { code: 'database_unreachable' },
      });
    }
  });

  it('if the worker cannot start and the call is not awaited, the waiting poller reports the error', async () => {
    cleanProcess();
    void bootstrapWorker({ databaseUrl: NOWHERE, logLevel: 'error' });
    const received = deferred<Error>();
    const poller = new EventPoller().onError((error) => received.resolve(error));
    onTestFinished(() => poller.stop());
    poller.start();
    expect(await received.promise).toBeInstanceOf(WorkerNotInitializedError);
  });

  it('a misspelt option gives an error result that suggests the correct option', async () => {
    cleanProcess();
    const result = await bootstrapWorker({ namspace: 'x' } as object);
    expect(result).toMatchObject({ status: 'error', error: expect.stringContaining('did you mean namespace?') });
  });

  it('the worker claims steps only in its namespace', async () => {
    const mine = await setupBridge(shared, { a: [] }, { handlers: { a: defineHandler('a', {}, () => ({})) } });
    const other = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await other.tasker.createTask(other.demo);
    expect((await mine.run()).status).toBe('complete');
    expect((await other.tasker.getSteps(taskUuid))[0]).toMatchObject({ currentState: 'enqueued', attempts: 0 });
    expect(getWorkerStatus().supportedNamespaces).toEqual([mine.demo.namespace]);
  });

  it('the worker stops once, can be restarted, and can be stopped while it starts', async () => {
    const { result } = await setupBridge(shared, { a: [] }, { start: [] });
    expect(await stopWorker()).toMatchObject({ success: true, status: 'stopped', workerId: result.workerId });
    expect(await stopWorker()).toMatchObject({ success: true, status: 'not_running' });
    expect(isWorkerRunning()).toBe(false);
    const starting = bootstrapWorker({ databaseUrl: shared.url, namespace: 'again', logLevel: 'error' });
    expect(await stopWorker()).toMatchObject({ status: 'stopped' });
    expect(await starting).toMatchObject({ status: 'started' });
    expect(isWorkerRunning()).toBe(false);
  });

  it('a restarted worker uses the existing poller and subscriber', async () => {
    const { run, demo } = await setupBridge(shared, { a: [] }, { handlers: { a: defineHandler('a', {}, () => ({})) } });
    expect((await run()).status).toBe('complete');
    await stopWorker();
    await bootstrapWorker({ databaseUrl: shared.url, namespace: demo.namespace, logLevel: 'error' });
    expect((await run()).status).toBe('complete');
  });
});

describe('the port of the worker of this process', () => {
  const toml = (text: string) => path.join(projectWith({ 'tasker.toml': text }), 'tasker.toml');

  it('a port enabled in the configuration file has the endpoints of a worker server, and closes when the worker stops', async () => {
    const configPath = toml('[worker.web]\nenabled = true\nbind_address = "127.0.0.1:0"\n');
    const { result, demo } = await setupBridge(shared, { a: [] }, { start: [], config: { configPath } });
    const status = getWorkerStatus();
    expect(status).toMatchObject({ webApiEnabled: true, databasePoolSize: 10, databasePoolIdle: expect.any(Number) });
    const ready = await fetch(`${status.webUrl}/health/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ready', worker_id: result.workerId }]);
    const templates = await fetch(`${status.webUrl}/v1/templates`);
    expect(JSON.stringify(await templates.json())).toContain(demo.namespace);
    await stopWorker();
    await expect(fetch(`${status.webUrl}/health`)).rejects.toThrow('fetch failed');
  });

  it('a port enabled by an option closes if the worker cannot start', async () => {
    const configPath = toml('[worker.web]\nenabled = false\nbind_address = "127.0.0.1:0"\n');
    await setupBridge(shared, { a: [] }, { start: [], config: { configPath, web: true } });
    const { webUrl } = getWorkerStatus();
    expect((await fetch(`${webUrl}/health`)).status).toBe(200);
    await stopWorker();
    const taken = toml(`[worker.web]\nenabled = true\nbind_address = "${new URL(webUrl!).host}"\n`);
    const nowhere = await bootstrapWorker({ databaseUrl: NOWHERE, configPath: taken, logLevel: 'error' });
    expect(nowhere).toMatchObject({ status: 'error', cause: { code: 'database_unreachable' } });
    await expect(fetch(`${webUrl}/health`)).rejects.toThrow('fetch failed');
  });

  it('the port is closed by default', async () => {
    await setupBridge(shared, { a: [] }, { start: [] });
    const { webApiEnabled, webUrl } = getWorkerStatus();
    expect([webApiEnabled, webUrl]).toEqual([false, undefined]);
  });
});

describe('the worker of this process', () => {
  it('the worker reports its health, its statistics and its configuration', async () => {
    const { run, result, demo } = await setupBridge(
      shared,
      { a: [] },
      { handlers: { a: defineHandler('a', {}, () => ({})) } },
    );
    await run();
    expect(getWorkerStatus()).toMatchObject({
      success: true,
      running: true,
      status: 'running',
      workerId: result.workerId,
      workerCoreStatus: 'healthy',
      supportedNamespaces: [demo.namespace],
      databasePoolSize: 10,
    });
    expect(await getHealthCheck()).toMatchObject({
      status: 'healthy',
      workerId: result.workerId,
      components: [
        { name: 'database', status: 'healthy' },
        { name: 'lease', status: 'healthy' },
        { name: 'dispatch', status: 'healthy' },
      ],
    });
    expect(healthCheck()).toBe(true);
    await until(getMetrics, (metrics) => metrics.processed === 1 && metrics.running === 0);
    expect(getMetrics()).toMatchObject({ failed: 0, refused: 0, dispatch: { pendingCount: 0 } });
    const config = getWorkerConfig();
    expect(config).toMatchObject({ name: result.workerId, namespaces: [demo.namespace], concurrency: 100 });
    expect(config.databaseUrl).not.toContain('postgres:postgres@');
    expect(getVersion()).toMatch(/^\d+\.\d+\.\d+/);
    expect(getRustVersion()).toContain(getVersion());
  });

  it('functions that need the worker throw before bootstrapWorker', async () => {
    cleanProcess();
    const module = (await getFfiLayer()).getModule();
    for (const ask of [getMetrics, getWorkerConfig, () => module.pollStepEvents(), () => new EventPoller().start()]) {
      expect(ask).toThrow(WorkerNotInitializedError);
    }
    await expect(getHealthCheck()).rejects.toThrow(WorkerNotInitializedError);
    expect(getWorkerStatus()).toEqual({ success: true, running: false, status: 'stopped' });
    expect([isWorkerRunning(), healthCheck()]).toEqual([false, false]);
    expect(transitionToGracefulShutdown()).toMatchObject({ success: true, status: 'not_running' });
  });

  it('after transitionToGracefulShutdown the worker claims no new steps, and running steps finish', async () => {
    const begun = deferred();
    const resume = deferred();
    const { create, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: {
          a: defineHandler('a', {}, async () => {
            begun.resolve();
            await resume.promise;
            return {};
          }),
        },
      },
    );
    const first = await create();
    await begun.promise;
    expect(transitionToGracefulShutdown()).toMatchObject({ success: true, status: 'stopped' });
    const second = await create();
    resume.resolve();
    expect((await tasker.waitForTask(first.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await stopWorker();
    expect((await tasker.getSteps(second.taskUuid))[0]).toMatchObject({ currentState: 'enqueued', attempts: 0 });
  });
});

describe('steps by hand', () => {
  async function setup(steps: Parameters<typeof setupBridge>[1] = { a: [] }) {
    const kit = await setupBridge(shared, steps, { start: [] });
    const module = (await getFfiLayer()).getModule();
    const next = () =>
      until(
        () => module.pollStepEvents(),
        (event) => event !== null,
      ) as Promise<FfiStepEvent>;
    return { ...kit, module, next };
  }

  it('each step is polled once in the documented form, and its completion resolves after the commit', async () => {
    const { create, module, next, tasker } = await setup({ a: [], b: ['a'] });
    const { taskUuid } = await create({ order_id: 'O-7' });
    const a = await next();
    expect(module.pollStepEvents()).toBe(null);
    expect(JSON.parse(JSON.stringify(a))).toMatchObject({
      taskUuid,
      task: { name: 'demo', context: { order_id: 'O-7' }, complete: false },
      workflowStep: { name: 'a', attempts: 0, maxAttempts: 3, checkpoint: null },
      stepDefinition: { handlerCallable: 'a', dependencies: [], retryBackoff: 'exponential' },
      dependencyResults: {},
    });
    expect(await module.completeStepEvent(a.eventId, completed(a, { reserved: true }))).toBe(true);
    expect((await tasker.getSteps(taskUuid))[0]).toMatchObject({
      currentState: 'complete',
      results: { result: { reserved: true }, metadata: { worker_id: 'by-hand' } },
    });
    expect(await module.completeStepEvent(a.eventId, completed(a))).toBe(false);
    const b = await next();
    expect(b.dependencyResults.a).toMatchObject({ success: true, status: 'completed', result: { reserved: true } });
    expect(await module.completeStepEvent(b.eventId, completed(b))).toBe(true);
    expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  });

  it('a failed step is retried according to its metadata, and its error keeps type and code', async () => {
    const { create, module, next, tasker } = await setup({ a: { retry: { backoff: 'none', max_attempts: 3 } } });
    const { taskUuid } = await create();
    const first = await next();
    expect(await module.completeStepEvent(first.eventId, failed(first, true))).toBe(true);
    const second = await next();
    expect(second.workflowStep.attempts).toBe(1);
    expect(await module.completeStepEvent(second.eventId, failed(second, false))).toBe(true);
    expect((await tasker.getSteps(taskUuid))[0]).toMatchObject({
      currentState: 'error',
      attempts: 2,
      results: {
        error: { message: 'amount missing', error_type: 'validation_error' },
        metadata: { error_code: 'E42' },
      },
    });
  });

  it('unknown events and unreadable results are rejected, and the step can still be completed', async () => {
    const { create, module, next } = await setup();
    await create();
    const event = await next();
    expect(await module.completeStepEvent('0199aa00-0000-7000-8000-000000000001', completed(event))).toBe(false);
    const broken = { ...completed(event), success: 'yes' } as unknown as NapiStepExecutionResult;
    await expect(async () => module.completeStepEvent(event.eventId, broken)).rejects.toThrow(ConversionError);
    const wrong = { ...completed(event), stepUuid: event.taskUuid };
    await expect(async () => module.completeStepEvent(event.eventId, wrong)).rejects.toThrow('result.stepUuid');
    expect(await module.completeStepEvent(event.eventId, completed(event))).toBe(true);
  });

  it('a step that yields is polled again as another event with the saved checkpoint', async () => {
    const { create, module, next, tasker } = await setup();
    const { taskUuid } = await create();
    const event = await next();
    const data = { stepUuid: event.stepUuid, cursor: 50, itemsProcessed: 50, accumulatedResults: { sum: 1275 } };
    expect(await module.checkpointYieldStepEvent(event.eventId, data)).toBe(true);
    const again = await next();
    expect(again.eventId).not.toBe(event.eventId);
    expect(again.workflowStep).toMatchObject({
      attempts: 0,
      checkpoint: { cursor: 50, items_processed: 50, accumulated_results: { sum: 1275 } },
    });
    expect(await module.checkpointYieldStepEvent(event.eventId, data)).toBe(false);
    expect(await module.completeStepEvent(again.eventId, completed(again))).toBe(true);
    expect((await tasker.getSteps(taskUuid))[0]).toMatchObject({ currentState: 'complete', attempts: 1 });
  });

  it('the completion of a step is rejected if its task has since been cancelled', async () => {
    const { create, module, next, tasker } = await setup();
    const { taskUuid } = await create();
    const event = await next();
    await tasker.cancelTask(taskUuid);
    expect(await module.completeStepEvent(event.eventId, completed(event))).toBe(false);
    await until(getMetrics, ({ running }) => running === 0);
  });

  it('a completion after timeout_seconds is rejected, and the step can be polled again', async () => {
    const { create, module, next } = await setup({ a: { timeout_seconds: 1, retry: { backoff: 'none' } } });
    await create();
    const event = await next();
    const again = await next();
    expect(again.workflowStep.attempts).toBe(1);
    expect(await module.completeStepEvent(event.eventId, completed(event))).toBe(false);
    expect(await module.completeStepEvent(again.eventId, completed(again))).toBe(true);
  });

  it('a thousand concurrent completions are all stored, in few commits', async () => {
    const { module, tasker, demo } = await setup();
    const created = await tasker.createTasks(Array.from({ length: 1_000 }, () => demo));
    const before = workerSystem.running!.tasker.statements;
    const done = new Map<string, boolean>();
    let open: FfiStepEvent[] = [];
    await until(
      async () => {
        for (let event = module.pollStepEvents(); event; event = module.pollStepEvents()) open.push(event);
        const batch = open;
        open = [];
        const answers = await Promise.all(
          batch.map(async (event) => module.completeStepEvent(event.eventId, completed(event))),
        );
        for (const [i, event] of batch.entries()) done.set(event.taskUuid, answers[i]!);
        return done.size;
      },
      (count) => count === created.length,
      60_000,
    );
    expect([...done.values()].every(Boolean)).toBe(true);
    // This includes claims, each of which is at most one commit.
    expect(workerSystem.running!.tasker.statements - before).toBeLessThan(200);
    const states = await Promise.all(created.map(async ({ taskUuid }) => (await tasker.getSteps(taskUuid))[0]));
    expect(states.filter((step) => step?.currentState === 'complete')).toHaveLength(1_000);
    for (const { taskUuid } of created.slice(0, 5))
      expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  });
});

describe('a custom module', () => {
  it('a custom module that is passed is used instead of the worker of this process', async () => {
    const received: unknown[] = [];
    const module = {
      bootstrapWorker: (config: object) => {
        received.push(config);
        return { success: true, status: 'started', message: 'native worker runs', workerId: 'native-1' };
      },
      stopWorker: () => ({ success: true, running: false, status: 'stopped', workerId: 'native-1' }),
      getWorkerStatus: () => ({ success: true, running: true, workerId: 'native-1', environment: 'test' }),
      isWorkerRunning: () => true,
      healthCheck: () => true,
      getVersion: () => '9.9.9',
    } as unknown as NapiModule;
    expect(await bootstrapWorker({ namespace: 'x', logLevel: 'debug' }, module)).toEqual({
      success: true,
      status: 'started',
      message: 'native worker runs',
      workerId: 'native-1',
    });
    expect(received).toEqual([{ namespace: 'x' }]);
    expect(getWorkerStatus(module)).toMatchObject({ running: true, environment: 'test' });
    expect([isWorkerRunning(module), healthCheck(module), getVersion(module)]).toEqual([true, true, '9.9.9']);
    expect(await stopWorker(module)).toMatchObject({ success: true, status: 'stopped', workerId: 'native-1' });
    expect(isWorkerRunning()).toBe(false);
  });
});

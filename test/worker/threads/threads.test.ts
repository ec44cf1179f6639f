import { describe, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { stopWorker } from '../../../src/app/process/bootstrap-worker.ts';
import { workerSystem } from '../../../src/app/process/worker-system.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepHandler } from '../../../src/handlers/step-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { HandlerRegistry } from '../../../src/registry/handler-registry.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { setupBridge } from '../../support/bridge.ts';
import { projectWith } from '../../support/config-folder.ts';
import { invariants, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { threadHandlers } from '../../support/thread-handlers.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 40_000 };
const CORRELATION = '0199a8c0-0000-7000-8000-000000000001';
const AT_ONCE = { retry: { max_attempts: 2, backoff: 'none' } };
const ONCE = { retry: { max_attempts: 1 } };

/** A step with this handler, in a thread. */
const inThread = (callable: string, more: Record<string, unknown> = {}) => ({
  handler: { callable, isolation: 'thread' },
  ...more,
});

async function resultOf(tasker: Tasker, taskUuid: string, step = 'a') {
  await tasker.waitForTask(taskUuid, WAIT);
  const { currentState, attempts, results } = await tasker.getStep(taskUuid, step);
  return { state: currentState, attempts, result: results?.result, error: results?.error };
}

async function idle(tasker: Tasker): Promise<void> {
  await until(
    () => tasker.stats!,
    ({ running, unrecorded, threads }) => running === 0 && unrecorded === 0 && threads.busy === 0,
  );
}

describe('a handler in a thread', () => {
  it('gets the step that it undoes', async () => {
    const { tasker, demo } = await shared.setup(
      { a: { undo: { handler: { callable: 'tells_undo', isolation: 'thread' } } } },
      { handlers: threadHandlers() },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.completeStep(taskUuid, 'a', { result: { booking: 'F-1' } });
    await tasker.undoTask(taskUuid);
    const { result } = await resultOf(tasker, taskUuid, 'undo:a');
    expect(result).toMatchObject({ undo: { step: 'a', result: { booking: 'F-1' } }, isMainThread: false });
  });

  it('the lines that a handler logged in a failed attempt are kept', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('logs_and_fails', ONCE) },
      { handlers: threadHandlers() },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, WAIT);
    const [log] = await until(
      () => tasker.getStepLogs(taskUuid, 'a'),
      (logs) => logs.length === 1,
    );
    expect(log!.lines).toMatchObject([{ level: 'info', message: 'from a thread', fields: { part: 1 } }]);
  });

  it('a TypeScript handler from a folder has the same context as on the event loop', async () => {
    const handlers = threadHandlers();
    const { tasker, demo } = await shared.setup(
      {
        before: { handler: 'describes' },
        a: {
          ...inThread('describes'),
          handler: { callable: 'describes', isolation: 'thread', initialization: { currency: 'EUR' } },
          dependencies: ['before'],
        },
      },
      { handlers, threads: 1 },
    );
    const { taskUuid } = await tasker.createTask({ ...demo, context: { n: 7 }, correlationId: CORRELATION });
    const { result } = await resultOf(tasker, taskUuid);
    const common = { n: 7, attempt: 1, maxRetries: 3, taskUuid, correlationId: CORRELATION };
    const before = { ...common, isMainThread: true, config: {}, before: null, names: [], step: 'before' };
    expect(result).toEqual({
      ...common,
      isMainThread: false,
      config: { currency: 'EUR' },
      before,
      names: ['before'],
      step: 'a',
    });
  });

  it('the class, an option or the template can select a thread for a handler, and the template takes precedence', async () => {
    const { tasker, demo } = await shared.setup(
      {
        a: { handler: 'always' },
        b: { handler: 'optional' },
        c: { handler: { callable: 'always', isolation: 'none' } },
        d: { handler: { callable: 'always', method: 'other' } },
        e: { handler: 'sleeps' },
        f: { handler: { callable: 'describes', method: 'other', isolation: 'thread' } },
      },
      { handlers: threadHandlers(), threads: 2 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { ...WAIT, throwOnFailure: true });
    const steps = await tasker.getSteps(taskUuid);
    const results = new Map(steps.map((step) => [step.name, step.results?.result as Record<string, unknown>]));
    expect(Object.fromEntries([...results].map(([name, result]) => [name, result.isMainThread]))).toEqual({
      a: false,
      b: false,
      c: true,
      d: false,
      e: true,
      f: false,
    });
    expect(results.get('d')?.other).toBe('always');
  });

  it('a handler that computes forever is terminated at its timeout without affecting the others', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('spins', { timeout_seconds: 1, ...ONCE }), b: { handler: 'sleeps' }, c: inThread('sleeps') },
      { handlers: threadHandlers(), threads: 2 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const { state, error } = await resultOf(tasker, taskUuid);
    expect({ state, error }).toMatchObject({ state: 'error', error: { error_type: 'timeout', retryable: true } });
    for (const step of ['b', 'c']) expect((await tasker.getStep(taskUuid, step)).currentState).toBe('complete');
    // Its slot becomes free, and a new thread replaces its thread.
    await idle(tasker);
    expect(tasker.stats!.loop.blocked).toBeNull();
    const next = await shared.setup({ a: inThread('sleeps') }, { handlers: threadHandlers(), threads: 1 });
    const more = await next.tasker.createTask(next.demo);
    expect((await resultOf(next.tasker, more.taskUuid)).state).toBe('complete');
  });

  it('a handler that calls process.exit fails and is retried in another thread', async () => {
    const { tasker, demo } = await shared.setup({ a: inThread('exits', AT_ONCE) }, { handlers: threadHandlers() });
    const { taskUuid } = await tasker.createTask(demo);
    expect(await resultOf(tasker, taskUuid)).toMatchObject({ state: 'complete', attempts: 2 });
    const [first] = await tasker.getHistory(taskUuid);
    expect(first!.error).toMatchObject({
      error_type: 'thread_lost',
      retryable: true,
      message: 'step a: its thread ended while the handler ran, with exit code 3; a handler must not call process.exit',
    });
  });

  it('an uncaught error fails only its own step', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('throws_later', ONCE) },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await resultOf(tasker, taskUuid)).error).toMatchObject({
      error_type: 'thread_lost',
      message: 'step a: its thread was ended by an uncaught error: uncaught on purpose',
    });
  });

  it('a handler that exceeds the memory limit of its thread fails only its own step', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('grows', ONCE), b: inThread('sleeps') },
      { handlers: threadHandlers(), threads: 2, threadMemoryMb: 64 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await resultOf(tasker, taskUuid)).error).toMatchObject({
      error_type: 'thread_lost',
      message: expect.stringMatching(/^step a: its thread exceeded its memory limit of 64 MB; raise threadMemoryMb/),
    });
    expect((await resultOf(tasker, taskUuid, 'b')).state).toBe('complete');
  });

  it('a result without a JSON form fails as on the event loop', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('big'), b: { handler: 'big' } },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const here = await resultOf(tasker, taskUuid, 'b');
    const there = await resultOf(tasker, taskUuid, 'a');
    expect(there).toMatchObject({ state: 'error', attempts: 1 });
    expect(there.error!.message).toBe(here.error!.message.replace('step b', 'step a'));
  });

  it('a failure with odd fields is retried as on the event loop', async () => {
    const { tasker, demo } = await shared.setup(
      { a: { ...inThread('fails_oddly'), ...AT_ONCE } },
      { handlers: threadHandlers() },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const { state, attempts, error } = await resultOf(tasker, taskUuid);
    expect({ state, attempts }).toEqual({ state: 'error', attempts: 2 });
    expect(error).toMatchObject({ message: 'half a pair \ufffd', retryable: true, status_code: null });
  });

  it('the signal of a handler fires when the task is cancelled, and its log lines keep their fields', async () => {
    const { logger, lines } = collectingLogger();
    const { tasker, demo } = await shared.setup(
      { a: inThread('listens') },
      { handlers: threadHandlers(), threads: 1, logger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => lines.map(({ message }) => message),
      (messages) => messages.includes('handler started'),
    );
    await tasker.cancelTask(taskUuid);
    await until(
      () => lines,
      (all) => all.some(({ message }) => message === 'signal received'),
    );
    expect(lines.find(({ message }) => message === 'signal received')!.fields).toEqual({
      reason: expect.stringContaining('step a is no longer held'),
    });
    await idle(tasker);
  });

  it('a handler saves checkpoints, and its next attempt continues from them', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('saves', AT_ONCE) },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await resultOf(tasker, taskUuid)).result).toEqual({ cursor: 40, items: 4 });
  });

  it('a handler loads results that are too large to be sent with its step', async () => {
    const { tasker, demo } = await shared.setup(
      {
        a: { handler: 'makes_large' },
        b: { handler: 'makes_large' },
        c: inThread('reads_large', { dependencies: ['a', 'b'] }),
      },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await resultOf(tasker, taskUuid, 'c')).result).toEqual({
      early: 'dependency_too_large',
      lengths: [5_000_000, 5_000_000],
    });
  });

  it('a handler has no transaction, and the error suggests alternatives', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('transacts') },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect(await resultOf(tasker, taskUuid)).toMatchObject({
      attempts: 1,
      error: {
        message: expect.stringMatching(
          /^step a: context\.transaction is not available in a thread.*context\.checkpoint/,
        ),
      },
    });
  });
});

describe('a pool of threads', () => {
  it('runs a hundred steps in two threads, one step per thread at a time', async () => {
    const { tasker, demo } = await shared.setup({ a: inThread('sleeps') }, { handlers: threadHandlers(), threads: 2 });
    // Long enough that the second thread starts before the first has run all steps.
    const context = { ms: 60 };
    const tasks = await tasker.createTasks(Array.from({ length: 100 }, () => ({ ...demo, context })));
    const threads = new Set<unknown>();
    for (const { taskUuid } of tasks) {
      const { state, attempts, result } = await resultOf(tasker, taskUuid);
      expect({ state, attempts }).toEqual({ state: 'complete', attempts: 1 });
      threads.add((result as { threadId: number }).threadId);
    }
    expect(threads.size).toBe(2);
    await idle(tasker);
    expect(tasker.stats!.threads).toEqual({ size: 2, busy: 0, waiting: 0 });
  });

  it('the timeout of a step starts when a thread is free for it', async () => {
    const { tasker, demo } = await shared.setup(
      { a: inThread('sleeps', { timeout_seconds: 10, ...ONCE }) },
      { handlers: threadHandlers(), threads: 1 },
    );
    // Together the steps take longer than the timeout. Each alone takes much less, in case the machine is busy.
    const context = { ms: 1_200 };
    const tasks = await tasker.createTasks(Array.from({ length: 10 }, () => ({ ...demo, context })));
    for (const { taskUuid } of tasks) expect((await resultOf(tasker, taskUuid)).state).toBe('complete');
  });

  it('stopping ends the pool within its time limit and releases running and waiting steps', async () => {
    const { tasker, demo, another } = await shared.setup(
      { a: inThread('spins', ONCE) },
      { handlers: threadHandlers(), threads: 1 },
    );
    const tasks = await tasker.createTasks([demo, demo, demo]);
    await until(
      () => tasker.stats!,
      ({ threads }) => threads.busy === 1 && threads.waiting === 2,
    );
    await tasker.stop({ drainTimeoutMs: 200 });
    expect(tasker.stats!.threads.size).toBe(0);
    const observer = await another({ worker: false, handlers: [] });
    for (const { taskUuid } of tasks) {
      expect(await observer.getStep(taskUuid, 'a')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
    }
  });
});

describe('a handler with isolation: thread that was passed in code', () => {
  const start = (steps: Parameters<typeof template>[0], handlers: Parameters<typeof createTasker>[0]) =>
    createTasker({
      databaseUrl: shared.url,
      migrate: false,
      templates: template(steps, { namespace: 'refused' }),
      logger: silentLogger,
      ...handlers,
    });

  it('createTasker fails with an error that names the handler and suggests a handlers folder', async () => {
    const crunch = defineHandler('crunch', {}, () => ({}));
    await expect(start({ a: inThread('crunch') }, { handlers: [crunch] })).rejects.toMatchObject({
      code: 'handler_invalid',
      message: expect.stringMatching(
        /^handler crunch must run in a thread .* export it from a file in the handlers folder/,
      ),
    });
    class Grind extends StepHandler {
      static override readonly handlerName = 'grind';
      static override readonly isolation = 'thread';
      async call() {
        return this.success();
      }
    }
    await expect(start({ a: { handler: 'grind' } }, { handlers: [Grind] })).rejects.toThrow(/^handler grind must run/);
  });

  it('the step fails permanently if the handler was registered later', async () => {
    const registry = new HandlerRegistry();
    const { tasker, demo } = await shared.setup({ a: inThread('crunch') }, { handlers: registry });
    registry.register(defineHandler('crunch', {}, () => ({})));
    await tasker.refresh();
    const { taskUuid } = await tasker.createTask(demo);
    expect(await resultOf(tasker, taskUuid)).toMatchObject({
      state: 'error',
      attempts: 1,
      error: { message: expect.stringContaining('handler crunch must run in a thread') },
    });
  });
});

it('a subscriber runs steps in threads like the worker itself', async () => {
  const folder = threadHandlers();
  const { registry, run, tasker } = await setupBridge(shared, {
    a: inThread('describes'),
    b: inThread('spins', { timeout_seconds: 1, ...ONCE }),
  });
  await registry.discoverHandlers(folder);
  const { step } = await run({ n: 7 });
  expect(step.a!.results?.result).toMatchObject({ n: 7, isMainThread: false, step: 'a' });
  expect(step.b!.results?.error).toMatchObject({ error_type: 'timeout' });
  expect(tasker.stats).toBeUndefined();
});

it('a handler that continues after its subscriber stops is ended at its timeout', async () => {
  const registry = HandlerRegistry.instance();
  const { create, subscriber, tasker } = await setupBridge(shared, {
    a: inThread('spins', { timeout_seconds: 2, ...ONCE }),
  });
  await registry.discoverHandlers(threadHandlers());
  const { taskUuid } = await create();
  const threads = () => workerSystem.running!.worker.stats.threads;
  await until(threads, ({ busy }) => busy === 1);
  await subscriber.stop({ drainTimeoutMs: 1 });
  expect((await resultOf(tasker, taskUuid)).error?.error_type).toBe('timeout');
  await until(threads, ({ size }) => size === 0);
});

it('a slot of a subscriber is free again when its worker stops and ends the thread of a step', async () => {
  const folder = projectWith({ 'tasker.toml': '[worker]\nshutdown_timeout_ms = 40\n' });
  const { create, subscriber } = await setupBridge(
    shared,
    { a: inThread('spins') },
    { config: { configPath: `${folder}/tasker.toml` } },
  );
  await HandlerRegistry.instance().discoverHandlers(threadHandlers());
  await create();
  await until(
    () => workerSystem.running!.worker.stats.threads,
    ({ busy }) => busy === 1,
  );
  expect((await stopWorker()).status).toBe('stopped');
  expect(await subscriber.waitForCompletion(20_000)).toBe(true);
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));

import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { deferred, invariants, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const ONCE = { retry: { max_attempts: 1 } };
const TWICE = { retry: { max_attempts: 2, backoff: 'none' } };

describe('a handler that does not settle in time', () => {
  it("the handler's signal fires, and the step fails with `timeout` and is retried", async () => {
    const reasons: unknown[] = [];
    const slow = defineHandler('a', {}, async ({ context, signal }) => {
      if (context.isRetry()) return { second: true };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      reasons.push(signal.reason);
      throw signal.reason;
    });
    const { tasker, demo } = await shared.setup({ a: TWICE }, { handlers: [slow], handlerTimeoutMs: 60 });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(reasons).toEqual([expect.objectContaining({ name: 'TimeoutError' })]);
    const [first, second] = await tasker.getHistory(taskUuid);
    expect(first).toMatchObject({ what: 'failed', error: { error_type: 'timeout', retryable: true } });
    expect(first!.error!.message).toBe('step a did not finish within 60 ms');
    expect(second).toMatchObject({ attempt: 2, what: 'completed' });
  });

  it('the handler occupies its slot until it settles, and its late result is discarded and logged', async () => {
    const gate = deferred();
    let running = 0;
    let most = 0;
    const stubborn = defineHandler('a', {}, async ({ context }) => {
      most = Math.max(most, ++running);
      if (context.getInput('stuck')) await gate.promise;
      running--;
      return { late: true };
    });
    const { logger, lines } = collectingLogger();
    const { tasker, demo } = await shared.setup(
      { a: ONCE },
      {
        handlers: [stubborn],
        handlerTimeoutMs: 60,
        concurrency: 1,
        // A task that is created while the slot is taken is claimed when the slot is free, not at the next poll.
        pollMs: 600_000,
        logger,
      },
    );
    const stuck = await tasker.createTask({ ...demo, context: { stuck: true } });
    expect((await tasker.waitForTask(stuck.taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    await until(
      () => tasker.stats?.unrecorded,
      (unrecorded) => unrecorded === 0,
    );
    expect(tasker.stats?.running).toBe(1);
    expect(lines).toContainEqual({
      level: 'warn',
      message: 'handler timed out; its slot stays occupied until it settles',
      fields: {
        task_uuid: stuck.taskUuid,
        correlation_id: stuck.taskUuid,
        step: 'a',
        handler: 'a',
        attempt: 1,
      },
    });

    const next = await tasker.createTask(demo);
    await expect(tasker.waitForTask(next.taskUuid, { timeoutMs: 150 })).rejects.toMatchObject({ code: 'timeout' });
    expect((await tasker.getStep(next.taskUuid, 'a')).currentState).toBe('enqueued');

    gate.resolve();
    expect((await tasker.waitForTask(next.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(most).toBe(1);
    expect(await tasker.getStep(stuck.taskUuid, 'a')).toMatchObject({
      currentState: 'error',
      results: { success: false, error: { error_type: 'timeout' } },
    });
    expect(lines).toContainEqual({
      level: 'info',
      message: 'handler settled after its step ended; result discarded',
      fields: expect.objectContaining({ task_uuid: stuck.taskUuid, step: 'a', over: 'timeout' }),
    });
  });

  it("the template's timeout_seconds takes precedence over the worker's default", async () => {
    const never = defineHandler('a', {}, () => new Promise(() => {}));
    const { tasker, demo } = await shared.setup(
      { a: { ...ONCE, timeout_seconds: 1 } },
      {
        handlers: [never],
        handlerTimeoutMs: 20,
      },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const start = performance.now();
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(performance.now() - start).toBeGreaterThanOrEqual(990);
    const { results } = await tasker.getStep(taskUuid, 'a');
    expect(results?.error).toMatchObject({ error_type: 'timeout', message: 'step a did not finish within 1000 ms' });
  });

  it('with retryable: false in the template, a timeout is not retried', async () => {
    const never = defineHandler('a', {}, () => new Promise(() => {}));
    const { tasker, demo } = await shared.setup(
      { a: { retry: { max_attempts: 3, retryable: false } } },
      {
        handlers: [never],
        handlerTimeoutMs: 30,
      },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(await tasker.getStep(taskUuid, 'a')).toMatchObject({ currentState: 'error', attempts: 1 });
  });

  it('a timeout of 0 disables the limit', async () => {
    const slow = defineHandler('a', {}, () => new Promise((resolve) => setTimeout(() => resolve({}), 120)));
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [slow], handlerTimeoutMs: 0 });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });
});

describe('stopping a worker', () => {
  const hold = () => {
    const started = deferred();
    const gate = deferred();
    let heard = false;
    const handler = defineHandler('a', {}, async ({ signal }) => {
      signal.addEventListener('abort', () => {
        heard = true;
      });
      started.resolve();
      await gate.promise;
      return { done: true };
    });
    return { started: started.promise, finish: gate.resolve, handler, heard: () => heard };
  };

  it('running handlers finish within the drain time, and their results are recorded', async () => {
    const { started, finish, handler, heard } = hold();
    const { tasker, demo, another } = await shared.setup({ a: [], b: ['a'] }, { handlers: [handler] });
    const { taskUuid } = await tasker.createTask(demo);
    await started;
    const stopping = tasker.stop({ drainTimeoutMs: 5_000 });
    finish();
    await stopping;
    expect(heard()).toBe(false);
    const observer = await another({ worker: false, handlers: [] });
    expect((await observer.getSteps(taskUuid)).map((step) => step.currentState)).toEqual(['complete', 'enqueued']);
  });

  it('a handler that reacts to its signal after the drain time releases its step without spending an attempt', async () => {
    const started = deferred();
    const heeding = defineHandler('a', {}, async ({ signal }) => {
      started.resolve();
      await new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    const { tasker, demo, another } = await shared.setup({ a: ONCE }, { handlers: [heeding] });
    const { taskUuid } = await tasker.createTask(demo);
    await started.promise;
    await tasker.stop({ drainTimeoutMs: 100 });
    const observer = await another({ worker: false, handlers: [] });
    expect(await observer.getStep(taskUuid, 'a')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
  });

  it('the step of a handler that ignores its signal is run by another worker immediately', async () => {
    const { started, finish, handler, heard } = hold();
    const { tasker, demo, another } = await shared.setup({ a: ONCE }, { handlers: [handler], pollMs: 60_000 });
    const { taskUuid } = await tasker.createTask(demo);
    await started;
    const other = await another({ handlers: [defineHandler('a', {}, () => ({ by: 'the other' }))] });
    const waiting = other.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await tasker.stop({ drainTimeoutMs: 100 });
    expect(heard()).toBe(true);
    expect((await waiting).status).toBe('complete');
    finish();
    expect(await other.getStep(taskUuid, 'a')).toMatchObject({ attempts: 1, results: { result: { by: 'the other' } } });
    expect((await other.getHistory(taskUuid)).map((entry) => entry.what)).toEqual(['released', 'completed']);
  });

  it('a step that is not retryable fails, so that an operator can verify its effect', async () => {
    const { started, finish, handler } = hold();
    const { tasker, demo, another } = await shared.setup(
      { a: { retry: { retryable: false } } },
      { handlers: [handler] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await started;
    await tasker.stop({ drainTimeoutMs: 100 });
    finish();
    const observer = await another({ worker: false, handlers: [] });
    const step = await observer.getStep(taskUuid, 'a');
    expect(step.currentState).toBe('error');
    expect(step.results?.error?.message).toMatch(/still running when its worker stopped.*check its effect/);
  });

  it('with an infinite drain time, stopping waits for running handlers', async () => {
    const { started, finish, handler, heard } = hold();
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [handler] });
    await tasker.createTask(demo);
    await started;
    const stopping = tasker.stop({ drainTimeoutMs: Number.POSITIVE_INFINITY });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(heard()).toBe(false);
    finish();
    await stopping;
  });
});

it('a step that fails because its worker stops is released without spending an attempt', async () => {
  const started = deferred();
  const failing = defineHandler('a', {}, async ({ signal }) => {
    started.resolve();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    return StepHandlerResult.failure({ message: 'was interrupted' });
  });
  const { tasker, demo, another } = await shared.setup({ a: ONCE }, { handlers: [failing] });
  const { taskUuid } = await tasker.createTask(demo);
  await started.promise;
  await tasker.stop({ drainTimeoutMs: 100 });
  const observer = await another({ worker: false, handlers: [] });
  await until(
    () => observer.getStep(taskUuid, 'a'),
    (step) => step.currentState === 'enqueued' && step.attempts === 0,
  );
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));

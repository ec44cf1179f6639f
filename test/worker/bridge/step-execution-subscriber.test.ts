import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  checkpointYield,
  defineHandler,
  EventBridge,
  EventNames,
  EventPoller,
  type FfiStepEvent,
  getFfiLayer,
  HandlerRegistry,
  PermanentError,
  StepExecutionSubscriber,
  TaskerEventEmitter,
} from '../../../src/index.ts';
import { setupBridge } from '../../support/bridge.ts';
import { deferred } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

describe('a subscriber of this process', () => {
  it('a step runs once even if it is published several times or under both names', async () => {
    const handler = vi.fn(() => ({}));
    const { bridge, poller, run, subscriber } = await setupBridge(
      shared,
      { once: [] },
      {
        handlers: { once: defineHandler('once', {}, handler) },
        start: ['bridge', 'subscriber'],
      },
    );
    subscriber.start();
    poller.onStepEvent((event) => {
      bridge.publish('step_execution_received', event);
      bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event);
      bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, { ...event });
    });
    poller.start();
    expect((await run()).status).toBe('complete');
    expect(handler).toHaveBeenCalledTimes(1);
    expect(subscriber.getProcessedCount()).toBe(1);
  });

  it('the worker id of the subscriber is stored in the metadata of the result and in the history', async () => {
    const { run, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: { a: defineHandler('a', {}, () => ({})) },
        workerId: 'python-worker-001',
      },
    );
    const { step, taskUuid } = await run();
    expect(step.a?.results?.metadata.worker_id).toBe('python-worker-001');
    expect((await tasker.getHistory(taskUuid)).find(({ step: name }) => name === 'a')?.who).toBe('python-worker-001');
  });

  it('a handler receives the same context as without a subscriber', async () => {
    const seen = vi.fn();
    const { run } = await setupBridge(
      shared,
      { first: [], second: ['first'] },
      {
        handlers: {
          first: defineHandler('first', {}, () => ({ n: 7 })),
          second: defineHandler('second', {}, async ({ context }) => {
            await context.checkpoint({ cursor: 3, itemsProcessed: 3 });
            const rows = await context.transaction((tx) =>
              tx.query<{ one: number }>('select 1 as one').then(({ rows }) => rows),
            );
            seen(
              context.getDependencyResult('first'),
              await context.loadDependency('first'),
              context.checkpointCursor,
              rows,
            );
            seen(context.event.workflowStep.name, context.signal.aborted);
            return {};
          }),
        },
      },
    );
    expect((await run()).status).toBe('complete');
    expect(seen.mock.calls).toEqual([
      [{ n: 7 }, { n: 7 }, expect.anything(), [{ one: 1 }]],
      ['second', false],
    ]);
  });

  it('the method in the template is called, and an unknown resolver in the template fails the step permanently', async () => {
    class Roads extends (await import('../../../src/index.ts')).StepHandler {
      static override handlerName = 'roads';
      call() {
        return this.success({ by: 'call' });
      }
      road() {
        return this.success({ by: 'road' });
      }
    }
    const { run } = await setupBridge(
      shared,
      {
        a: { handler: { callable: 'roads', method: 'road' } },
        b: { handler: { callable: 'roads', resolver: 'nowhere' } },
      },
      { handlers: { roads: Roads } },
    );
    const { step } = await run();
    expect(step.a?.results?.result).toEqual({ by: 'road' });
    expect(step.b?.results?.error?.message).toContain('nowhere');
  });

  it('handler.error is published for a thrown error but not for a returned failure', async () => {
    const { bridge, run } = await setupBridge(
      shared,
      { throws: [], fails: [] },
      {
        handlers: {
          throws: defineHandler('throws', {}, () => {
            throw new PermanentError('no such order');
          }),
          fails: defineHandler('fails', {}, ({ context }) => {
            void context;
            return new PermanentError('declined');
          }),
        },
      },
    );
    const errors: string[] = [];
    const failed: string[] = [];
    bridge.subscribe(EventNames.HANDLER_ERROR, (event, error) =>
      errors.push(`${event.workflowStep.name}: ${error.message}`),
    );
    bridge.subscribe(EventNames.STEP_EXECUTION_FAILED, ({ error }) => failed.push(error.message));
    expect((await run()).status).toBe('blocked_by_failures');
    expect(errors).toEqual(['throws: no such order']);
    expect(failed.sort()).toEqual(['declined', 'no such order']);
  });

  it('step.completion.sent is published only after the commit', async () => {
    const { bridge, tasker, run } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: { a: defineHandler('a', {}, () => ({ n: 1 })) },
      },
    );
    const states = deferred<string>();
    bridge.subscribe(EventNames.STEP_COMPLETION_SENT, async (result) => {
      expect(result).toMatchObject({ success: true, status: 'completed', result: { n: 1 } });
      const [task] = await tasker.listTasks({ limit: 1 });
      states.resolve((await tasker.getSteps(task!.taskUuid))[0]!.currentState);
    });
    await run();
    expect(await states.promise).toBe('complete');
  });

  it('a step that yields is delivered again as another event in the same attempt', async () => {
    const cursors: unknown[] = [];
    const { bridge, run } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: {
          a: defineHandler('a', {}, ({ context }) => {
            cursors.push(context.checkpointCursor);
            const cursor = Number(context.checkpointCursor ?? 0);
            return cursor < 2 ? checkpointYield({ cursor: cursor + 1, itemsProcessed: cursor + 1 }) : { cursor };
          }),
        },
      },
    );
    const yields: unknown[] = [];
    const ids = new Set<string>();
    bridge.subscribe(EventNames.STEP_CHECKPOINT_YIELD_SENT, ({ cursor }) => yields.push(cursor));
    bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, ({ eventId }) => ids.add(eventId));
    const { step } = await run();
    expect(cursors).toEqual([null, 1, 2]);
    expect(yields).toEqual([1, 2]);
    expect(ids.size).toBe(3);
    expect(step.a).toMatchObject({ attempts: 1, results: { result: { cursor: 2 } } });
  });

  it('a running step cannot be yielded by hand', async () => {
    const [begun, resume] = [deferred<{ eventId: string; stepUuid: string }>(), deferred()];
    let runs = 0;
    const { bridge, create, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: {
          a: defineHandler('a', {}, async () => {
            runs++;
            await resume.promise;
            return { runs };
          }),
        },
      },
    );
    bridge.subscribe(EventNames.STEP_EXECUTION_STARTED, (event) => begun.resolve(event));
    const { taskUuid } = await create();
    const { eventId, stepUuid } = await begun.promise;
    const module = (await getFfiLayer()).getModule();
    await expect(
      module.checkpointYieldStepEvent(eventId, { stepUuid, cursor: 1, itemsProcessed: 1 }),
    ).rejects.toMatchObject({
      code: 'bridge',
      message: expect.stringMatching(/^step a is already running: .* return checkpointYield from its handler instead/),
    });
    resume.resolve();
    expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
    expect(runs).toBe(1);
  });

  it('a waiting step that is completed by hand does not run', async () => {
    const [begun, resume] = [deferred(), deferred()];
    const waiting: { eventId: string; stepUuid: string }[] = [];
    const ran: string[] = [];
    const handler = (name: string) =>
      defineHandler(name, {}, async () => {
        ran.push(name);
        begun.resolve();
        await resume.promise;
      });
    const names = ['a', 'b'];
    const { bridge, create, tasker, registry } = await setupBridge(
      shared,
      { a: [], b: [] },
      { handlers: Object.fromEntries(names.map((name) => [name, handler(name)])), maxConcurrent: 1 },
    );
    // Because of a second subscriber, the worker claims a step for which the first subscriber has no slot.
    const other = new StepExecutionSubscriber({ eventBridge: new EventBridge(), handlerRegistry: registry });
    other.start();
    onTestFinished(() => other.stop());
    bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, ({ eventId, stepUuid }) =>
      waiting.push({ eventId, stepUuid }),
    );
    const { taskUuid } = await create();
    await begun.promise;
    await expect.poll(() => waiting.length).toBe(2);
    const [running] = ran;
    const steps = await tasker.getSteps(taskUuid);
    const [rest] = waiting.filter(({ stepUuid }) => steps.some((s) => s.stepUuid === stepUuid && s.name !== running));
    const module = (await getFfiLayer()).getModule();
    const metadata = { executionTimeMs: 1, completedAt: new Date().toISOString() };
    const result = { stepUuid: rest!.stepUuid, success: true, result: {}, status: 'completed', metadata } as const;
    expect(await module.completeStepEvent(rest!.eventId, result)).toBe(true);
    resume.resolve();
    expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
    expect(ran).toEqual([running]);
  });

  it('steps wait in the queue while the subscriber is stopped, and run when it starts again', async () => {
    const { subscriber, create, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: { a: defineHandler('a', {}, () => ({})) },
      },
    );
    await subscriber.stop();
    expect(subscriber.isActive).toBe(false);
    const { taskUuid } = await create();
    subscriber.start();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('stop waits for running handlers, and their results are stored', async () => {
    const begun = deferred();
    const resume = deferred();
    const { subscriber, create, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: {
          a: defineHandler('a', {}, async () => {
            begun.resolve();
            await resume.promise;
            return { late: true };
          }),
        },
      },
    );
    const { taskUuid } = await create();
    await begun.promise;
    expect(subscriber.getActiveHandlers()).toBe(1);
    expect(await subscriber.waitForCompletion(1)).toBe(false);
    const stopped = subscriber.stop();
    resume.resolve();
    await stopped;
    const [step] = await tasker.getSteps(taskUuid);
    expect(step).toMatchObject({ currentState: 'complete', results: { result: { late: true } } });
  });

  it('no result is lost if the bridge stops while a handler runs', async () => {
    const begun = deferred();
    const resume = deferred();
    const { bridge, create, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: {
          a: defineHandler('a', {}, async () => {
            begun.resolve();
            await resume.promise;
            return { kept: true };
          }),
        },
      },
    );
    const { taskUuid } = await create();
    await begun.promise;
    bridge.stop();
    resume.resolve();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('after the drain time, handlers are aborted, and a step whose handler reacts is released without spending an attempt', async () => {
    const begun = deferred();
    const { subscriber, create, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: {
          a: defineHandler('a', {}, async ({ context }) => {
            begun.resolve();
            await new Promise((_, reject) =>
              context.signal.addEventListener('abort', () => reject(context.signal.reason)),
            );
          }),
        },
      },
    );
    const { taskUuid } = await create();
    await begun.promise;
    await subscriber.stop({ drainTimeoutMs: 20 });
    await expect
      .poll(async () => (await tasker.getSteps(taskUuid))[0])
      .toMatchObject({ currentState: 'enqueued', attempts: 0 });
  });

  it("the subscriber's timeout applies to steps without timeout_seconds, and each timeout is published", async () => {
    const { bridge, run } = await setupBridge(
      shared,
      { slow: { retry: { max_attempts: 1 } } },
      {
        handlerTimeoutMs: 50,
        handlers: {
          slow: defineHandler(
            'slow',
            {},
            ({ context }) => new Promise((resolve) => context.signal.addEventListener('abort', () => resolve({}))),
          ),
        },
      },
    );
    const timedOut = deferred<string>();
    bridge.subscribe(EventNames.STEP_EXECUTION_TIMEOUT, ({ error }) => timedOut.resolve(error.message));
    const { step } = await run();
    expect(step.slow?.results?.error).toMatchObject({
      error_type: 'timeout',
      message: 'step slow did not finish within 50 ms',
    });
    expect(await timedOut.promise).toBe('step slow took longer than its timeout');
  });

  it('a subscriber rejects invalid numbers', () => {
    const bridge = new EventBridge();
    const options = { eventBridge: bridge, handlerRegistry: new HandlerRegistry() };
    expect(() => new StepExecutionSubscriber({ ...options, maxConcurrent: 0 })).toThrow(
      'maxConcurrent must be a whole number of at least 1, got 0',
    );
    expect(() => new StepExecutionSubscriber({ ...options, handlerTimeoutMs: -1 })).toThrow('handlerTimeoutMs');
  });

  it("a subscriber runs steps of this process's module with an emitter and a poller that are passed", async () => {
    const { run, registry } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: { a: defineHandler('a', {}, () => ({})) },
        start: [],
      },
    );
    const module = (await getFfiLayer()).getModule();
    const emitter = new TaskerEventEmitter();
    const subscriber = new StepExecutionSubscriber(emitter, registry, module, { workerId: 'by-module' });
    const poller = new EventPoller(module, emitter, { pollIntervalMs: 5 });
    subscriber.start();
    poller.start();
    onTestFinished(async () => {
      await poller.stop();
      await subscriber.stop();
    });
    const received: FfiStepEvent[] = [];
    const sent = deferred<{ success: boolean; stepUuid: string }>();
    emitter.on('step.execution.received', ({ event }) => received.push(event));
    emitter.on('step.completion.sent', (payload) => sent.resolve(payload));
    const { step } = await run();
    expect(step.a?.results?.metadata.worker_id).toBe('by-module');
    expect(await sent.promise).toMatchObject({ success: true, stepUuid: step.a?.stepUuid });
    expect(received.map(({ stepUuid }) => stepUuid)).toEqual([step.a?.stepUuid]);
  });
});

import { describe, expect, it } from 'vitest';
import {
  completeLater,
  defineHandler,
  isStepHandlerResult,
  PermanentError,
  StepContext,
  StepHandler,
  type StepHandlerResult,
} from '../../src/index.ts';
import { createTestContext, runHandler } from '../../src/testing/index.ts';

class Charge extends StepHandler {
  static override readonly handlerName = 'charge';
  calls = 0;

  call(context: StepContext): StepHandlerResult {
    this.calls += 1;
    return this.success({ charged: context.getInput('amount'), calls: this.calls });
  }

  refund(context: StepContext): StepHandlerResult {
    return this.success({ refunded: context.getInput('amount') });
  }
}

it('the error of a result that cannot be stored has at most 500 characters', async () => {
  const handler = defineHandler('x', {}, () => ({ [`key${'😀'.repeat(5_000)}`]: 1n }));
  const { success, errorMessage } = await runHandler(handler);
  expect(success).toBe(false);
  expect(errorMessage).toMatch(/the result cannot be stored: result/);
  expect([errorMessage!.length <= 500, errorMessage!.isWellFormed()]).toEqual([true, true]);
});

describe('a context for tests', () => {
  it('has a default for everything', () => {
    const context = createTestContext();
    expect(context).toBeInstanceOf(StepContext);
    expect(context.taskUuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(context.stepUuid).not.toBe(context.taskUuid);
    expect([context.correlationId, context.handlerName]).toEqual([context.taskUuid, 'test_handler']);
    expect([context.inputData, context.stepConfig, context.stepInputs, context.dependencyResults]).toEqual([
      {},
      {},
      {},
      {},
    ]);
    expect([context.retryCount, context.maxRetries, context.isRetry(), context.isLastRetry()]).toEqual([
      0,
      3,
      false,
      false,
    ]);
    expect([context.checkpointCursor, context.hasCheckpoint(), context.signal.aborted]).toEqual([null, false, false]);
    expect(createTestContext().taskUuid).not.toBe(context.taskUuid);
  });

  it('has a completion token, so that a handler that completes later can be called', async () => {
    const handler = defineHandler('later', {}, async ({ context }) => {
      sent.push(await context.completionToken());
      return completeLater({ timeoutMs: 1_000 });
    });
    const sent: string[] = [];
    expect(await runHandler(handler)).toMatchObject({ success: true });
    await runHandler(handler, { completionToken: 'token-7' });
    expect(sent).toEqual(['test_token', 'token-7']);
  });

  it('accepts bare results of dependencies, including results that have a key named result', () => {
    const context = createTestContext({
      dependencyResults: { a: { result: 1 }, b: [2], c: 'text', batch_1: { n: 3 } },
    });
    expect(context.getDependencyResult('a')).toEqual({ result: 1 });
    expect([context.getDependencyResult('b'), context.getDependencyResult('c')]).toEqual([[2], 'text']);
    expect(context.getDependencyField('batch_1', 'n')).toBe(3);
    expect(context.getAllDependencyResults('batch_')).toEqual([{ n: 3 }]);
    expect(context.dependencyResults.batch_1).toMatchObject({ success: true, status: 'completed', result: { n: 3 } });
    expect((context.dependencyResults.batch_1 as { n?: number }).n).toBe(3);
    expect(context.getDependencyResult('missing')).toBeNull();
  });

  it('has the given values in their stored form, as copies', () => {
    const inputData = { at: new Date(0), list: [1], absent: undefined };
    const checkpoint = { cursor: 50, items_processed: 50, accumulated_results: { total: 7 } };
    const context = createTestContext({ inputData, checkpoint, stepConfig: { carrier: 'x' }, retryCount: 2 });
    (context.inputData.list as number[]).push(2);
    context.accumulatedResults!.total = 8;
    expect(inputData.list).toEqual([1]);
    expect(checkpoint.accumulated_results.total).toBe(7);
    expect(context.inputData).toEqual({ at: '1970-01-01T00:00:00.000Z', list: [1, 2] });
    expect([context.checkpointCursor, context.checkpointItemsProcessed, context.isLastRetry()]).toEqual([50, 50, true]);
    expect([context.getConfig('carrier'), context.stepInputs]).toEqual(['x', { carrier: 'x' }]);
  });

  it('has the checkpoint that the handler saved, which the context of the next attempt accepts', async () => {
    const count = async (context: StepContext) => {
      for (let at = Number(context.checkpointCursor ?? 0) + 1; at <= 3; at++)
        await context.checkpoint({ cursor: at, itemsProcessed: at, accumulatedResults: { total: at * 10 } });
      return { done: context.checkpointItemsProcessed };
    };
    const context = createTestContext({ checkpoint: { cursor: 1, items_processed: 1 } });
    expect((await runHandler(count, context)).result).toEqual({ done: 3 });
    expect([context.checkpointCursor, context.accumulatedResults]).toEqual([3, { total: 30 }]);
    expect(context.checkpoint.history).toMatchObject([{ cursor: 2 }, { cursor: 3 }]);
    const next = createTestContext({ checkpoint: JSON.parse(JSON.stringify(context.checkpoint)) });
    expect([next.checkpointCursor, next.hasCheckpoint()]).toEqual([3, true]);
  });

  it('throws for a value without a JSON form, and names its path', () => {
    expect(() => createTestContext({ dependencyResults: { cart: { total: Number.NaN } } })).toThrow(
      'dependencyResults.cart.total: NaN',
    );
  });

  it('has an event from which the same context can be created', () => {
    const context = createTestContext({
      handlerName: 'ship',
      inputData: { a: 1 },
      dependencyResults: { cart: { total: 5 } },
      stepConfig: { carrier: 'x' },
      retryCount: 1,
    });
    const again = StepContext.fromFfiEvent(context.event, 'ship');
    expect([again.inputData, again.stepConfig, again.retryCount]).toEqual([{ a: 1 }, { carrier: 'x' }, 1]);
    expect(again.getDependencyResult('cart')).toEqual({ total: 5 });
  });
});

describe('running a handler', () => {
  const amount = { inputData: { amount: 12.5 } };
  const double = defineHandler('double', { depends: { cart: 'cart' } }, ({ cart }) => ({
    total: (cart as { total: number }).total * 2,
  }));

  it.each([
    ['a class', Charge],
    ['an instance', new Charge()],
    ['a function', (context: StepContext) => ({ charged: context.getInput('amount'), calls: 1 })],
  ])('accepts %s', async (_, handler) => {
    const result = await runHandler(handler, amount);
    expect(isStepHandlerResult(result)).toBe(true);
    expect(result).toMatchObject({ success: true, result: { charged: 12.5, calls: 1 } });
  });

  it('accepts the return value of defineHandler, and an existing context', async () => {
    const context = createTestContext({ dependencyResults: { cart: { total: 4 } } });
    expect((await runHandler(double, context)).result).toEqual({ total: 8 });
  });

  it('creates a new instance of a class each time, as a worker does', async () => {
    expect((await runHandler(Charge, amount)).result).toMatchObject({ calls: 1 });
    expect((await runHandler(Charge, amount)).result).toMatchObject({ calls: 1 });
  });

  it('can run another method, as a template can', async () => {
    expect((await runHandler(Charge, amount, { method: 'refund' })).result).toEqual({ refunded: 12.5 });
    await expect(runHandler(Charge, amount, { method: 'refnd' })).rejects.toMatchObject({ code: 'handler_invalid' });
  });

  it.each([
    [() => undefined, {}],
    [() => 7, { result: 7 }],
    [async () => [1], { result: [1] }],
    [() => ({ at: new Date(0), absent: undefined }), { at: '1970-01-01T00:00:00.000Z' }],
  ])('returns results in their stored form: %s', async (handler, result) => {
    expect((await runHandler(handler)).result).toStrictEqual(result);
  });

  it('returns a thrown error as a failure', async () => {
    const result = await runHandler(() => {
      throw new PermanentError('no such order', { errorCode: 'E1' });
    });
    expect(result).toMatchObject({ success: false, errorType: 'permanent_error', errorCode: 'E1', retryable: false });
    expect(result.backtrace[0]).toContain('run-handler.test.ts');
  });

  it('returns a result that cannot be stored as a permanent failure, with the path', async () => {
    const result = await runHandler(() => ({ items: [{ price: Number.NaN }] }), { stepName: 'price' });
    expect(result).toMatchObject({ success: false, retryable: false, errorType: 'permanent_error' });
    expect(result.errorMessage).toContain('step price: the result cannot be stored: result.items[0].price');
  });

  it('ends on its timeout, aborts the signal and ignores the late result', async () => {
    let reason: unknown;
    const slow = async ({ signal }: StepContext) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reason = signal.reason;
      return { late: true };
    };
    const result = await runHandler(slow, { handlerName: 'slow' }, { timeoutMs: 20 });
    expect(result).toMatchObject({ success: false, errorType: 'timeout', retryable: true });
    expect(result.errorMessage).toBe('step slow did not finish within 20 ms');
    await expect.poll(() => reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('aborts the signal of the handler with the signal of the test', async () => {
    const stop = new AbortController();
    const running = runHandler(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      {
        signal: stop.signal,
      },
    );
    stop.abort(new Error('the user left'));
    expect(await running).toMatchObject({ success: false, errorMessage: 'the user left' });
  });

  it('throws for a value that is not a handler', async () => {
    await expect(runHandler('charge' as never)).rejects.toMatchObject({ code: 'handler_invalid' });
  });
});

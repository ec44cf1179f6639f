import { describe, expect, it } from 'vitest';
import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { completeLater, notYet, untilTasksEnd } from '../../src/handlers/later.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler } from '../../src/handlers/step-handler.ts';
import { runHandler } from '../../src/testing/run-handler.ts';

describe('completeLater', () => {
  it('is neither a failure nor a result', () => {
    const result = completeLater({ timeoutMs: 1_500, metadata: { job: 'J-1' } });
    expect(result.isFailure()).toBe(false);
    expect(result.result).toBeNull();
    expect(result.wait).toEqual({ kind: 'completion', timeoutMs: 1_500, metadata: { job: 'J-1' } });
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({ wait: { kind: 'completion' } });
  });

  it('has no limit by default', () => {
    const wait = { kind: 'completion', timeoutMs: null, metadata: {} };
    expect(completeLater().wait).toEqual(wait);
    expect(completeLater({ timeoutMs: null }).wait).toEqual(wait);
  });

  it.each([
    [{ timeoutMs: -1 }, 'timeoutMs must be a number of milliseconds greater than 0, not -1'],
    [{ timeoutMs: 0 }, 'timeoutMs must be a number of milliseconds greater than 0, not 0'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs must be a number of milliseconds greater than 0, not NaN'],
    [{ timeoutMs: '5m' }, "timeoutMs must be a number of milliseconds greater than 0, not '5m'"],
    [{ timeoutMs: Infinity }, 'timeoutMs is Infinity ms, which is more than the maximum of 366,000 days'],
    [{ timeoutMs: 1e17 }, 'timeoutMs is 100000000000000000 ms, which is more than the maximum of 366,000 days'],
    [{ timeout: 5 }, 'unknown option timeout; the options are timeoutMs, metadata'],
    [{ metadata: 'job 7' }, "metadata must be an object, not 'job 7'"],
    [{ metadata: { n: 1n } }, 'metadata.n: a BigInt has no JSON form; use String(x) or Number(x)'],
    [5_000, 'takes an object with timeoutMs and metadata, not 5000'],
  ])('rejects %o', (options, message) => {
    expect(() => completeLater(options as never)).toThrow(`completeLater: ${message}`);
  });

  it('rejects metadata above 64 KiB, with its size', () => {
    expect(() => completeLater({ metadata: { text: 'x'.repeat(70_000) } })).toThrow(/^completeLater: metadata: .*65/);
  });
});

describe('notYet', () => {
  it('carries the delay and the checkpoint', () => {
    expect(notYet({ retryInMs: 250 }).wait).toEqual({ kind: 'call', retryInMs: 250 });
    expect(notYet({ retryInMs: 0.5, checkpoint: 'J-1' }).wait).toEqual({
      kind: 'call',
      retryInMs: 0.5,
      checkpoint: 'J-1',
    });
  });

  it.each([
    [{}, 'retryInMs is missing; pass the number of milliseconds until the next call of the handler'],
    [{ retryInMs: -5 }, 'retryInMs must be a number of milliseconds greater than 0, not -5'],
    [{ retryInMs: Number.NaN }, 'retryInMs must be a number of milliseconds greater than 0, not NaN'],
    [{ retryInMs: null }, 'retryInMs must be a number of milliseconds greater than 0, not null'],
    [{ retryInMs: 1e17 }, 'retryInMs is 100000000000000000 ms, which is more than the maximum of 366,000 days'],
    [{ retryIn: 5 }, 'unknown option retryIn; the options are retryInMs, checkpoint'],
    [undefined, 'takes an object with retryInMs and checkpoint, not undefined'],
  ])('rejects %o', (options, message) => {
    expect(() => notYet(options as never)).toThrow(`notYet: ${message}`);
  });
});

describe('a handler that waits', () => {
  it('returns the same result as a class, a function and a decision', async () => {
    class Charge extends StepHandler {
      static override handlerName = 'charge';
      call() {
        return this.completeLater({ timeoutMs: 10 });
      }
      poll() {
        return this.notYet({ retryInMs: 10 });
      }
    }
    const charge = defineHandler('charge', {}, () => completeLater({ timeoutMs: 10 }));
    const decide = defineDecisionHandler('decide', {}, () => completeLater({ timeoutMs: 10 }));
    const later = { kind: 'completion', timeoutMs: 10, metadata: {} };
    for (const handler of [Charge, charge, decide])
      expect((await runHandler(handler)).wait, handler.name).toEqual(later);
    expect((await runHandler(Charge, {}, { method: 'poll' })).wait).toEqual({ kind: 'call', retryInMs: 10 });
  });

  it('fails permanently if its options are invalid, and names the option', async () => {
    const result = await runHandler(defineHandler('x', {}, () => notYet({ retryInMs: -1 })));
    expect(result).toMatchObject({ success: false, retryable: false, errorType: 'validation_error' });
    expect(result.errorMessage).toContain('retryInMs');
  });
});

describe('context.completionToken', () => {
  it('throws an error that names the missing option if the context has no database', async () => {
    const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'charge' });
    await expect(context.completionToken()).rejects.toThrow(
      'the context of charge was created without a database, so it has no token; pass completionToken to new StepContext',
    );
  });

  it('comes from the given function', async () => {
    const params = { taskUuid: 't', stepUuid: 's', handlerName: 'charge' };
    const context = new StepContext({ ...params, completionToken: () => Promise.resolve('secret') });
    expect(await context.completionToken()).toBe('secret');
  });
});

describe('untilTasksEnd', () => {
  const [one, two] = ['0193f0a0-0000-7000-8000-000000000001', '0193F0A0-0000-7000-8000-00000000000A'];

  it('carries the ids in the order of the list', () => {
    const tasks = { kind: 'tasks', taskUuids: [two.toLowerCase(), one], onFailure: 'fail', timeoutMs: null };
    expect(untilTasksEnd([{ taskUuid: two }, one]).wait).toEqual(tasks);
    const options = { onFailure: 'continue', timeoutMs: 5 } as const;
    expect(untilTasksEnd([], options).wait).toEqual({ kind: 'tasks', taskUuids: [], ...options });
  });

  it.each([
    [{ taskUuid: one }, {}, 'takes a list of tasks, not an object'],
    [[one, Promise.resolve()], {}, 'number 2 of the list is an object, not a task that context.startTask has returned'],
    [['7'], {}, "number 1 of the list is '7', not a task"],
    [Array.from({ length: 10_001 }, () => one), {}, 'takes at most 10,000 tasks, not 10001; start fewer'],
    [[], { onFailure: 'ignore' }, "onFailure must be 'fail' or 'continue', not 'ignore'"],
    [[], { timeoutMs: 0 }, 'timeoutMs must be a number of milliseconds greater than 0, not 0'],
    [[], { timeout: 5 }, 'unknown option timeout; the options are onFailure, timeoutMs'],
  ])('rejects invalid arguments: %#', (tasks, options, message) => {
    expect(() => untilTasksEnd(tasks as never, options as never)).toThrow(`untilTasksEnd: ${message}`);
  });

  it('can be tested without a database, with the tasks that the handler starts', async () => {
    const started: unknown[] = [];
    const bill = defineHandler('bill', {}, async ({ context }) => {
      const keys = ['a', 'b', 'a'];
      return untilTasksEnd(
        await Promise.all(keys.map((key) => context.startTask('invoice', { at: new Date(0) }, { key }))),
      );
    });
    const ids = [one, two.toLowerCase()];
    const { wait } = await runHandler(bill, { onStartTask: (start) => ids[started.push(start) - 1]! });
    expect(wait).toMatchObject({ taskUuids: [ids[0], ids[1], ids[0]] });
    expect(started[0]).toEqual({
      key: 'a',
      template: 'invoice',
      context: { at: '1970-01-01T00:00:00.000Z' },
      onCancel: 'cancel',
    });
  });
});

describe('startTask', () => {
  const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'bill' });

  it.each([
    ['invoice', {}, { key: 'x'.repeat(256) }, 'key has 256 characters, but the maximum is 255; use an id or a hash'],
    ['invoice', {}, { key: '' }, "key must be a text that distinguishes the children of this step, not ''"],
    ['invoice', {}, { key: 'a\0' }, 'key must be a text'],
    ['invoice', {}, { key: 7 }, 'key must be a text that distinguishes the children of this step, not 7'],
    ['invoice', {}, { key: 'a', onCancel: 'stop' }, "onCancel must be 'cancel' or 'abandon', not 'stop'"],
    ['invoice', {}, { key: 'a', onEnd: 1 }, 'unknown option onEnd; the options are key, onCancel'],
    ['invoice', [1], { key: 'a' }, 'the context must be an object, not a list of 1'],
    ['invoice', { n: 1n }, { key: 'a' }, 'context.n: a BigInt has no JSON form'],
    ['invoice', {}, undefined, 'takes an object with key and onCancel, not undefined'],
    ['', {}, { key: 'a' }, 'the template must be a workflow or a name such as billing/invoice'],
    [undefined, {}, { key: 'a' }, 'the template must be a workflow or a name such as billing/invoice, not undefined'],
  ])('rejects invalid arguments: %#', async (name, given, options, message) => {
    await expect(context.startTask(name as never, given as never, options as never)).rejects.toThrow(
      `startTask: ${message}`,
    );
  });

  it('names the way out in a context without a database', async () => {
    await expect(context.startTask('invoice', {}, { key: 'a' })).rejects.toThrow(
      /was created without a database, so it starts no tasks: .* let a step of the type task start the child/,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { completeLater, notYet } from '../../src/handlers/later.ts';
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

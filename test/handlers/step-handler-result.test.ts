import { describe, expect, it } from 'vitest';
import { isStepHandlerResult, StepHandler, StepHandlerResult } from '../../src/handlers/step-handler.ts';

class Probe extends StepHandler {
  static override readonly handlerName = 'probe';
  call() {
    return this.success({ ok: true }, { duration_ms: 100 });
  }
  fail() {
    return this.failure('declined', {
      errorType: 'payment_error',
      retryable: false,
      metadata: { a: 1 },
      errorCode: 'E1',
    });
  }
}

class Saying extends StepHandler {
  static override readonly handlerName = 'saying';
  readonly value: object;
  constructor(value: object) {
    super();
    this.value = value;
  }
  call() {
    return this.success(this.value);
  }
}

describe('a success', () => {
  it('has the same properties for each function that creates it', () => {
    const result = StepHandlerResult.successHandlerResult({ ok: true }, { duration_ms: 100 });
    expect(result).toMatchObject({ success: true, result: { ok: true }, errorMessage: null, retryable: true });
    expect([result.isSuccess(), result.isFailure()]).toEqual([true, false]);
    expect(result).toEqual(StepHandlerResult.success({ ok: true }, { duration_ms: 100 }));
    expect(result).toEqual(new Probe().call());
  });

  it.each([
    ['a class handler', (value: object) => new Saying(value).call()],
    ['StepHandlerResult.success', (value: object) => StepHandlerResult.success(value)],
    ['successHandlerResult', (value: object) => StepHandlerResult.successHandlerResult(value)],
  ])('of %s has the parts of { result, metadata }, without nesting them', (_, make) => {
    expect(make({ result: { total: 7 }, metadata: { ms: 3 } })).toMatchObject({
      result: { total: 7 },
      metadata: { ms: 3 },
    });
    expect(make({ metadata: {}, result: [1] })).toMatchObject({ result: { result: [1] }, metadata: {} });
    expect(make({ result: null, metadata: null })).toMatchObject({ success: true, result: {}, metadata: {} });
    expect(make({ result: undefined, metadata: undefined })).toMatchObject({ result: {}, metadata: {} });
    expect(make({ result: { result: 1, metadata: { a: 1 } }, metadata: { ms: 3 } })).toMatchObject({
      result: { result: 1, metadata: { a: 1 } },
      metadata: { ms: 3 },
    });
  });

  it('stores an object with other keys, or with only one of these two, as the result itself', () => {
    for (const value of [{ result: 1 }, { metadata: { a: 1 } }, { result: 1, metadata: {}, total: 2 }]) {
      expect(StepHandlerResult.success(value)).toMatchObject({ result: value, metadata: {} });
    }
  });

  it('combines positional metadata with the metadata of { result, metadata }', () => {
    const result = StepHandlerResult.success({ result: { a: 1 }, metadata: { ms: 3, by: 'x' } }, { by: 'y' });
    expect(result).toMatchObject({ result: { a: 1 }, metadata: { ms: 3, by: 'y' } });
  });

  it.each([['v1'], [[1]], [7]])('rejects metadata that is not an object: %j', (metadata) => {
    expect(() => StepHandlerResult.success({ result: {}, metadata })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^success: metadata must be an object, not /),
        retryable: false,
      }),
    );
  });

  it('is {} without arguments, and stores arrays and primitives under result', () => {
    expect(StepHandlerResult.success().result).toEqual({});
    expect(StepHandlerResult.success([1]).result).toEqual({ result: [1] });
    expect(StepHandlerResult.success('x' as unknown as object).result).toEqual({ result: 'x' });
  });
});

describe('a failure', () => {
  const details = { errorType: 'payment_error', retryable: false, metadata: { a: 1 }, errorCode: 'E1' };

  it('is the same in all argument forms', () => {
    const expected = StepHandlerResult.failure({ message: 'declined', ...details });
    expect(expected).toMatchObject({ success: false, result: null, errorMessage: 'declined', ...details });
    expect(StepHandlerResult.failure('declined', details)).toEqual(expected);
    expect(StepHandlerResult.failure('declined', 'payment_error', false, { a: 1 }, 'E1')).toEqual(expected);
    expect(StepHandlerResult.failureHandlerResult('declined', details)).toEqual(expected);
    expect(StepHandlerResult.failureHandlerResult({ message: 'declined', ...details })).toEqual(expected);
    expect(new Probe().fail()).toEqual(expected);
  });

  it('is a retryable handler_error by default', () => {
    const result = StepHandlerResult.failure('x');
    expect(result).toMatchObject({ errorType: 'handler_error', retryable: true, metadata: {}, errorCode: null });
    expect([result.isSuccess(), result.isFailure()]).toEqual([false, true]);
  });

  it.each([
    [30, '30'],
    [new Date(0), 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  ])('keeps retryAfter %s, and adds it to the headers', (retryAfter, header) => {
    const result = StepHandlerResult.failure('busy', { retryAfter });
    expect(result.retryAfter).toBe(retryAfter);
    expect(result.toJSON().orchestration_metadata?.headers).toEqual({ 'retry-after': header });
  });

  it('takes retryAfter from a header in any case, unless it is given directly', () => {
    const orchestrationMetadata = { headers: { 'Retry-After': '60', 'x-a': '1' } };
    expect(new StepHandlerResult({ success: false, orchestrationMetadata }).retryAfter).toBe('60');
    const both = new StepHandlerResult({ success: false, orchestrationMetadata, retryAfter: 5 });
    expect(both.retryAfter).toBe(5);
    expect(both.orchestrationMetadata?.headers).toEqual({ 'x-a': '1', 'retry-after': '5' });
  });
});

describe('the JSON form', () => {
  it('has snake_case keys', () => {
    const result = new StepHandlerResult({
      success: false,
      errorMessage: 'slow down',
      orchestrationMetadata: {
        errorContext: 'gateway',
        backoffHint: { backoffType: 'RateLimit', delaySeconds: 30 },
        custom: { a: 1 },
      },
    });
    expect(JSON.parse(JSON.stringify(result))).toEqual({
      success: false,
      result: null,
      error_message: 'slow down',
      error_type: null,
      error_code: null,
      retryable: true,
      metadata: {},
      orchestration_metadata: {
        headers: {},
        error_context: 'gateway',
        backoff_hint: { backoff_type: 'RateLimit', delay_seconds: 30, context: null },
        custom: { a: 1 },
      },
    });
  });
});

describe('recognizing a result', () => {
  it('accepts its own results and results of another copy, and no other values', () => {
    const brand = Symbol.for('tasker-core.step-handler-result');
    expect(isStepHandlerResult(StepHandlerResult.success())).toBe(true);
    expect(isStepHandlerResult(Object.create({ [brand]: true }))).toBe(true);
    for (const other of [null, undefined, 1, 'x', {}, [], { success: true, result: {} }]) {
      expect(isStepHandlerResult(other)).toBe(false);
    }
  });
});

describe('the orchestration metadata of a result', () => {
  it('sets the delay by the header, otherwise by the hint, unless retryAfter is given', () => {
    const backoffHint = { backoffType: 'RateLimit', delaySeconds: 30 };
    const of = (orchestrationMetadata: object, more: object = {}) =>
      StepHandlerResult.failure('busy', { orchestrationMetadata, ...more }).retryAfter;
    expect(of({ headers: { 'Retry-After': '7' }, backoffHint })).toBe('7');
    expect(of({ backoffHint })).toBe(30);
    expect(of({ backoff_hint: { backoff_type: 'RateLimit', delay_seconds: 40 } })).toBe(40);
    expect(of({ errorContext: 'slow down' })).toBeNull();
    expect(of({ backoffHint }, { retryAfter: 2 })).toBe(2);
  });

  it('is stored with snake_case keys, with the status', () => {
    const result = StepHandlerResult.failure({
      message: 'busy',
      statusCode: 429,
      orchestrationMetadata: { errorContext: 'slow down', backoffHint: { backoffType: 'RateLimit', delaySeconds: 30 } },
    });
    expect(result.statusCode).toBe(429);
    expect(result.toJSON().orchestration_metadata).toEqual({
      headers: {},
      error_context: 'slow down',
      backoff_hint: { backoff_type: 'RateLimit', delay_seconds: 30, context: null },
      custom: {},
    });
  });
});

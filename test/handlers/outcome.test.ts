import { describe, expect, it } from 'vitest';
import { TaskerError } from '../../src/errors.ts';
import {
  ErrorType,
  isStandardErrorType,
  isStepExecutionError,
  isTypicallyRetryable,
  PermanentError,
  RetryableError,
  StepExecutionError,
} from '../../src/handlers/failures/handler-errors.ts';

import { resultOfReturn, resultOfThrown } from '../../src/handlers/outcome.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { storableJson } from '../../src/model/json.ts';

it('a returned { result, metadata } is stored unchanged as the result', () => {
  const data = { result: 1, metadata: { a: 1 } };
  expect(resultOfReturn(data)).toMatchObject({ success: true, result: data, metadata: {} });
});

describe('a return value of a handler', () => {
  it('is unchanged if it is a result', () => {
    const failure = StepHandlerResult.failure('no');
    expect(resultOfReturn(failure)).toBe(failure);
  });

  it.each([
    [undefined, {}],
    [null, {}],
    [{ packed: 2 }, { packed: 2 }],
    [[1, 2], { result: [1, 2] }],
    ['text', { result: 'text' }],
    [0, { result: 0 }],
    [false, { result: false }],
    [new Date(0), { result: '1970-01-01T00:00:00.000Z' }],
    [{ toJSON: () => ({ a: 1 }) }, { a: 1 }],
    [{ toJSON: () => [1] }, { result: [1] }],
  ])('is otherwise a success: %j', (returned, result) => {
    expect(resultOfReturn(returned)).toMatchObject({ success: true, result });
  });

  it('is a permanent failure if it cannot be read', () => {
    const unreadable = new Proxy({}, { get: () => { throw new Error('closed'); } }); // biome-ignore format: one line
    expect(resultOfReturn(unreadable)).toMatchObject({
      success: false,
      retryable: false,
      errorMessage: 'the returned value cannot be read: closed',
    });
  });
});

describe('a value that a handler throws', () => {
  it('is a retryable handler_error that names the class', () => {
    const result = resultOfThrown(new TypeError('x is undefined'));
    expect(result).toMatchObject({ success: false, errorMessage: 'x is undefined', errorType: 'handler_error' });
    expect(result).toMatchObject({ retryable: true, metadata: { exception: 'TypeError' }, retryAfter: null });
    expect(result.backtrace[0]).toContain('outcome.test.ts');
  });

  it('is retryable according to its property retryable, if that is a boolean', () => {
    expect(resultOfThrown(Object.assign(new Error('x'), { retryable: false })).retryable).toBe(false);
    expect(resultOfThrown(Object.assign(new Error('x'), { retryable: 'no' })).retryable).toBe(true);
    expect(resultOfThrown({ message: 'x', retryable: false })).toMatchObject({ errorMessage: 'x', retryable: false });
  });

  it('keeps the type, code, metadata, delay and status of the error', () => {
    const error = new StepExecutionError('busy', {
      errorType: 'gateway_error',
      errorCode: 'E42',
      metadata: { order: 'O-7' },
      retryAfter: 30,
    });
    expect(resultOfThrown(Object.assign(error, { statusCode: 429 }))).toMatchObject({
      errorMessage: 'busy',
      errorType: 'gateway_error',
      errorCode: 'E42',
      metadata: { order: 'O-7' },
      retryAfter: 30,
      retryable: true,
      statusCode: 429,
      orchestrationMetadata: { headers: { 'retry-after': '30' } },
    });
    expect(resultOfThrown(Object.assign(new Error('x'), { status: 503 })).statusCode).toBe(503);
    expect(resultOfThrown(Object.assign(new Error('x'), { status: '503' })).statusCode).toBeNull();
    expect(resultOfThrown(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })).metadata).toEqual({
      exception: 'Error',
      code: 'ECONNREFUSED',
    });
  });

  it('combines the messages of its parts if it has none, and names an abort', () => {
    const refused = new AggregateError([
      new Error('connect ECONNREFUSED ::1:5432'),
      new Error('connect ECONNREFUSED 127.0.0.1:5432'),
    ]);
    expect(resultOfThrown(refused).errorMessage).toBe(
      'connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432',
    );
    expect(resultOfThrown(AbortSignal.abort().reason).metadata).toEqual({ exception: 'AbortError' });
  });

  it('can be a result', () => {
    const failure = StepHandlerResult.failure('no');
    expect(resultOfThrown(failure)).toBe(failure);
  });

  it('keeps at most five causes, without repeating a circular one', () => {
    const root = new Error('disk is full');
    const { backtrace } = resultOfThrown(new Error('cannot save', { cause: root }));
    expect(backtrace).toContain('caused by Error: disk is full');

    const circle = new Error('a');
    circle.cause = new Error('b', { cause: circle });
    expect(resultOfThrown(circle).backtrace.filter((line) => line.startsWith('caused by'))).toEqual([
      'caused by Error: b',
    ]);

    let chain = new Error('0');
    for (let n = 1; n < 40; n++) chain = new Error(String(n), { cause: chain });
    const long = resultOfThrown(chain).backtrace;
    expect(long.length).toBeLessThanOrEqual(50);
  });

  it.each([
    ['out of stock', 'out of stock'],
    ['', 'an empty string was thrown'],
    [undefined, 'undefined was thrown'],
    [null, 'null was thrown'],
    [42, '42 was thrown'],
    [10n, '10 was thrown'],
    [Symbol('s'), 'Symbol(s) was thrown'],
    [() => 1, 'a function was thrown'],
    [{ a: 1 }, 'Object without a message'],
    [Object.create(null), 'Object without a message'],
  ])('can be a value that is not an error: %s', (thrown, errorMessage) => {
    expect(resultOfThrown(thrown)).toMatchObject({ success: false, errorMessage, retryable: true });
  });

  it('is always storable and limited in size, even if its properties throw when they are read', () => {
    const fail = (): never => {
      throw new Error('hostile');
    };
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const unfathomable = new Proxy({}, { getPrototypeOf: fail });
    const hostile: unknown[] = [
      revoked.proxy,
      Object.assign(new Error('x'), { metadata: revoked.proxy }),
      Object.assign(new Error('x'), { retryAfter: unfathomable, errors: revoked.proxy, cause: unfathomable }),
      { errors: revoked.proxy },
      new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail, ownKeys: fail, getOwnPropertyDescriptor: fail }),
      new Proxy(() => 1, { get: fail }),
      Object.defineProperty(new Error('x'), 'message', { get: fail }),
      Object.assign(new Error('x'), { metadata: new Proxy({}, { ownKeys: fail, get: fail }) }),
      Object.assign(new Error('x'), { metadata: circular, stack: 'x'.repeat(1e6), cause: { toString: fail } }),
      Object.assign(new Error(`\0 ${'x'.repeat(1e6)} \ud800`), { metadata: { n: 1n } }),
      Object.assign(new Error('x'), {
        retryAfter: new Date(Number.NaN),
        statusCode: Number.NaN,
        errorType: { toString: fail },
      }),
      Object.assign(new Error('x'), { errorType: '\0', errorCode: '\ud800', retryAfter: 'x'.repeat(1e6) }),
      { constructor: { name: { toString: fail } } },
      { get constructor() { return fail(); } }, // biome-ignore format: one line
    ];
    for (const thrown of hostile) {
      const result = resultOfThrown(thrown);
      const stored = storableJson({ ...result.toJSON(), backtrace: result.backtrace });
      expect(stored).toMatchObject({ ok: true });
      expect(JSON.stringify(stored).length).toBeLessThan(60_000);
    }
  });

  it('omits metadata that cannot be stored, and records the reason', () => {
    expect(resultOfThrown(new PermanentError('x', { n: 1n })).metadata).toEqual({
      metadata_left_out: 'metadata.n: a BigInt has no JSON form; use String(x) or Number(x)',
    });
  });
});

describe('the errors for handlers', () => {
  it('are TaskerErrors with a retryable property', () => {
    const errors = [new PermanentError('x'), new RetryableError('x'), new StepExecutionError('x')];
    expect(errors.every((error) => error instanceof TaskerError && error instanceof StepExecutionError)).toBe(true);
    expect(errors.map(({ name, errorType, retryable, code }) => [name, errorType, retryable, code])).toEqual([
      ['PermanentError', 'permanent_error', false, 'step_failed'],
      ['RetryableError', 'retryable_error', true, 'step_failed'],
      ['StepExecutionError', 'step_execution_error', true, 'step_failed'],
    ]);
  });

  it('accept metadata or options as the second argument', () => {
    expect(new PermanentError('x', { order: 'O-7' }).metadata).toEqual({ order: 'O-7' });
    expect(new PermanentError('x', { errorType: 'a', order: 'O-7' }).metadata).toEqual({
      errorType: 'a',
      order: 'O-7',
    });
    const cause = new Error('y');
    const options = { errorType: 'rate_limit', retryAfter: 5, metadata: { a: 1 }, errorCode: 'E1', cause };
    expect(new RetryableError('x', options)).toMatchObject({ ...options, retryable: true });
    expect(new StepExecutionError('x', 'database_error', false)).toMatchObject({
      errorType: 'database_error',
      retryable: false,
    });
    expect(new StepExecutionError('x', { retryable: false })).toMatchObject({ retryable: false });
  });

  it('are recognized across copies of the package', () => {
    const foreign = Object.create({ [Symbol.for('tasker-core.step-execution-error')]: true });
    expect([new PermanentError('x'), foreign, new Error('x'), null].map(isStepExecutionError)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

it('the standard error types are recognized, and only retryable_error and timeout are typically retryable', () => {
  expect(Object.values(ErrorType).every(isStandardErrorType)).toBe(true);
  expect(isStandardErrorType('payment_error')).toBe(false);
  expect(Object.values(ErrorType).filter(isTypicallyRetryable)).toEqual(['retryable_error', 'timeout']);
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { backtraceOf } from '../../src/handlers/failures/backtrace.ts';
import { resultOfReturn, resultOfThrown } from '../../src/handlers/outcome.ts';
import * as tasker from '../../src/index.ts';

const { PermanentError, RetryableError, StepExecutionError, TaskerError } = tasker;

const RETRYABLE = [
  [tasker.StepTimeoutError, 'timeout'],
  [tasker.TimeoutError, 'timeout'],
  [tasker.NetworkError, 'connection_error'],
  [tasker.RateLimitError, 'rate_limited'],
  [tasker.ServiceUnavailableError, 'service_unavailable'],
  [tasker.ResourceContentionError, 'resource_contention'],
  [RetryableError, 'retryable_error'],
] as const;

const PERMANENT = [
  [tasker.StepValidationError, 'validation_error'],
  [tasker.ValidationError, 'validation_error'],
  [tasker.NotFoundError, 'not_found'],
  [tasker.AuthenticationError, 'unauthorized'],
  [tasker.AuthorizationError, 'forbidden'],
  [tasker.ConfigurationError, 'configuration_error'],
  [tasker.BusinessLogicError, 'business_logic_error'],
  [PermanentError, 'permanent_error'],
] as const;

describe('an error that a handler throws', () => {
  it.each([
    ...RETRYABLE.map(([Thrown, type]) => ({ Thrown, type, retryable: true })),
    ...PERMANENT.map(([Thrown, type]) => ({ Thrown, type, retryable: false })),
  ])('determines the outcome by its class: $Thrown.name', ({ Thrown, type, retryable }) => {
    const error = new Thrown('no', { errorCode: 'E1', statusCode: 418, retryAfter: 3, metadata: { a: 1 } });
    expect(error).toBeInstanceOf(StepExecutionError);
    expect(error).toBeInstanceOf(TaskerError);
    expect(error.name).toBe(Thrown.name);
    expect(resultOfThrown(error)).toMatchObject({
      success: false,
      errorMessage: 'no',
      errorType: type,
      errorCode: 'E1',
      statusCode: 418,
      retryAfter: 3,
      retryable,
      metadata: { a: 1 },
    });
  });

  it('keeps its own type, and accepts metadata as the only option', () => {
    expect(new tasker.NotFoundError('no', { errorType: 'order_missing' }).errorType).toBe('order_missing');
    expect(new tasker.NotFoundError('no', { errorType: undefined }).errorType).toBe('not_found');
    expect(new tasker.NotFoundError('no', { order_id: 'O-7' }).metadata).toEqual({ order_id: 'O-7' });
  });

  it("can be an instance of a user's subclass", () => {
    class OutOfStock extends tasker.BusinessLogicError {
      static override readonly errorType = 'out_of_stock';
    }
    expect(resultOfThrown(new OutOfStock('none left'))).toMatchObject({ errorType: 'out_of_stock', retryable: false });
  });

  it('has the stored form as JSON', () => {
    const error = new tasker.RateLimitError('slow down', { retryAfter: new Date(0), statusCode: 429 });
    const json = {
      error_type: 'rate_limited',
      message: 'slow down',
      retryable: true,
      error_code: null,
      retry_after: '1970-01-01T00:00:00.000Z',
      status_code: 429,
      metadata: {},
    };
    expect(error.toDict()).toEqual(json);
    expect(JSON.parse(JSON.stringify(error))).toEqual(json);
  });

  it('is also a failure when it is returned instead of thrown', () => {
    expect(resultOfReturn(new PermanentError('cancelled'))).toMatchObject({ success: false, retryable: false });
  });

  it('a ConversionError needs only a message', () => {
    const error = new tasker.ConversionError('amount is not a number');
    expect(error).toMatchObject({ message: 'amount is not a number', code: 'conversion_error', details: {} });
    const { cause } = new tasker.ConversionError('amount', { cause: error });
    expect(cause).toBe(error);
  });

  it('is permanent if it is a ConversionError', () => {
    expect(resultOfThrown(new tasker.ConversionError('amount', { path: 'context.amount' }))).toMatchObject({
      errorType: 'conversion_error',
      retryable: false,
    });
  });
});

describe('the error classes of the worker', () => {
  it('have codes, messages and the common base class', () => {
    const cause = new Error('refused');
    const errors = [
      new tasker.WorkerNotInitializedError(),
      new tasker.WorkerBootstrapError('no database', { cause }),
      new tasker.WorkerAlreadyRunningError(),
      new tasker.FFIError('not taken', { retryable: false }),
      new tasker.ConversionError('no task', { path: 'task' }),
    ];
    expect(errors.map((error) => [error.name, error.code])).toEqual([
      ['WorkerNotInitializedError', 'worker_not_initialized'],
      ['WorkerBootstrapError', 'worker_bootstrap'],
      ['WorkerAlreadyRunningError', 'worker_already_running'],
      ['FFIError', 'bridge'],
      ['ConversionError', 'conversion_error'],
    ]);
    expect(errors.every((error) => error instanceof TaskerError && error.message.length > 0)).toBe(true);
    expect(errors[1]!.cause).toBe(cause);
    expect(resultOfThrown(errors[3]).retryable).toBe(false);
  });
});

describe('two copies of the package', () => {
  it('recognize each other’s errors', async () => {
    // Importing the same file from another URL creates new classes.
    const other: typeof import('../../src/handlers/failures/handler-errors.ts') = await import(
      /* @vite-ignore */ `${pathToFileURL(path.resolve('src/handlers/failures/handler-errors.ts')).href}?copy`
    );
    const error = new other.PermanentError('no');
    expect(error).not.toBeInstanceOf(PermanentError);
    expect([tasker.isStepExecutionError(error), tasker.isTaskerError(error)]).toEqual([true, true]);
    expect(tasker.isTaskerError(new Error('no'))).toBe(false);
    expect(resultOfThrown(error)).toMatchObject({ errorType: 'permanent_error', retryable: false });
  });
});

describe('the classifier', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  const fetchFailed = new TypeError('fetch failed', { cause: refused });
  const cases: [unknown, boolean, string][] = [
    [new tasker.NetworkError('x'), true, 'explicit_attribute'],
    [new PermanentError('x'), false, 'explicit_attribute'],
    [{ retryable: false }, false, 'explicit_attribute'],
    [refused, true, 'retryable_class'],
    [fetchFailed, true, 'retryable_class'],
    [new DOMException('late', 'TimeoutError'), true, 'retryable_class'],
    [new TypeError('x is undefined'), false, 'permanent_class'],
    [Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' }), false, 'permanent_class'],
    [new SyntaxError('x'), false, 'permanent_class'],
    [new Error('x'), true, 'default'],
    ['a text', true, 'default'],
    [undefined, true, 'default'],
  ];

  it.each(cases)('classifies %s as retryable: %s, by %s', (error, retryable, classification) => {
    expect(tasker.getClassifier().classify(error)).toMatchObject({ retryable, classification });
    expect([tasker.isRetryable(error), tasker.isPermanent(error)]).toEqual([retryable, !retryable]);
  });

  it('accepts another default for unknown errors', () => {
    const strict = new tasker.ErrorClassifier({ defaultRetryable: false });
    expect([strict.retryable(new Error('x')), strict.permanent(new Error('x'))]).toEqual([false, true]);
    expect(strict.retryable(refused)).toBe(true);
    expect(strict.classify(new Error('x'))).toEqual({
      errorType: 'Error',
      retryable: false,
      classification: 'default',
    });
  });
});

describe('a backtrace', () => {
  it("has the frames of the user's code, without frames of this package, other packages or Node", () => {
    const error = new Error('x');
    error.stack = [
      'Error: x',
      '    at pay (/srv/app/handlers/pay.ts:5:9)',
      '    at file:///srv/app/lib/money.js:1:2',
      '    at Array.map (<anonymous>)',
      '    at Client.query (/srv/app/node_modules/pg/lib/client.js:1:1)',
      '    at async ship (/srv/app/node_modules/.cache/tasker/ship-AB12.mjs:9:1)',
      `    at callFunction (${path.resolve('src/handlers/define-handler.ts')}:1:1)`,
      `    at callHandler (${pathToFileURL(path.resolve('src/worker/run-step.ts')).href}:1:1)`,
      '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
    ].join('\n');
    expect(backtraceOf(error)).toEqual([
      'at pay (/srv/app/handlers/pay.ts:5:9)',
      'at file:///srv/app/lib/money.js:1:2',
      'at async ship (/srv/app/node_modules/.cache/tasker/ship-AB12.mjs:9:1)',
    ]);
  });

  it("has the first frames of other code if the user's code has no frames", () => {
    const error = new Error('x');
    error.stack = `Error: x\n${Array.from({ length: 9 }, (_, n) => `    at f (node:internal/${n}:1:1)`).join('\n')}`;
    expect(backtraceOf(error)).toHaveLength(5);
  });

  it('lists the parts of an AggregateError and their causes, each once', () => {
    const root = new Error('socket closed');
    const parts = [new Error('first', { cause: root }), new Error('second', { cause: root })];
    const error = new AggregateError(parts, 'all failed', { cause: parts[0] });
    parts[1]!.cause = error; // a circular reference
    expect(backtraceOf(error).filter((line) => !line.startsWith('at '))).toEqual([
      'one part: Error: first',
      'caused by Error: socket closed',
      'one part: Error: second',
    ]);
  });

  it('has a limited length, regardless of the number of parts and causes', () => {
    let chain = new Error('0');
    for (let n = 1; n < 200; n++) chain = new AggregateError(Array(100).fill(chain), String(n), { cause: chain });
    const lines = backtraceOf(chain);
    expect(lines.length).toBeLessThanOrEqual(50);
    expect(lines.filter((line) => /^(one part:|caused by)/.test(line))).toHaveLength(5);
  });
});

it('the page about errors lists the classes that handlers throw, with their types', () => {
  const page = readFileSync('docs/errors.md', 'utf8');
  const rows = [...page.matchAll(/^\| (`\w+`(?:, also `\w+`)?) \| `(\w+)` \| (yes|no) \|$/gm)];
  const documented = rows.flatMap(([, names, type, again]) =>
    [...names!.matchAll(/`(\w+)`/g)].map((name) => [name[1], type, again]),
  );
  const exported = Object.entries(tasker).flatMap(([name, value]) =>
    typeof value === 'function' && value.prototype instanceof StepExecutionError
      ? [
          [
            name,
            (value as typeof StepExecutionError).errorType,
            value.prototype instanceof PermanentError || value === PermanentError ? 'no' : 'yes',
          ],
        ]
      : [],
  );
  expect(documented.sort()).toEqual(exported.sort());
});

// Every shape of handler that people write, with the outcome of its step. The tests run this list, and
// scripts/write-handler-shapes.mjs writes the table in docs/handler-outcomes.md from it. It is plain JavaScript, because
// processes that are killed import it with dist. A step has two attempts, without a delay between them.

class Money {
  #currency = 'EUR';
  constructor(cents) {
    this.cents = cents;
  }
  format() {
    return `${this.cents} ${this.#currency}`;
  }
}

class Parcel {
  toJSON() {
    return { weight_grams: 500 };
  }
}

const circle = {};
circle.self = circle;

const never = () => new Promise(() => {});
const aborted = (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
const block = (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

const complete = (result, attempts = 1) => ({ state: 'complete', attempts, result });
const failed = (attempts, type, message) => ({ state: 'error', attempts, type, message });
/** The timeout of an attempt in the rows about timeouts, in milliseconds. */
const TIMEOUT_MS = 200;
const TIMED_OUT = failed(2, 'timeout', 'step a did not finish within 200 ms');

/**
 * `call` is the function of the handler, with the package as second argument. `options` are options of the worker. With
 * `processes`, the handler runs in that number of separate processes, and a process that ends is restarted.
 */
export const HANDLER_SHAPES = [
  { shape: 'returns an object', call: () => ({ sent: true }), outcome: complete({ sent: true }) },
  { shape: 'is `async` and returns an object', call: async () => ({ sent: true }), outcome: complete({ sent: true }) },
  { shape: 'returns a list', call: () => [1, 2], outcome: complete({ result: [1, 2] }) },
  { shape: 'returns a string', call: () => 'done', outcome: complete({ result: 'done' }) },
  { shape: 'returns a number', call: () => 0, outcome: complete({ result: 0 }) },
  { shape: 'returns a boolean', call: () => false, outcome: complete({ result: false }) },
  { shape: 'returns nothing', call: () => undefined, outcome: complete({}) },
  { shape: 'returns `null`', call: () => null, outcome: complete({}) },
  {
    shape: 'returns an instance of a class: its own properties',
    call: () => new Money(995),
    outcome: complete({ cents: 995 }),
  },
  {
    shape: 'returns an instance of a class with `toJSON`',
    call: () => new Parcel(),
    outcome: complete({ weight_grams: 500 }),
  },
  {
    shape: 'returns a `Date`',
    call: () => new Date(0),
    outcome: complete({ result: '1970-01-01T00:00:00.000Z' }),
  },
  {
    shape: 'returns an object without a prototype',
    call: () => Object.assign(Object.create(null), { bare: 1 }),
    outcome: complete({ bare: 1 }),
  },
  {
    shape: 'returns a thenable that is not a promise',
    // biome-ignore lint/suspicious/noThenProperty: this row tests a thenable
    call: () => ({ then: (resolve) => resolve({ via: 'then' }) }),
    outcome: complete({ via: 'then' }),
  },
  {
    shape: 'returns `this.success({ sent: true })`',
    call: (_, { StepHandlerResult }) => StepHandlerResult.success({ sent: true }),
    outcome: complete({ sent: true }),
  },
  {
    shape: "returns `this.failure('no paper')`",
    call: (_, { StepHandlerResult }) => StepHandlerResult.failure('no paper'),
    outcome: failed(2, 'handler_error', 'no paper'),
  },
  {
    shape: "returns `this.failure('no paper', { retryable: false })`",
    call: (_, { StepHandlerResult }) => StepHandlerResult.failure('no paper', { retryable: false }),
    outcome: failed(1, 'handler_error', 'no paper'),
  },
  {
    shape: 'returns a `PermanentError` where it should be thrown',
    call: (_, { PermanentError }) => new PermanentError('no such order'),
    outcome: failed(1, 'permanent_error', 'no such order'),
  },
  {
    shape: 'returns an `Error` where it should be thrown',
    call: () => new Error('printer on fire'),
    outcome: failed(
      1,
      'permanent_error',
      'step a: the result cannot be stored: result: Error has no JSON form; use its message',
    ),
  },
  {
    shape: 'returns a `BigInt` in an object',
    call: () => ({ total: 7n }),
    outcome: failed(
      1,
      'permanent_error',
      'step a: the result cannot be stored: result.total: a BigInt has no JSON form; use String(x) or Number(x)',
    ),
  },
  {
    shape: 'returns a circular object',
    call: () => circle,
    outcome: failed(
      1,
      'permanent_error',
      'step a: the result cannot be stored: result.self: it is circular: it leads back to result',
    ),
  },
  {
    shape: 'returns a `Map`',
    call: () => ({ lines: new Map() }),
    outcome: failed(
      1,
      'permanent_error',
      'step a: the result cannot be stored: result.lines: Map has no JSON form; use Object.fromEntries(map)',
    ),
  },
  {
    shape: 'returns `NaN`',
    call: () => ({ total: Number.NaN }),
    outcome: failed(
      1,
      'permanent_error',
      'step a: the result cannot be stored: result.total: NaN is not a JSON number',
    ),
  },
  {
    shape: 'returns an object whose `toJSON` throws',
    call: () => ({
      toJSON() {
        throw new Error('no form today');
      },
    }),
    outcome: failed(1, 'permanent_error', 'the returned value cannot be read: no form today'),
  },
  {
    shape: 'returns more than 16 MiB',
    call: () => ({ text: 'x'.repeat(17 * 1024 * 1024) }),
    outcome: failed(
      1,
      'permanent_error',
      'step a: the result cannot be stored: result: it is larger than 16777216 bytes',
    ),
  },
  {
    shape: 'throws an `Error`',
    call: () => {
      throw new Error('printer on fire');
    },
    outcome: failed(2, 'handler_error', 'printer on fire'),
  },
  {
    shape: 'is `async` and throws an `Error`',
    call: async () => {
      throw new Error('printer on fire');
    },
    outcome: failed(2, 'handler_error', 'printer on fire'),
  },
  {
    shape: 'throws a string',
    call: () => {
      throw 'printer on fire';
    },
    outcome: failed(2, 'handler_error', 'printer on fire'),
  },
  {
    shape: 'rejects with a string',
    call: () => Promise.reject('printer on fire'),
    outcome: failed(2, 'handler_error', 'printer on fire'),
  },
  {
    shape: 'returns a thenable that throws',
    call: () => ({
      // biome-ignore lint/suspicious/noThenProperty: this row tests a thenable
      then() {
        throw new Error('printer on fire');
      },
    }),
    outcome: failed(2, 'handler_error', 'printer on fire'),
  },
  {
    shape: 'returns an object whose `then` cannot be read',
    call: () => ({
      // biome-ignore lint/suspicious/noThenProperty: this row tests a thenable
      get then() {
        throw new Error('printer on fire');
      },
    }),
    outcome: failed(2, 'handler_error', 'printer on fire'),
  },
  {
    shape: 'throws `undefined`',
    call: () => {
      throw undefined;
    },
    outcome: failed(2, 'handler_error', 'undefined was thrown'),
  },
  {
    shape: 'throws an object with `retryable: false`',
    call: () => {
      throw { message: 'no such order', retryable: false };
    },
    outcome: failed(1, 'handler_error', 'no such order'),
  },
  {
    shape: "throws `new PermanentError('no such order')`",
    call: (_, { PermanentError }) => {
      throw new PermanentError('no such order');
    },
    outcome: failed(1, 'permanent_error', 'no such order'),
  },
  {
    shape: "throws `new RetryableError('busy')`",
    call: (_, { RetryableError }) => {
      throw new RetryableError('busy');
    },
    outcome: failed(2, 'retryable_error', 'busy'),
  },
  {
    shape: "throws `new RetryableError('busy', { retryAfter: 3600 })`",
    call: (_, { RetryableError }) => {
      throw new RetryableError('busy', { retryAfter: 3600 });
    },
    outcome: { state: 'waiting_for_retry', attempts: 1, type: 'retryable_error', message: 'busy' },
  },
  {
    shape: 'throws a failed result',
    call: (_, { StepHandlerResult }) => {
      throw StepHandlerResult.failure('no paper');
    },
    outcome: failed(2, 'handler_error', 'no paper'),
  },
  {
    shape: 'never settles',
    call: never,
    options: { handlerTimeoutMs: TIMEOUT_MS },
    outcome: TIMED_OUT,
  },
  {
    shape: 'resolves after its timeout',
    call: async ({ signal }) => {
      await aborted(signal);
      return { too: 'late' };
    },
    options: { handlerTimeoutMs: TIMEOUT_MS },
    outcome: TIMED_OUT,
  },
  {
    shape: 'throws after its signal has fired',
    call: async ({ signal }) => {
      await aborted(signal);
      throw new Error('gave up');
    },
    options: { handlerTimeoutMs: TIMEOUT_MS },
    outcome: TIMED_OUT,
  },
  {
    shape: 'blocks the event loop past its timeout, then returns an object',
    call: () => {
      block(2 * TIMEOUT_MS);
      return { late: true };
    },
    options: { handlerTimeoutMs: TIMEOUT_MS },
    outcome: complete({ late: true }),
  },
  {
    shape: 'blocks the event loop for 5 s, then returns an object',
    call: () => {
      block(5_000);
      return { late: true };
    },
    processes: 2,
    outcome: complete({ late: true }),
  },
  {
    shape:
      'blocks the event loop for longer than `blockedLoopBoundMs` and the lease: another worker has taken over the step',
    call: ({ retryCount }) => {
      if (retryCount === 0) block(20_000);
      return { attempt: retryCount + 1 };
    },
    processes: 2,
    options: { leaseMs: 1_000, blockedLoopBoundMs: 1_000 },
    outcome: complete({ attempt: 2 }, 2),
  },
  {
    shape: 'calls `process.exit()`',
    call: () => process.exit(0),
    processes: 1,
    options: { leaseMs: 1_000 },
    outcome: failed(2, 'worker_lost', 'the worker was lost while the step ran, and its attempts are used up'),
  },
  {
    shape: 'leaves a promise behind that rejects: Node ends the process',
    call: async () => {
      void Promise.reject(new Error('nobody waits for me'));
      await never();
    },
    processes: 1,
    options: { leaseMs: 1_000 },
    outcome: failed(2, 'worker_lost', 'the worker was lost while the step ran, and its attempts are used up'),
  },
];

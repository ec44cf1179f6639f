import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult, type StepHandlerResultParams } from '../../src/handlers/step-handler.ts';
import { RetryableError } from '../../src/index.ts';
import { deferred, invariants, RETRY_AT_ONCE, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

const throws = () => {
  throw new Error('half a pair \ud83d and U+0000 \0');
};
/** An object whose JSON form changes at each read. */
function changing() {
  let reads = 0;
  return { toJSON: () => (++reads % 2 === 0 ? 'a\0b' : 'fine') };
}
function circle() {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  return circular;
}

/** Values that a handler written in JavaScript may put in any field. Some change, so each is created when it is used. */
const ODD: Record<string, () => unknown> = {
  'a string that the limit cuts inside a surrogate pair': () => `${'x'.repeat(9_999)}😀`,
  'surrogate pairs to the limit': () => '😀'.repeat(6_000),
  'the first half of a surrogate pair': () => 'a\ud83d',
  'the second half of a surrogate pair': () => '\ude00b',
  'U+0000': () => 'a\0b',
  '2 MB': () => 'x'.repeat(2_000_000),
  'control characters': () => '\u0001'.repeat(10_000),
  'an empty string': () => '',
  'a BigInt': () => 7n,
  'a large BigInt': () => 10n ** 400n,
  'a symbol': () => Symbol('\0'),
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  'a negative fraction': () => -0.5,
  null: () => null,
  undefined: () => undefined,
  true: () => true,
  'a function': () => () => 'x',
  'a cycle': circle,
  'a throwing toJSON': () => ({ toJSON: throws }),
  'a throwing toString': () => ({ toString: throws, [Symbol.toPrimitive]: throws }),
  'an object without a prototype': () => Object.assign(Object.create(null), { a: '\0' }) as unknown,
  'a throwing getter': () => Object.defineProperty({}, 'x', { enumerable: true, get: throws }) as unknown,
  'a proxy that throws': () => new Proxy({}, { get: throws, ownKeys: throws, has: throws, getPrototypeOf: throws }),
  'an object that only reads like a date': () => Object.create(Date.prototype) as unknown,
  'an invalid date': () => new Date(Number.NaN),
  'a map': () => new Map([['a', 1]]),
  'a list': () => ['a\0', 7n, circle()],
  'a long list': () => Array.from({ length: 5_000 }, () => 'x'.repeat(1_000)),
  'JSON that changes': changing,
  'fields that change': () => ({ a: changing() }),
  'keys that cannot be stored': () => ({ 'k\0': 1, '\ud83d': 2 }),
};

type Params = Record<string, unknown>;
const NESTED: Record<string, (value: unknown) => Params> = {
  'metadata.x': (value) => ({ metadata: { x: value } }),
  headers: (value) => ({ orchestrationMetadata: { headers: value } }),
  'headers.x': (value) => ({ orchestrationMetadata: { headers: { 'x-request': value } } }),
  errorContext: (value) => ({ orchestrationMetadata: { errorContext: value } }),
  backoffHint: (value) => ({ orchestrationMetadata: { backoffHint: value } }),
  'backtrace[0]': (value) => ({ backtrace: [value] }),
};
const FIELDS = [
  'errorMessage',
  'errorType',
  'errorCode',
  'statusCode',
  'metadata',
  'orchestrationMetadata',
  'retryAfter',
  'backtrace',
  'result',
] as const;

interface Odd {
  place: string;
  odd: string;
  /** Whether the field is a getter that throws, instead of a value. */
  unreadable: boolean;
}

const PLACES = [...FIELDS, ...Object.keys(NESTED)];
const anyOdd: fc.Arbitrary<Odd> = fc.record({
  place: fc.constantFrom(...PLACES),
  odd: fc.constantFrom(...Object.keys(ODD)),
  unreadable: fc.boolean(),
});

/** A retryable failure with these odd fields. */
function oddFailure(odds: readonly Odd[]): StepHandlerResult {
  const params: Params = { success: false, errorMessage: 'no', retryable: true };
  for (const { place, odd } of odds) {
    const value = ODD[odd]!();
    Object.assign(params, NESTED[place]?.(value) ?? { [place]: value });
  }
  const failure = new StepHandlerResult(params as unknown as StepHandlerResultParams);
  for (const { place, unreadable } of odds) {
    if (unreadable && place in failure) Object.defineProperty(failure, place, { get: throws });
  }
  return failure;
}

/**
 * Runs tasks whose handlers settle at the same time, so that their outcomes are recorded together. Every second task
 * succeeds.
 */
async function runTogether() {
  let failures: (() => unknown)[] = [];
  let gate = deferred();
  const handlers = [
    defineHandler('a', { inputs: { n: 'n' } }, async ({ n }) => {
      await gate.promise;
      const failure = failures[Number(n)];
      return failure ? failure() : { n };
    }),
  ];
  const steps = { a: { retry: { max_attempts: 2, ...RETRY_AT_ONCE } } };
  const { tasker, demo } = await shared.setup(steps, { handlers, concurrency: 4_000 });
  return async (made: readonly (() => unknown)[]) => {
    failures = made.flatMap((failure) => [failure, undefined as never]);
    gate = deferred();
    const tasks = await tasker.createTasks(failures.map((_, n) => ({ ...demo, context: { n } })));
    await until(
      () => tasker.stats?.running,
      (running) => running === tasks.length,
    );
    gate.resolve();
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })));
    const ends = [];
    // One after the other, because hundreds of requests would wait too long for a connection on a slow machine.
    for (const { taskUuid } of tasks) {
      const step = await tasker.getStep(taskUuid, 'a');
      ends.push({ state: step.currentState, attempts: step.attempts, error: step.results?.error });
    }
    return ends;
  };
}

const triedAgain = { state: 'error', attempts: 2, error: { retryable: true } };
const succeeded = { state: 'complete', attempts: 1, error: null };

it('a retryable failure with any value in one field is retried, and the rest of its recording is stored', async () => {
  const run = await runTogether();
  const odds = PLACES.flatMap((place) => Object.keys(ODD).map((odd) => ({ place, odd, unreadable: false })));
  const unreadable = FIELDS.map((place) => ({ place, odd: 'null', unreadable: true }));
  const all = [...odds, ...unreadable];
  const ends = await run(all.map((odd) => () => oddFailure([odd])));
  const wrong = all.flatMap((odd, i) => {
    const [failed, neighbor] = [ends[2 * i]!, ends[2 * i + 1]!];
    const right = failed.state === 'error' && failed.attempts === 2 && failed.error?.retryable === true;
    return right && neighbor.state === 'complete' ? [] : [{ ...odd, failed, neighbor: neighbor.state }];
  });
  expect(wrong).toEqual([]);
});

it('a retryable failure with any values in several fields is retried, and the rest of its recording is stored', async () => {
  const run = await runTogether();
  const failures = fc.array(fc.array(anyOdd, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(failures, async (made) => {
      const ends = await run(made.map((odds) => () => oddFailure(odds)));
      expect(ends).toMatchObject(made.flatMap(() => [triedAgain, succeeded]));
    }),
    { numRuns: 4 },
  );
});

it('the parts of a failure that can be stored are kept, and the dropped parts are named', async () => {
  const run = await runTogether();
  const failure = (params: object) => () =>
    new StepHandlerResult({ success: false, errorMessage: 'no', ...params } as StepHandlerResultParams);
  const made = [
    () => StepHandlerResult.failure(`${'x'.repeat(9_999)}😀`, { retryable: true }),
    failure({ errorType: 'a\0b', errorCode: 'c\ud83d', statusCode: 503n }),
    failure({ statusCode: '429', backtrace: 'at charge' }),
    failure({ statusCode: 'busy', backtrace: Array.from({ length: 500 }, (_, i) => `at ${i}`) }),
  ];
  const ends = await run(made);
  const errors = made.map((_, i) => ends[2 * i]!.error!);
  expect(errors[0]!.message).toBe(`${'x'.repeat(9_999)}…`);
  expect(errors[1]).toMatchObject({ error_type: 'a\ufffdb', status_code: 503 });
  expect(errors[2]).toMatchObject({ status_code: 429, backtrace: [] });
  expect(errors[3]).toMatchObject({ status_code: null });
  expect(errors[3]!.backtrace).toHaveLength(100);
  expect(errors[3]!.backtrace.at(-1)).toBe('… 401 more');
});

it('a thrown error with odd fields is retried', async () => {
  const run = await runTogether();
  const made = Object.values(ODD).flatMap((odd) =>
    ['message', 'errorType', 'errorCode', 'statusCode', 'metadata', 'retryAfter', 'cause', 'stack'].map((key) => () => {
      throw Object.defineProperty(new RetryableError('no'), key, { value: odd() });
    }),
  );
  expect(await run(made)).toMatchObject(made.flatMap(() => [triedAgain, succeeded]));
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));

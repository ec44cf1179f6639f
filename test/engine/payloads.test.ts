import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TaskerError } from '../../src/errors.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { invariants } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

const circular: Record<string, unknown> = { name: 'loop' };
circular.self = { back: circular };
const deep = (levels: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
};
const hostile = new Proxy(
  {},
  {
    get: (_, key) => {
      throw new Error(`hands off ${String(key)}`);
    },
    ownKeys: () => {
      throw new Error('hands off');
    },
  },
);
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

/** Values that JSON can't store unchanged: name, value, and path in it. */
const UNSTORABLE: [string, unknown, string][] = [
  ['a NUL character', { a: { b: 'x\0y' } }, '.a.b'],
  ['a NUL in a key', { a: { 'x\0y': 1 } }, '.a["x\\u0000y"]'],
  ['a lone surrogate', { a: ['ok', '\ud83d'] }, '.a[1]'],
  ['a lone surrogate in a key', { '\udc00': 1 }, '["\\udc00"]'],
  ['a BigInt', { total: 5n }, '.total'],
  ['NaN', { total: Number.NaN }, '.total'],
  ['infinity', { list: [1, Number.POSITIVE_INFINITY] }, '.list[1]'],
  ['undefined in a list', { list: [undefined] }, '.list[0]'],
  ['a circular reference', circular, '.self.back'],
  ['100,000 levels', { a: deep(100_000) }, '.a[0][0]'],
  ['a function', { f: () => 1 }, '.f'],
  ['a symbol', { s: Symbol('s') }, '.s'],
  ['a Map', { m: new Map() }, '.m'],
  ['a promise', { p: Promise.resolve(1) }, '.p'],
  ['a getter that throws', Object.defineProperty({}, 'x', { enumerable: true, get: () => JSON.parse('{') }), '.x'],
  ['a hostile proxy inside', { a: hostile }, '.a'],
  ['a revoked proxy inside', { a: revoked() }, '.a'],
];

/** The functions that the handler calls. The context of a task contains the number of its function. */
const functions: (() => unknown)[] = [];
const running = shared.once(
  { a: { retry: { max_attempts: 2, backoff: 'none' } }, b: ['a'] },
  {
    handlers: [
      defineHandler('a', { inputs: { fn: 'fn' } }, ({ fn }) => functions[Number(fn)]!()),
      defineHandler('b', {}, ({ context }) => context.getDependencyResult('a')),
    ],
  },
);
/** A tasker for requests that are rejected. No test creates a task with it. */
const refusing = shared.once({ a: [] }, { worker: false, handlers: [] });

/** Runs one step with the handler `fn` until it ends. */
async function run(fn: () => unknown) {
  const { tasker, demo } = await running();
  const { taskUuid } = await tasker.createTask({ ...demo, context: { fn: functions.push(fn) - 1 } });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const [a, b] = await tasker.getSteps(taskUuid);
  return { status, a: a!, b: b!, error: a!.results?.error };
}

describe("a result that can't be stored unchanged fails its step permanently with an error that names the path", () => {
  it.each(UNSTORABLE)('a result with %s fails its step', async (_, value, path) => {
    const { status, a, error } = await run(() => value);
    expect(status).toBe('blocked_by_failures');
    expect(a).toMatchObject({ currentState: 'error', attempts: 1 });
    expect(error).toMatchObject({ error_type: 'permanent_error', retryable: false });
    expect(error!.message).toContain(`result${path}`);
  });

  it('a proxy that throws on every access fails its step', async () => {
    const { a, error } = await run(() => hostile);
    expect(a).toMatchObject({ currentState: 'error', attempts: 1 });
    expect(error!.message).toContain('hands off');
  });

  it('a result of more than 16 MiB fails its step', async () => {
    const { a, error } = await run(() => ({ text: 'x'.repeat(17 * 1024 * 1024) }));
    expect(a).toMatchObject({ currentState: 'error', attempts: 1 });
    expect(error!.message).toContain('is larger than 16777216 bytes');
  });
});

describe('a result is stored and passed on unchanged', () => {
  it('a result of 5 MB is stored unchanged', async () => {
    const value = { blob: 'ü'.repeat(2_500_000) };
    const { status, b } = await run(() => value);
    expect(status).toBe('complete');
    expect(b.results?.result).toEqual(value);
  });

  it.each<[string, unknown, unknown]>([
    [
      'keys that have a meaning elsewhere',
      { __proto__x: 1, script: 2, onclick: 3, eval: 4, constructor: 5 },
      undefined,
    ],
    ['a key named __proto__', JSON.parse('{"__proto__":{"a":1},"b":2}'), undefined],
    ['extreme numbers', { a: 5e-324, b: 1.7976931348623157e308, c: 2 ** 53 + 2, d: -1e21, e: 0.1 }, undefined],
    [
      'strings of every kind',
      { a: '\u0001\u001f\u007f\u2028\ufffe\ufeff', b: '👩‍👩‍👧', c: '\\u0000', d: '"' },
      undefined,
    ],
    ['empty values', { a: {}, b: [], c: '', d: null, '': 0 }, undefined],
    ['a date as a JSON string', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['an undefined property, which is omitted', { a: undefined, b: 1 }, { b: 1 }],
    ['an object with toJSON', { toJSON: () => ({ x: 1 }) }, { x: 1 }],
    [
      'a class instance as its properties',
      new (class Order {
        id = 7;
        total() {
          return 1;
        }
      })(),
      { id: 7 },
    ],
    ['499 levels', { a: deep(499) }, undefined],
  ])('a result with %s is stored', async (_, value, expected) => {
    const { status, a, b } = await run(() => value);
    expect(status).toBe('complete');
    expect(a.results?.result).toEqual(expected ?? value);
    expect(b.results?.result).toEqual(expected ?? value);
  });
});

describe('the other values that a handler returns or throws', () => {
  it('a failure with strings that PostgreSQL rejects is stored without them and still retried', async () => {
    let tries = 0;
    const { status, a } = await run(() => {
      if (++tries === 1) throw Object.assign(new Error('bad\0byte \ud83d'), { code: 'E\0X', metadata: { k: 'v\0' } });
      return {};
    });
    expect(status).toBe('complete');
    expect(a.attempts).toBe(2);
  });

  it.each<[string, () => unknown]>([
    ['message', () => StepHandlerResult.failure({ message: 'no\0\ud800' })],
    ['type and code', () => StepHandlerResult.failure({ message: 'no', errorType: 'a\0', errorCode: 'b\0' })],
    ['metadata', () => StepHandlerResult.failure({ message: 'no', metadata: { 'k\0': 1n, c: circular } })],
    ['metadata of 2 MB', () => StepHandlerResult.failure({ message: 'no', metadata: { x: 'x'.repeat(2_000_000) } })],
    ['a message of 2 MB', () => StepHandlerResult.failure({ message: 'no'.repeat(1_000_000) })],
    [
      'Retry-After',
      () =>
        new StepHandlerResult({
          success: false,
          errorMessage: 'no',
          orchestrationMetadata: { headers: JSON.parse('{"retry-after":{}}') },
        }),
    ],
    ['a message that is not a string', () => StepHandlerResult.failure(JSON.parse('{"message":{"a":1}}'))],
  ])('a failed result with unusable %s is still a retryable failure', async (_, make) => {
    const { status, a, error } = await run(make);
    expect(status).toBe('blocked_by_failures');
    expect(a).toMatchObject({ currentState: 'error', attempts: 2 });
    expect(error?.retryable).toBe(true);
  });

  it("metadata of a success that can't be stored is replaced by the reason, and the result is kept", async () => {
    const { status, a } = await run(() => StepHandlerResult.success({ ok: 1 }, { total: 5n }));
    expect(status).toBe('complete');
    expect(a.results).toMatchObject({
      result: { ok: 1 },
      metadata: { custom: { metadata_left_out: expect.stringContaining('total') } },
    });
  });

  it.each<[string, unknown, string]>([
    ['a string', 'out of paper', 'out of paper'],
    ['nothing', undefined, 'undefined was thrown'],
    ['a number', 404, '404 was thrown'],
    ['a hostile proxy', hostile, 'an unreadable value was thrown'],
    [
      'an error whose message throws',
      Object.defineProperty(new Error('x'), 'message', { get: () => JSON.parse('{') }),
      'without',
    ],
    ['a NUL in a string', 'a\0b', 'a\ufffdb'],
  ])('a handler that throws %s fails its step with a message', async (_, thrown, message) => {
    const { a, error } = await run(() => {
      throw thrown;
    });
    expect(a).toMatchObject({ currentState: 'error', attempts: 2 });
    expect(error?.message).toContain(message);
  });
});

describe("a task's context", () => {
  it.each(UNSTORABLE)('a context with %s is rejected with an error that names the path', async (_, value, path) => {
    const { tasker, demo } = await refusing();
    const refused = tasker.createTask({ ...demo, context: value as Record<string, unknown> });
    await expect(refused).rejects.toMatchObject({ code: 'invalid_context' });
    await expect(refused).rejects.toThrow(`context${path}`);
  });

  it.each<[string, unknown, string]>([
    ['an array', [], 'context must be an object'],
    ['a string', 'x', 'context must be an object'],
    [
      'more than 1 MB',
      { a: Array.from({ length: 200 }, () => 'x'.repeat(9_000)) },
      'context: it is larger than 1048576',
    ],
    ['11 levels', { a: deep(10) }, 'context.a[0][0][0][0][0][0][0][0][0] is nested deeper than 10 levels'],
    [
      '1001 keys',
      { a: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, 1])) },
      'context.a has 1001 keys',
    ],
    ['1001 items', { a: Array.from({ length: 1001 }, () => 1) }, 'context.a has 1001 items'],
    ['a long string', { a: { b: 'x'.repeat(10_001) } }, 'context.a.b has 10001 characters'],
    ['too much behind a toJSON', { a: { toJSON: () => deep(20) } }, 'is nested deeper than 10 levels'],
    ['a hostile proxy', hostile, 'hands off'],
    ['a revoked proxy', revoked(), 'context'],
  ])('a context of %s is rejected', async (_, value, message) => {
    const { tasker, demo } = await refusing();
    const refused = tasker.createTask({ ...demo, context: value as Record<string, unknown> });
    await expect(refused).rejects.toBeInstanceOf(TaskerError);
    await expect(refused).rejects.toMatchObject({ code: 'invalid_context', message: expect.stringContaining(message) });
    expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
  });

  it('a context of any contents is returned unchanged', async () => {
    const seen = new Map<string, unknown>();
    const { tasker, demo } = await shared.setup(
      { a: [] },
      {
        handlers: [defineHandler('a', {}, ({ context }) => void seen.set(context.taskUuid, context.inputData))],
      },
    );
    const text = fc.string({ unit: 'binary' }).filter((t) => !t.includes('\0') && t.isWellFormed());
    const value = fc.jsonValue({ maxDepth: 5 });
    const storable = fc
      .dictionary(text, value, { maxKeys: 20 })
      .filter((context) => !/\\u(0000|d[89a-f])/i.test(JSON.stringify(context)));
    const contexts = fc.sample(storable, 300);
    const handles = await tasker.createTasks(contexts.map((context) => ({ ...demo, context })));
    await Promise.all(handles.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
    for (const [i, { taskUuid }] of handles.entries()) {
      const expected: unknown = JSON.parse(JSON.stringify(contexts[i]));
      expect((await tasker.getTask(taskUuid)).context).toEqual(expected);
      expect(seen.get(taskUuid)).toEqual(expected);
    }
  });
});

describe('the other fields of a request', () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    ['a NUL in the reason', { reason: 'a\0b' }, 'bad_request', 'reason'],
    ['a lone surrogate in the initiator', { initiator: '\ud800' }, 'bad_request', 'initiator'],
    ['129 characters of source', { sourceSystem: 'x'.repeat(129) }, 'bad_request', 'sourceSystem'],
    ['a number as key', { idempotencyKey: 7 }, 'bad_request', 'idempotencyKey'],
    ['a tag with a lone surrogate', { tags: ['\udfff'] }, 'bad_request', 'tags'],
    ['a tag that is not a string', { tags: [1] }, 'bad_request', 'tags'],
    ['tags that are not a list', { tags: 'urgent' }, 'bad_request', 'tags'],
    ['a priority of 101', { priority: 101 }, 'bad_request', 'priority'],
    ['a priority of 1.5', { priority: 1.5 }, 'bad_request', 'priority'],
    ['an invalid correlation id', { correlationId: 'x' }, 'invalid_uuid', 'correlationId'],
    ['a name with NUL', { name: 'a\0' }, 'bad_request', 'name'],
    ['a version that is a number', { version: 1 }, 'bad_request', 'version'],
    ['no name', { name: '' }, 'bad_request', 'name'],
    ['an unknown version', { version: '9.9.9' }, 'template_not_found', 'there is'],
  ])('a request with %s is rejected', async (_, request, code, message) => {
    const { tasker, demo } = await refusing();
    await expect(tasker.createTask({ ...demo, ...request })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('valid fields are stored unchanged', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const given = {
      initiator: 'Zoë 🚀',
      sourceSystem: "o'brien",
      reason: '{"a":1}',
      tags: ['a,b', '{}', '"', 'NULL', ''],
      priority: -100,
      correlationId: '01a212f4-5a38-7090-909f-2af0a720ede0',
      parentCorrelationId: '01a212f4-5a38-7090-909f-2af0a720ede1',
    };
    const { taskUuid } = await tasker.createTask({ ...demo, ...given });
    expect(await tasker.getTask(taskUuid)).toMatchObject(given);
  });

  it("fields of an operator that PostgreSQL can't store are rejected", async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    await expect(tasker.cancelTask(taskUuid, { reason: 'a\0' })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(tasker.resolveStep(taskUuid, 'a', { actor: '\ud800' })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(tasker.completeStep(taskUuid, 'a', { result: { a: [1n] } })).rejects.toMatchObject({
      code: 'result_not_storable',
      message: expect.stringContaining('result.a[0]'),
    });
    expect((await tasker.getTask(taskUuid)).status).toBe('pending');
  });
});

it('the invariants of the database hold after all of these tests', () => invariants(shared.sql));

import { describe, expect, it } from 'vitest';
import type { TaskRequest } from '../../src/engine/create-task.ts';
import { TaskerError } from '../../src/errors.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
/** Nothing is created by these tests, so they share a namespace. */
const refusing = shared.once({ a: [] }, { worker: false });

const throws = () => {
  throw new RangeError('hands off');
};
const UUID = '01a212f4-5a38-7090-909f-2af0a720ede0';
/** Values that are invalid for every field of a request. */
const ODD: Record<string, () => unknown> = {
  'a symbol': () => Symbol('x'),
  'a BigInt': () => 7n,
  NaN: () => Number.NaN,
  true: () => true,
  'a function': () => () => 1,
  'a throwing toJSON': () => ({ toJSON: throws }),
  'an object that reads as a UUID': () => ({ toString: () => UUID, toJSON: () => UUID }),
  "an object that can't be converted to a string": () => ({ [Symbol.toPrimitive]: throws, toString: throws }),
  'a proxy that throws': () => new Proxy({}, { get: throws, ownKeys: throws, has: throws }),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a list of odd values': () => [Symbol('x'), 7n, undefined],
  'a list with holes': () => new Array(3),
  'a list whose items throw': () => Object.defineProperty([1], 0, { get: throws }),
  'U+0000': () => 'a\0b',
};
const FIELDS = [
  'name',
  'namespace',
  'version',
  'context',
  'priority',
  'idempotencyKey',
  'initiator',
  'sourceSystem',
  'reason',
  'tags',
  'correlationId',
  'parentCorrelationId',
  'traceparent',
] as const satisfies readonly (keyof TaskRequest)[];
const CODES = ['bad_request', 'invalid_uuid', 'invalid_context'];

/** Checks that createTask and createTasks throw a TaskerError that names the field, and create nothing. */
async function refused(odd: (demo: TaskRequest) => unknown, names: string) {
  const { tasker, demo } = await refusing();
  const request = odd(demo) as TaskRequest;
  for (const [attempt, message] of [
    [() => tasker.createTask(request), names],
    [() => tasker.createTasks([demo, request]), names],
  ] as const) {
    const error: unknown = await attempt().then(
      () => 'it was created',
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TaskerError);
    expect(CODES).toContain((error as TaskerError).code);
    expect((error as TaskerError).message).toContain(message);
  }
  expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
}

describe.each(FIELDS)('%s of a request', (field) => {
  it.each(Object.entries(ODD))('a field that is %s is rejected with a TaskerError that names it', async (_, odd) => {
    await refused((demo) => ({ ...demo, [field]: odd() }), field);
  });

  it('is rejected with a TaskerError that names it if reading it throws', async () => {
    await refused((demo) => Object.defineProperty({ ...demo }, field, { get: throws }), field);
  });
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a string', 'demo'],
  ['a symbol', Symbol('x')],
  ['a proxy that throws', new Proxy({}, { get: throws })],
  ['an empty object', {}],
])('a request that is %s is rejected with a TaskerError', async (_, odd) => {
  await refused(() => odd, 'name');
});

it('requests that are not an array, and unknown values of onDuplicate, are rejected with a TaskerError', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  for (const odd of [undefined, null, demo, 'demo', new Set([demo]), ODD['a revoked proxy']!(), new Array(2)]) {
    await expect(tasker.createTasks(odd as never)).rejects.toMatchObject({ code: 'bad_request' });
  }
  for (const odd of [{ onDuplicate: 'ignore' }, { onDuplicate: Symbol('x') }, new Proxy({}, { get: throws })]) {
    await expect(tasker.createTask(demo, odd as never)).rejects.toMatchObject({ code: 'bad_request' });
  }
  expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
});

it('unknown fields and options are rejected with similar names, and nothing is created', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  const refused = (field: object, message: string, options?: object) =>
    expect(tasker.createTasks([demo, { ...demo, ...field }] as never, options as never)).rejects.toMatchObject({
      code: 'bad_request',
      message,
    });
  await refused(
    { idempotency_key: 'k' },
    'the request number 2 of a task: unknown field "idempotency_key"; did you mean idempotencyKey?',
  );
  await refused({ contxt: {} }, 'the request number 2 of a task: unknown field "contxt"; did you mean context?');
  await refused(
    { color: 'red' },
    expect.stringMatching(/unknown field "color"; the fields are name, namespace, version/),
  );
  await refused({}, 'the options of createTask: unknown field "onDuplicat"; did you mean onDuplicate?', {
    onDuplicat: 'return',
  });
  expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
});

it('a request is read when it is passed, and may have getters of a class', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  class Order {
    readonly name = demo.name;
    readonly namespace = demo.namespace;
    readonly tags = ['a'];
    get reason() {
      return 'from a getter';
    }
  }
  const request = new Order();
  const creating = tasker.createTask(request, null as never);
  request.tags[0] = 7 as never;
  const { taskUuid } = await creating;
  expect(await tasker.getTask(taskUuid)).toMatchObject({ tags: ['a'], reason: 'from a getter' });
});

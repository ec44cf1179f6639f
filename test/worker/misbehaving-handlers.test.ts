// biome-ignore-all lint/suspicious/noThenProperty: the tests use thenables
import { describe, expect, it } from 'vitest';
import type { HandlerSource } from '../../src/app/project/handler-folders.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandler, StepHandlerResult } from '../../src/handlers/step-handler.ts';

import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { invariants } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

/** A handler class as users write it in JavaScript, without type checks on what it returns. */
const classOf = (call: () => unknown) =>
  class Odd extends StepHandler {
    static override readonly handlerName = 'a';
    override call() {
      return call() as StepHandlerResult;
    }
  };

/** Runs one step until it ends, next to another step that must not be affected. */
async function run(handlers: HandlerSource, step: Record<string, unknown> = {}) {
  const registry = handlers instanceof HandlerRegistry ? handlers : new HandlerRegistry();
  if (typeof handlers === 'function') registry.register(handlers);
  registry.register(defineHandler('neighbor', {}, () => ({})));
  const steps = { a: { retry: { max_attempts: 2, backoff: 'none' }, ...step }, neighbor: [] };
  const { tasker, demo } = await shared.setup(steps, { handlers: registry });
  const { taskUuid } = await tasker.createTask(demo);
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const [a, neighbor] = await tasker.getSteps(taskUuid);
  expect(neighbor!.currentState).toBe('complete');
  expect(tasker.stats).toMatchObject({ running: 0, unrecorded: 0 });
  return { status, a: a!, results: a!.results, error: a!.results?.error };
}

it('only the first callback of a thenable determines the outcome', async () => {
  const twice = {
    then(yes: (value: unknown) => void, no: (reason: unknown) => void) {
      yes({ n: 1 });
      yes({ n: 2 });
      no(new Error('and fails'));
    },
  };
  const { status, results } = await run(classOf(() => twice));
  expect(status).toBe('complete');
  expect(results?.result).toEqual({ n: 1 });
});

describe('an error of a handler', () => {
  it.each<[string, unknown, number]>([
    ['a thrown error with retryable: false is not retried', Object.assign(new Error('x'), { retryable: false }), 1],
    ['a thrown error with retryable: true is retried', Object.assign(new Error('x'), { retryable: true }), 2],
    ['a thrown plain object with retryable: false is not retried', { message: 'x', retryable: false }, 1],
    [
      'a thrown error whose retryable is not a boolean is retried',
      Object.assign(new Error('x'), { retryable: 'no' }),
      2,
    ],
  ])('%s', async (_, thrown, attempts) => {
    const { a } = await run(
      classOf(() => {
        throw thrown;
      }),
    );
    expect(a).toMatchObject({ currentState: 'error', attempts });
  });

  it('a failing constructor fails the step with an error that names the handler and the cause', async () => {
    class Broken extends StepHandler {
      static override readonly handlerName = 'a';
      readonly #url = new URL('no url');
      override call() {
        return this.success({ url: this.#url.href });
      }
    }
    const { a, error } = await run(Broken);
    expect(a.currentState).toBe('error');
    expect(error?.message).toMatch(/handler a could not be created: Invalid URL/);
  });

  it('a `version` getter that throws fails the step', async () => {
    class Odd extends StepHandler {
      static override readonly handlerName = 'a';
      override get version(): string {
        throw new Error('no version today');
      }
      override call() {
        return this.success({});
      }
    }
    const { a, error } = await run(Odd);
    expect(a.currentState).toBe('error');
    expect(error?.message).toBe('no version today');
  });
});

describe('a handler class', () => {
  it('an instance is created for each call, so that two concurrent steps share no fields', async () => {
    class Counter extends StepHandler {
      static override readonly handlerName = 'count';
      static override readonly handlerVersion = '2.3.4';
      calls = 0;
      override async call() {
        const before = ++this.calls;
        await new Promise((resolve) => setImmediate(resolve));
        return this.success({ before, after: this.calls }, { unit: 'calls' });
      }
    }
    const { tasker, demo } = await shared.setup(
      { a: { handler: 'count' }, b: { handler: 'count' }, c: { handler: 'count', dependencies: ['a'] } },
      { handlers: [Counter] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    for (const step of await tasker.getSteps(taskUuid)) {
      expect(step.results?.result).toEqual({ before: 1, after: 1 });
      expect(step.results?.metadata).toMatchObject({ handler_version: '2.3.4', custom: { unit: 'calls' } });
    }
  });

  class Order extends StepHandler {
    static override readonly handlerName = 'order';
    override call() {
      return this.success({ by: 'call' });
    }
    pack(context: { handlerName: string }) {
      return this.success({ by: 'pack', for: context.handlerName, self: this instanceof Order });
    }
  }

  it('the method that the template names is called', async () => {
    const { tasker, demo } = await shared.setup(
      { a: { handler: { callable: 'order', method: 'pack' } }, b: { handler: 'order' } },
      { handlers: [Order] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const [a, b] = await tasker.getSteps(taskUuid);
    expect(a!.results?.result).toEqual({ by: 'pack', for: 'order', self: true });
    expect(b!.results?.result).toEqual({ by: 'call' });
  });

  it('a missing method fails the step with an error that names the handler, the method and the existing methods', async () => {
    const registry = new HandlerRegistry();
    registry.register('order', Order);
    const { a, error } = await run(registry, { handler: { callable: 'order', method: 'pakc' } });
    expect(a.currentState).toBe('error');
    expect(error?.message).toMatch(/handler order has no method pakc; it has .*pack/);
  });
});

describe('schemas', () => {
  const order = {
    type: 'object',
    required: ['id', 'items'],
    properties: {
      id: { type: 'string' },
      at: { type: 'string', format: 'date-time' },
      items: {
        type: 'array',
        minItems: 1,
        items: { type: 'object', properties: { qty: { type: 'integer', minimum: 1 } } },
      },
    },
  };

  it("a context that does not match the template's input_schema is rejected with all violations", async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false, task: { input_schema: order } });
    const refused = tasker.createTask({ ...demo, context: { id: 7, items: [{ qty: 1 }, { qty: 0 }] } });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_context',
      details: {
        violations: [expect.objectContaining({ path: '/id' }), expect.objectContaining({ path: '/items/1/qty' })],
      },
    });
    await expect(refused).rejects.toThrow(/\/id must be string; \/items\/1\/qty must be >= 1/);
    await expect(tasker.createTask(demo)).rejects.toThrow(/input_schema: must have required property 'id'; must/);
    expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
  });

  it('a context is validated in its stored form, in which a Date is a string', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false, task: { input_schema: order } });
    const { taskUuid } = await tasker.createTask({ ...demo, context: { id: 'O-7', at: new Date(0), items: [{}] } });
    expect((await tasker.getTask(taskUuid)).context.at).toBe('1970-01-01T00:00:00.000Z');
  });

  const schema = { type: 'object', required: ['total'], properties: { total: { type: 'number', minimum: 0 } } };

  it('a result that does not match its schema fails the step permanently with an error that names the location', async () => {
    const { a, error } = await run(
      classOf(() => ({ total: -1 })),
      { result_schema: schema },
    );
    expect(a).toMatchObject({ currentState: 'error', attempts: 1 });
    expect(error).toMatchObject({ error_type: 'validation_error', retryable: false });
    expect(error?.message).toContain('/total must be >= 0');
  });

  it('a result that matches its schema is stored', async () => {
    const { a } = await run(
      classOf(() => ({ total: 3 })),
      { result_schema: schema },
    );
    expect(a.results).toMatchObject({ success: true, result: { total: 3 } });
  });

  it('a failure is not validated against the schema of results', async () => {
    const { a, error } = await run(
      classOf(() => StepHandlerResult.failure('no')),
      { result_schema: schema },
    );
    expect(a.attempts).toBe(2);
    expect(error?.error_type).toBe('handler_error');
  });
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));

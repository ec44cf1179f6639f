import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler } from '../../src/handlers/step-handler.ts';
import {
  Decision,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  StepHandlerResult,
} from '../../src/index.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import type { MethodDispatchWrapper } from '../../src/registry/method-dispatch.ts';
import { createTestContext } from '../../src/testing/index.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';

class Payment extends StepHandler {
  static override readonly handlerName: string = 'payment';
  count = 0;
  call() {
    this.count += 1;
    return this.success({ count: this.count });
  }
  refund(context: StepContext) {
    return this.success({ refunded: context.getInput('id'), by: this.name });
  }
}

const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', inputData: { id: 'P-1' } });
const greet = defineHandler('greet', {}, () => 'hello');

describe('the registry', () => {
  it.each(['tasker.timer', 'tasker.signal', 'tasker.approval'])('rejects a handler named %s', (name) => {
    const registry = new HandlerRegistry();
    const refusal = `handler ${name}: this name is reserved for steps that wait, which need no handler; choose another name`;
    expect(() => registry.register(name, Payment)).toThrow(refusal);
    expect(() => registry.registerFactory(name, () => new Payment())).toThrow(refusal);
    expect(registry.listHandlers()).toEqual([]);
  });

  it('finds registered handlers by name', async () => {
    const registry = new HandlerRegistry();
    registry.register('process_payment', Payment);
    registry.register(Payment);
    registry.register(greet);
    registry.registerFactory('made', () => new Payment());
    expect(registry.listHandlers()).toEqual(['greet', 'made', 'payment', 'process_payment']);
    expect([registry.handlerCount(), registry.isRegistered('greet'), registry.unregister('greet')]).toEqual([
      4,
      true,
      true,
    ]);
    expect([registry.isRegistered('greet'), registry.unregister('greet')]).toEqual([false, false]);
    expect(await registry.resolve('greet')).toBeNull();
    registry.clear();
    expect(registry.handlerCount()).toBe(0);
  });

  it('creates an instance of a class each time, and shares handlers without state', async () => {
    const registry = new HandlerRegistry();
    registry.register(Payment);
    registry.register(greet);
    const [one, two] = [await registry.resolve('payment'), await registry.resolve('payment')];
    expect(one).not.toBe(two);
    expect([(await one!.call(context)).result, (await two!.call(context)).result]).toEqual([
      { count: 1 },
      { count: 1 },
    ]);
    expect(registry.resolveSync('greet')).toBe(registry.resolveSync('greet'));

    const instance = new Payment();
    registry.register('instance', instance);
    expect(registry.resolveSync('instance')).toBe(instance);
  });

  it('accepts an instance from another copy of the package, or without a class', async () => {
    const registry = new HandlerRegistry();
    const foreign = {
      name: 'foreign',
      version: '1',
      capabilities: [],
      configSchema: () => null,
      call: () => new Payment().call(),
    };
    registry.register(foreign);
    class Duck {
      static handlerName = 'duck';
      name = 'duck';
      version = '1';
      capabilities = [];
      configSchema = () => null;
      call() {
        return new Payment().call();
      }
    }
    registry.register(Duck);
    expect(registry.listHandlers()).toEqual(['duck', 'foreign']);
  });

  it('accepts a class whose call is a field', async () => {
    class Field extends StepHandler {
      static override readonly handlerName = 'field';
      declare call: StepHandler['call'];
      constructor() {
        super();
        Object.assign(this, { call: () => this.success({ field: true }) });
      }
    }
    const registry = new HandlerRegistry();
    registry.register(Field);
    expect((await registry.resolveSync('field')!.call(context)).result).toEqual({ field: true });
  });

  it('replaces a handler of the same name with a warning, and logs nothing if it is the same handler', () => {
    const { logger, lines } = collectingLogger();
    const registry = new HandlerRegistry({ logger });
    registry.register('payment', Payment);
    registry.register(Payment);
    expect(lines).toEqual([]);
    registry.register('payment', class extends Payment {});
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'handler already registered; replacing it',
        fields: { handler: 'payment' },
      },
    ]);
  });

  it('has one shared instance for the process, and programs can create others', () => {
    expect(HandlerRegistry.instance()).toBe(HandlerRegistry.instance());
    const other = new HandlerRegistry();
    other.register(Payment);
    expect(HandlerRegistry.instance().isRegistered('payment')).toBe(false);
  });
});

describe('a method that a template names for a handler defined by a function', () => {
  const kinds = {
    defineHandler: defineHandler('x', {}, () => ({ by: 'its function' })),
    defineDecisionHandler: defineDecisionHandler('x', {}, () => Decision.skip('nothing to do')),
    defineBatchAnalyzer: defineBatchAnalyzer('x', {}, () => ({ totalItems: 0, batchSize: 1 })),
    defineBatchWorker: defineBatchWorker('x', {}, () => ({ itemsProcessed: 1 })),
    defineApiHandler: defineApiHandler('x', { baseUrl: '' }, () => ({ by: 'its function' })),
  };

  it.each(Object.entries(kinds))('falls back to that function: %s', async (_, handler) => {
    const registry = new HandlerRegistry();
    registry.register('a_class', handler);
    registry.register('an_instance', new handler());
    registry.registerFactory('a_factory', () => new handler());
    const context = createTestContext();
    for (const callable of registry.listHandlers()) {
      // `get` and `post` are methods of defineApiHandler instances, but not the work of a step.
      for (const method of ['refund', 'get', 'post', 'success', 'constructor']) {
        const found = (await registry.resolve({ callable, method }))!;
        expect(await found.call(context)).toMatchObject({ success: true });
        expect(await registry.resolveSync({ callable, method })!.call(context)).toMatchObject({ success: true });
      }
    }
  });

  it('is called if a class extends the function handler and has the method', async () => {
    class Refunding extends kinds.defineHandler {
      refund() {
        return StepHandlerResult.success({ by: 'refund' });
      }
    }
    const registry = new HandlerRegistry();
    registry.register('x', Refunding);
    const found = await registry.resolve({ callable: 'x', method: 'refund' });
    expect(await found!.call(createTestContext())).toMatchObject({ result: { by: 'refund' } });
    await expect(registry.resolve({ callable: 'x', method: 'refnd' })).rejects.toThrow('has no method refnd');
  });
});

describe('method dispatch', () => {
  it('calls the method named in the template', async () => {
    const registry = new HandlerRegistry();
    registry.register(Payment);
    const handler = await registry.resolve({ callable: 'payment', method: 'refund', initialization: {} });
    expect((await handler!.call(context)).result).toEqual({ refunded: 'P-1', by: 'payment' });
    expect([handler!.name, handler!.version, handler!.capabilities, handler!.configSchema()]).toEqual([
      'payment',
      '1.0.0',
      ['process'],
      null,
    ]);
    expect((handler as MethodDispatchWrapper).unwrap()).toBeInstanceOf(Payment);
    expect(await registry.resolve({ callable: 'payment', method: null })).toBeInstanceOf(Payment);
    expect(await registry.resolve({ callable: 'payment', method: 'call' })).toBeInstanceOf(Payment);
    expect(await registry.resolve({ callable: 'unknown', method: 'refund' })).toBeNull();
  });

  it.each(['refnd', 'constructor', 'toString', 'count', 'hasOwnProperty'])(
    'rejects %s, which is not a method that the handler class defines',
    (method) => {
      const registry = new HandlerRegistry();
      registry.register(Payment);
      expect(() => registry.resolveSync({ callable: 'payment', method })).toThrow(
        expect.objectContaining({
          code: 'handler_invalid',
          message: expect.stringContaining(`no method ${method}; it has call, refund`),
        }),
      );
    },
  );
});

describe('a value that is not a handler', () => {
  const registry = new HandlerRegistry();
  const register = registry.register.bind(registry) as (...args: unknown[]) => void;

  it.each([
    [['x', () => 1], 'handler x: an anonymous function is not a handler; '],
    [['x', function work() {}], 'handler x: the plain function work is not a handler; '],
    [['x', 'Payment'], 'handler x: the string "Payment" is not a handler; '],
    [['x', undefined], 'handler x: undefined is not a handler; '],
    [['x', { run: 1 }], 'handler x: an object without a call method is not a handler; '],
    [['x', StepHandler], 'handler x: the class StepHandler, which has no call method, is not a handler; '],
    [['process_payment'], 'the string "process_payment" is not a handler; '],
    [[class Nameless extends StepHandler { call() { return this.success(); } }], 'class Nameless has no handlerName; add one, or register it by name'], // biome-ignore format: one line
    [['', Payment], 'Handler name must be a non-empty string'],
    [[7, Payment], 'Handler name must be a non-empty string'],
  ])('is rejected and described: %j', (args, message) => {
    expect(() => register(...args)).toThrow(
      expect.objectContaining({ code: 'handler_invalid', message: expect.stringContaining(message) }),
    );
  });

  it('is rejected as a factory and as the result of a factory', () => {
    expect(() => registry.registerFactory('x', 'no' as never)).toThrow(
      'handler x: its factory must be a function, not the string "no"',
    );
    registry.registerFactory('bad', () => ({}) as never);
    expect(() => registry.resolveSync('bad')).toThrow('handler bad: an object without a call method is not a handler');
  });

  it('is reported with the cause if its constructor throws', async () => {
    class Broken extends Payment {
      constructor() {
        super();
        throw new Error('no configuration');
      }
    }
    registry.register('broken', Broken);
    await expect(registry.resolve('broken')).rejects.toMatchObject({
      code: 'handler_invalid',
      message: 'handler broken could not be created: no configuration',
      cause: expect.any(Error),
    });
  });
});

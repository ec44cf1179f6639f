import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { dependencyResult } from '../../src/handlers/dependency-result.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import type { StepContextParams } from '../../src/handlers/step-context-params.ts';
import { type StepHandlerClass, StepHandlerResult } from '../../src/handlers/step-handler.ts';

import { collectingLogger } from './collecting-logger.ts';

function run(handler: StepHandlerClass, params: Partial<StepContextParams> = {}) {
  return new handler().call(
    new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: handler.handlerName, ...params }),
  );
}

describe('a defined handler', () => {
  it('is a class with a name and a version, and an ordinary handler', () => {
    const handler = defineHandler('greet', { version: '2.0.0' }, () => null);
    expect([handler.handlerName, handler.handlerVersion, handler.name]).toEqual(['greet', '2.0.0', 'greet']);
    const instance = new handler();
    expect([instance.name, instance.version, instance.capabilities, instance.configSchema()]).toEqual([
      'greet',
      '2.0.0',
      ['process'],
      null,
    ]);
    expect(String(instance)).toBe('greet(name=greet, version=2.0.0)');
    expect(defineHandler('x', {}, () => null).handlerVersion).toBe('1.0.0');
  });

  it('receives its inputs, its dependencies, context, signal and logger', async () => {
    const { logger, lines } = collectingLogger();
    const handler = defineHandler(
      'ship',
      { inputs: { orderId: 'order_id', absent: 'absent' }, depends: { reserve: 'reserve_stock', none: 'none' } },
      async ({ orderId, absent, reserve, none, context, signal, logger: log }) => {
        log.info('packed');
        return {
          orderId,
          absent: absent === undefined,
          reserve,
          none,
          task: context.taskUuid,
          aborted: signal.aborted,
        };
      },
    );
    const dependencyResults = { reserve_stock: dependencyResult({ stepUuid: 's', result: { id: 'R-1' } }) };
    const signal = AbortSignal.abort();
    const result = await run(handler, { inputData: { order_id: 'O-7' }, dependencyResults, signal, logger });
    expect(result.result).toEqual({
      orderId: 'O-7',
      absent: true,
      reserve: { id: 'R-1' },
      none: null,
      task: 't',
      aborted: true,
    });
    expect(lines).toEqual([{ level: 'info', message: 'packed', fields: {} }]);
  });

  it('can have its own parameters named signal and logger', async () => {
    const handler = defineHandler('x', { inputs: { signal: 'signal', logger: z.string() } }, ({ signal, logger }) => [
      signal,
      logger,
    ]);
    expect((await run(handler, { inputData: { signal: 'green', logger: 'truck' } })).result).toEqual({
      result: ['green', 'truck'],
    });
  });

  it.each([
    [undefined, {}],
    [{ a: 1 }, { a: 1 }],
    [[1], { result: [1] }],
    [7, { result: 7 }],
  ])('turns a return value or a promise into a success: %j', async (returned, result) => {
    expect(await run(defineHandler('now', {}, () => returned))).toMatchObject({ success: true, result });
    expect(await run(defineHandler('later', {}, async () => returned))).toMatchObject({ success: true, result });
  });

  it('returns a result unchanged, and turns a thrown error or a rejection into a failure', async () => {
    const failure = StepHandlerResult.failure('declined', { retryable: false });
    expect(await run(defineHandler('x', {}, async () => failure))).toBe(failure);
    const fail = (): never => {
      throw new PermanentError('gone');
    };
    const expected = { success: false, errorMessage: 'gone', errorType: 'permanent_error', retryable: false };
    expect(await run(defineHandler('now', {}, fail))).toMatchObject(expected);
    expect(await run(defineHandler('later', {}, async () => fail()))).toMatchObject(expected);
  });
});

describe('schemas', () => {
  const Cart = z.object({ total: z.number(), items: z.array(z.object({ price: z.number() })) });

  it('determine the values of the arguments', async () => {
    const handler = defineHandler(
      'charge',
      {
        inputs: { amount: z.coerce.number(), currency: { key: 'cur', schema: z.string().default('EUR') } },
        depends: { cart: ['price_cart', Cart], stock: { step: 'check_stock', schema: z.object({ left: z.number() }) } },
      },
      ({ amount, currency, cart, stock }) => ({ amount, currency, total: cart.total, left: stock.left }),
    );
    const dependencyResults = { price_cart: { total: 3, items: [], extra: 1 }, check_stock: { left: 2 } };
    expect((await run(handler, { inputData: { amount: '12' }, dependencyResults })).result).toEqual({
      amount: 12,
      currency: 'EUR',
      total: 3,
      left: 2,
    });
  });

  it('can be one schema for the whole context', async () => {
    const Order = z.looseObject({ order_id: z.string() });
    const handler = defineHandler('x', { inputs: Order }, (args) => [
      args.order_id,
      args.context instanceof StepContext,
    ]);
    const inputData = JSON.parse('{"order_id":"O-7","context":"mine","__proto__":{"a":1}}');
    expect((await run(handler, { inputData })).result).toEqual({ result: ['O-7', true] });
  });

  it('fail the step permanently, with the input or step and the path in the message', async () => {
    const handler = defineHandler('x', { inputs: { n: { key: 'count', schema: z.number() } }, depends: { cart: ['price_cart', Cart] } }, () => 1); // biome-ignore format: one line
    const bad = { total: 1, items: [{ price: 1 }, { price: 'x' }] };
    expect(await run(handler, { inputData: { count: 1 }, dependencyResults: { price_cart: bad } })).toMatchObject({
      success: false,
      errorType: 'validation_error',
      retryable: false,
      errorMessage: 'result of step price_cart: items.1.price: Invalid input: expected number, received string',
      metadata: { what: 'result of step price_cart', violations: [{ path: 'items.1.price' }] },
    });
    expect(await run(handler, { dependencyResults: { price_cart: { total: 1, items: [] } } })).toMatchObject({
      errorType: 'validation_error',
      errorMessage: 'input count: Invalid input: expected number, received undefined',
    });
  });

  it('can be asynchronous', async () => {
    const Known = z.string().refine(async (id) => id === 'O-7', 'is unknown');
    const handler = defineHandler('x', { inputs: { id: Known, other: 'other' } }, ({ id, other }) => ({ id, other }));
    expect((await run(handler, { inputData: { id: 'O-7', other: 1 } })).result).toEqual({ id: 'O-7', other: 1 });
    expect(await run(handler, { inputData: { id: 'O-8' } })).toMatchObject({
      errorMessage: 'input id: is unknown',
      retryable: false,
    });
  });
});

describe('an invalid definition', () => {
  const define = defineHandler as (name: unknown, options: unknown, fn: unknown) => unknown;

  it.each<[message: string, name: unknown, options: unknown, fn: unknown]>([
    ['handler : the name must be a non-empty string', '', {}, () => 1],
    ['handler x: the third argument must be a function, not undefined', 'x', {}, undefined],
    [
      'handler x: unknown option dependsOn; the options are inputs, depends, version, isolation',
      'x',
      { dependsOn: {} },
      () => 1,
    ],
    ['handler x: a parameter cannot be named context; choose another name', 'x', { inputs: { context: 'c' } }, () => 1],
    [
      'handler x: parameter a is in both inputs and depends; rename one',
      'x',
      { inputs: { a: 'a' }, depends: { a: 'a' } },
      () => 1,
    ],
    ['handler x: input a must be a key, a schema, or { key, schema }', 'x', { inputs: { a: 1 } }, () => 1],
    [
      'handler x: dependency a must be a step, [step, schema], or { step, schema }',
      'x',
      { depends: { a: ['s', 1] } },
      () => 1,
    ],
  ])('throws: %s', (message, name, options, fn) => {
    expect(() => define(name, options, fn)).toThrow(expect.objectContaining({ code: 'handler_invalid', message }));
  });
});

import pino from 'pino';
import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { dependencyResult } from '../../src/handlers/dependency-result.ts';
import type { FfiStepEvent } from '../../src/handlers/ffi-step-event.ts';
import { completeLater, notYet } from '../../src/handlers/later.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass, StepHandlerResult } from '../../src/handlers/step-handler.ts';

import type { Logger } from '../../src/logging/logger.ts';

test('arguments without a schema are unknown', () => {
  const handler = defineHandler('x', { inputs: { id: 'order_id' }, depends: { cart: 'price_cart' } }, async (args) => {
    expectTypeOf(args.id).toBeUnknown();
    expectTypeOf(args.cart).toBeUnknown();
    expectTypeOf(args.context).toEqualTypeOf<StepContext>();
    expectTypeOf(args.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(args.logger).toEqualTypeOf<Logger>();
  });
  expectTypeOf(handler).toExtend<StepHandlerClass>();
  const counts = defineHandler('y', {}, async () => ({ n: 1 }));
  expectTypeOf(counts.resultType).toEqualTypeOf<{ n: number } | undefined>();
});

test('arguments with a schema have its output type', () => {
  defineHandler(
    'x',
    {
      inputs: {
        amount: z.coerce.number(),
        at: { key: 'date', schema: z.string().transform((text) => new Date(text)) },
      },
      depends: {
        cart: ['price_cart', z.object({ total: z.number() })],
        stock: { step: 's', schema: z.array(z.string()) },
      },
    },
    ({ amount, at, cart, stock }) => {
      expectTypeOf(amount).toBeNumber();
      expectTypeOf(at).toEqualTypeOf<Date>();
      expectTypeOf(cart).toEqualTypeOf<{ total: number }>();
      expectTypeOf(stock).toEqualTypeOf<string[]>();
    },
  );
});

test('one schema for the whole context provides its keys as arguments', () => {
  defineHandler(
    'x',
    { inputs: z.object({ order_id: z.string() }), depends: { a: 'a' } },
    ({ order_id, a, context }) => {
      expectTypeOf(order_id).toBeString();
      expectTypeOf(a).toBeUnknown();
      expectTypeOf(context).toEqualTypeOf<StepContext>();
    },
  );
});

test('a misspelt parameter is a compile error', () => {
  // @ts-expect-error amout is not an input
  defineHandler('x', { inputs: { amount: 'amount' } }, ({ amout }) => amout);
  // @ts-expect-error amount is not an input
  defineHandler('x', {}, ({ amount }) => amount);
  // @ts-expect-error totl is not in the schema
  defineHandler('x', { depends: { cart: ['c', z.object({ total: z.number() })] } }, ({ cart }) => cart.totl);
  // @ts-expect-error there is no such option
  defineHandler('x', { dependsOn: {} }, () => 1);
  // @ts-expect-error a number is not a source
  defineHandler('x', { inputs: { amount: 1 } }, () => 1);
});

test("a user's parameter can be named signal", () => {
  defineHandler('x', { inputs: { signal: z.string() } }, ({ signal, logger }) => {
    expectTypeOf(signal).toBeString();
    expectTypeOf(logger).toEqualTypeOf<Logger>();
  });
});

test('a class without call does not compile, and a class with call is a handler class', () => {
  // @ts-expect-error call is missing
  class Without extends StepHandler {}
  class With extends StepHandler {
    static override handlerName = 'with';
    call(context: StepContext) {
      if (context.isRetry()) return this.failure('no', { retryable: false, retryAfter: 5 });
      return this.success({ total: context.getInput<number>('total') });
    }
  }
  class Later extends StepHandler {
    async call(): Promise<StepHandlerResult> {
      return this.failure('no', 'payment_error', false, { a: 1 }, 'E1');
    }
  }
  expectTypeOf<typeof With>().toExtend<StepHandlerClass>();
  expectTypeOf<typeof Later>().toExtend<StepHandlerClass>();
  expectTypeOf(Without).toBeConstructibleWith();
});

test('a result of a typed interface is accepted', () => {
  interface Receipt {
    id: string;
  }
  const receipt: Receipt = { id: 'R-1' };
  expectTypeOf(StepHandlerResult.success(receipt)).toEqualTypeOf<StepHandlerResult>();
  // @ts-expect-error a string is not a result
  StepHandlerResult.success('R-1');
  // @ts-expect-error retryabel is misspelt
  StepHandlerResult.failure('no', { retryabel: false });
});

test('the keys of a dependency can be read from its envelope', () => {
  const envelope = dependencyResult({ stepUuid: 's', result: { valid: true } });
  expectTypeOf(envelope.result.valid).toBeBoolean();
  expectTypeOf(envelope.valid).toBeUnknown();
});

test('the keys of an optional dependency can be read with a default', () => {
  const { dependencyResults } = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x' });
  const validation = dependencyResults.validate_order ?? {};
  expectTypeOf(validation.valid).toBeUnknown();
  expectTypeOf(validation.success).toEqualTypeOf<boolean | undefined>();
});

test('a step event has the fields of the event bridge', () => {
  expectTypeOf<FfiStepEvent['workflowStep']['attempts']>().toBeNumber();
  expectTypeOf<FfiStepEvent['stepDefinition']['handlerCallable']>().toBeString();
  expectTypeOf<FfiStepEvent['dependencyResults'][string]['result']>().toBeUnknown();
  expectTypeOf<FfiStepEvent['task']['context']>().toBeUnknown();
});

test('a pino logger is a logger', () => {
  expectTypeOf(pino()).toExtend<Logger>();
});

test('a handler may wait, with checked options', () => {
  defineHandler('x', {}, async ({ context }) => {
    expectTypeOf(await context.completionToken()).toBeString();
    return completeLater({ timeoutMs: 1, metadata: { job: 7 } });
  });
  expectTypeOf(completeLater()).toEqualTypeOf<StepHandlerResult>();
  expectTypeOf(notYet({ retryInMs: 5, checkpoint: ['any', { json: 1 }] })).toEqualTypeOf<StepHandlerResult>();
  // @ts-expect-error retryInMs is required
  notYet({});
  // @ts-expect-error a duration is a number of milliseconds
  completeLater({ timeoutMs: '5m' });
  // @ts-expect-error there is no such option
  notYet({ retryInMs: 5, attempts: 3 });

  class Poll extends StepHandler {
    static override readonly handlerName = 'poll';
    call() {
      return Math.random() > 0.5 ? this.notYet({ retryInMs: 5 }) : this.completeLater();
    }
  }
  expectTypeOf<ReturnType<Poll['call']>>().toEqualTypeOf<StepHandlerResult>();
});

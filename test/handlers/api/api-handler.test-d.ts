import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { type APICapable, APIMixin, ApiHandler } from '../../../src/handlers/api/api-mixin.ts';
import type { ApiResponse } from '../../../src/handlers/api/api-response.ts';
import { type ApiHandlerArgs, defineApiHandler } from '../../../src/handlers/api/define-api-handler.ts';
import type { StepContext } from '../../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass, type StepHandlerResult } from '../../../src/handlers/step-handler.ts';

import { withMixins } from '../../../src/handlers/with-mixins.ts';

test('a defined API handler has the arguments of defineHandler, and api', () => {
  const handler = defineApiHandler(
    'x',
    {
      baseUrl: 'https://api.example.com',
      inputs: { id: z.string(), raw: 'raw' },
      depends: { cart: ['price_cart', z.object({ total: z.number() })] },
    },
    ({ id, raw, cart, api, context, signal }) => {
      expectTypeOf(id).toBeString();
      expectTypeOf(raw).toBeUnknown();
      expectTypeOf(cart).toEqualTypeOf<{ total: number }>();
      expectTypeOf(api).toEqualTypeOf<APICapable>();
      expectTypeOf(context).toEqualTypeOf<StepContext>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      return api.get('/x', { params: { id } });
    },
  );
  expectTypeOf(handler).toExtend<StepHandlerClass>();
  expectTypeOf(handler.baseUrl).toBeString();
  expectTypeOf(new handler().get('/x')).toEqualTypeOf<Promise<ApiResponse>>();
  expectTypeOf(new handler().name).toBeString();
  expectTypeOf<ApiHandlerArgs['api']>().toEqualTypeOf<APICapable>();
});

test('one schema for the whole context provides its keys as arguments', () => {
  defineApiHandler('x', { baseUrl: '', inputs: z.object({ order_id: z.string() }) }, ({ order_id, api }) => {
    expectTypeOf(order_id).toBeString();
    expectTypeOf(api.post('/x', { json: { order_id } })).toEqualTypeOf<Promise<ApiResponse>>();
  });
});

test('invalid options are compile errors', () => {
  // @ts-expect-error the base URL is missing
  defineApiHandler('x', {}, () => 1);
  // @ts-expect-error amout is not among the inputs
  defineApiHandler('x', { baseUrl: '', inputs: { amount: 'amount' } }, ({ amout }) => amout);
  defineApiHandler('x', { baseUrl: '' }, ({ api }) => {
    // @ts-expect-error pass a body as body, json or form
    api.post('/x', { order_id: 7 });
    // @ts-expect-error a timeout is a number of milliseconds
    return api.post('/x', { timeout: '5s' });
  });
});

test('a handler class has the request methods, and can define its base URL as a field, a getter or a static field', () => {
  class Field extends ApiHandler {
    override baseUrl = 'https://api.example.com';
    override call(): StepHandlerResult {
      return this.success();
    }
  }
  class Getter extends withMixins(StepHandler, APIMixin) {
    override get baseUrl() {
      return 'https://api.example.com';
    }
    override async call(): Promise<StepHandlerResult> {
      const response = await this.delete('/x', { params: { a: 1 } });
      expectTypeOf(response).toEqualTypeOf<ApiResponse>();
      expectTypeOf(response.body).toBeUnknown();
      expectTypeOf(response.retryAfter).toEqualTypeOf<number | null>();
      return this.apiFailure({ response, message: 'no', retryable: false });
    }
  }
  class Static extends ApiHandler {
    static override handlerName = 'static';
    static override baseUrl = 'https://api.example.com';
    static override defaultHeaders = { accept: 'application/json' };
    override call(): StepHandlerResult {
      return this.success();
    }
  }
  expectTypeOf(new Field()).toExtend<APICapable>();
  expectTypeOf(new Getter()).toExtend<APICapable>();
  expectTypeOf(Static).toExtend<StepHandlerClass>();
});

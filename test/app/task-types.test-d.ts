import { expectTypeOf, it } from 'vitest';
import type { TaskTypes } from '../../src/app/known-tasks.ts';
import type { CheckedRequest, CheckedRequests, TaskRequestOf } from '../../src/app/task-types.ts';
import type { Tasker, TaskRequest } from '../../src/index.ts';

interface Order {
  id: string;
  lines: { sku: string }[];
  gift?: boolean;
}

/** Types in the form that `tasker generate types` writes. */
interface Types {
  'shop/order@2.0.0': { namespace: 'shop'; name: 'order'; version: '2.0.0'; active: false; context: { code: number } };
  'shop/order@2.1.0': { namespace: 'shop'; name: 'order'; version: '2.1.0'; active: true; context: Order };
  'shop/refund@2.0.0': {
    namespace: 'shop';
    name: 'refund';
    version: '2.0.0';
    active: true;
    context: { reason?: string };
  };
  'shop/bill@1.0.0': {
    namespace: 'shop';
    name: 'bill';
    version: '1.0.0';
    active: true;
    defaults: 'currency' | 'zone';
    context: { amount: number; currency: 'EUR' | 'USD' };
  };
  'default/hello@1.0.0': {
    namespace: 'default';
    name: 'hello';
    version: '1.0.0';
    active: true;
    context: Record<string, unknown>;
  };
  'default/any@1.0.0': { namespace: 'default'; name: 'any'; version: '1.0.0'; active: true; context: unknown };
}

declare function createTask<N extends string = string, S extends string = never, V extends string = never>(
  request: CheckedRequest<N, S, V, Types>,
): void;
declare function createTasks<N extends string = string, S extends string = never, V extends string = never>(
  requests: CheckedRequests<N, S, V, Types>,
): void;
declare function run<N extends string = string, S extends string = never, V extends string = never>(
  request?: CheckedRequest<N, S, V, Types, Partial<TaskRequest>>,
): void;
declare const tasker: Tasker;
declare const text: string;
declare const request: TaskRequest;

const order: Order = { id: 'O-7', lines: [{ sku: 's' }] };

it('a request for a known template requires its context', () => {
  createTask({ namespace: 'shop', name: 'order', context: order });
  createTask({ namespace: 'shop', name: 'order', context: { id: 'O-7', lines: [], gift: true }, tags: ['a'] });
  // @ts-expect-error: id is a string
  createTask({ namespace: 'shop', name: 'order', context: { id: 7, lines: [] } });
  // @ts-expect-error: no such key
  createTask({ namespace: 'shop', name: 'order', context: { ...order, gfit: true } });
  // @ts-expect-error: lines are missing
  createTask({ namespace: 'shop', name: 'order', context: { id: 'O-7' } });
  // @ts-expect-error: a misspelt option
  createTask({ namespace: 'shop', name: 'order', context: order, prioritiy: 3 });
});

it('a context may be omitted if an empty context is valid', () => {
  createTask({ name: 'hello' });
  createTask({ name: 'hello', context: { anything: 1 } });
  createTask({ name: 'any', context: { anything: 1 } });
  createTask({ namespace: 'shop', name: 'refund', version: '2.0.0' });
  // @ts-expect-error: an order requires its context
  createTask({ namespace: 'shop', name: 'order' });
});

it('a key with a default may be omitted', () => {
  createTask({ namespace: 'shop', name: 'bill', context: { amount: 3 } });
  createTask({ namespace: 'shop', name: 'bill', context: { amount: 3, currency: 'USD' } });
  // @ts-expect-error: amount has no default
  createTask({ namespace: 'shop', name: 'bill', context: { currency: 'USD' } });
  // @ts-expect-error: its type is still checked
  createTask({ namespace: 'shop', name: 'bill', context: { amount: 3, currency: 'GBP' } });
});

it('each version has its own context, and a request without a version has that of the active version', () => {
  createTask({ namespace: 'shop', name: 'order', version: '2.1.0', context: order });
  createTask({ namespace: 'shop', name: 'order', context: order });
  createTask({ namespace: 'shop', name: 'order', version: '2.0.0', context: { code: 3 } });
  createTask({ namespace: 'shop', name: 'refund' });
  // @ts-expect-error: the context of 2.0.0, which is not active
  createTask({ namespace: 'shop', name: 'order', context: { code: 3 } });
  // @ts-expect-error: the context of 2.1.0
  createTask({ namespace: 'shop', name: 'order', version: '2.0.0', context: order });
  // @ts-expect-error: no such version
  createTask({ namespace: 'shop', name: 'order', version: '3.0.0', context: order });
});

it('an unknown name or namespace is an error', () => {
  // @ts-expect-error: the name is order
  createTask({ namespace: 'shop', name: 'ordr', context: order });
  // @ts-expect-error: the namespace is shop
  createTask({ namespace: 'shp', name: 'order', context: order });
  // @ts-expect-error: the template is not in namespace default
  createTask({ name: 'order', context: order });
});

it('a name, namespace or version that is only a string is not checked', () => {
  createTask({ name: text, context: { a: 1 } });
  createTask({ namespace: text, name: 'order' });
  createTask({ namespace: 'shop', name: 'order', version: text });
  createTask({ name: 'new' as string, context: { a: 1 } });
  createTask(request);
  // @ts-expect-error: the rest of the request is checked
  createTask({ name: text, priority: 'high' });
  // @ts-expect-error: the name is missing
  createTask({ namespace: text });
});

it('each request of a batch is checked, but a batch with a dynamic request is not checked', () => {
  createTasks([{ name: 'hello' }, { namespace: 'shop', name: 'order', context: order }]);
  createTasks(
    [1, 2].map((code) => ({ namespace: 'shop', name: 'order', version: '2.0.0', context: { code } }) as const),
  );
  createTasks([]);
  createTasks([request]);
  createTasks([{ name: 'hello' }, { name: text, context: { a: 1 } }]);
  // @ts-expect-error: the second name is misspelt
  createTasks([{ name: 'hello' }, { namespace: 'shop', name: 'ordr', context: order }]);
  // @ts-expect-error: the second request has no context
  createTasks([{ name: 'hello' }, { namespace: 'shop', name: 'order' }]);
});

it('`run` of the test kit checks only requests with a name', () => {
  run();
  run({ context: { a: 1 } });
  run({ namespace: 'shop', name: 'order', context: order });
  // @ts-expect-error: an order requires its context
  run({ namespace: 'shop', name: 'order' });
});

it('TaskRequestOf is the type of a request for one template', () => {
  const bill: TaskRequestOf<'shop/bill@1.0.0', Types> = { namespace: 'shop', name: 'bill', context: { amount: 3 } };
  createTask(bill);
  expectTypeOf(bill.context.currency).toEqualTypeOf<'EUR' | 'USD' | undefined>();
});

it('without types, any request is accepted', () => {
  expectTypeOf<keyof TaskTypes>().toEqualTypeOf<never>();
  // A workflow has a method of this name, and must not be taken for a request.
  expectTypeOf<Parameters<Tasker['createTask']>[0]>().toEqualTypeOf<TaskRequest & { request?: never }>();
  expectTypeOf<Parameters<Tasker['createTasks']>[0]>().toEqualTypeOf<readonly TaskRequest[]>();
  const create = (name: string) => tasker.createTask({ name, context: { a: 1 } });
  expectTypeOf(create).returns.resolves.toHaveProperty('taskUuid');
});

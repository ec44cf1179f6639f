import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  defineHandler,
  type Json,
  type StartedTask,
  type StepContext,
  type Tasker,
  type UndoneError,
  untilTasksEnd,
  workflow,
} from '../../src/index.ts';
import type { TestTasker } from '../../src/testing/index.ts';

const input = z.object({ id: z.string(), total: z.number() });
const charge = defineHandler('charge', {}, async () => ({ id: 'C-1', at: new Date() }));
const fulfil = workflow('shop/fulfil@1.0.0', { input })
  .step('price', { run: async ({ input }) => ({ cents: Math.round(input.total * 100), when: new Date() }) })
  .step('charge', { after: ['price'], retry: { max_attempts: 5 }, run: charge })
  .step('approve', { after: ['price'], type: 'approval', approval: { title: 'Large order' } })
  .step('ship', {
    after: ['charge', 'approve'],
    run: ({ input, steps, signal }) => {
      expectTypeOf(input).toEqualTypeOf<{ id: string; total: number }>();
      expectTypeOf(steps.price).toEqualTypeOf<{ cents: number; when: string }>();
      expectTypeOf(steps.charge).toEqualTypeOf<{ id: string; at: string }>();
      expectTypeOf(steps.approve).toBeUnknown();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      return { no: `${steps.charge.id}-${steps.price.cents}` };
    },
  })
  .output(({ steps, input }) => ({ tracking: steps.ship.no, cents: steps.price.cents, of: input.id }));

test('types flow from the input through the results to the output', async () => {
  const tasker = null as unknown as Tasker;
  const run = () => tasker.run(fulfil, { id: 'A-1', total: 12 }, { timeoutMs: 1000 });
  expectTypeOf(run).returns.resolves.toEqualTypeOf<{ tracking: string; cents: number; of: string }>();
  expectTypeOf(fulfil.request).parameter(0).toEqualTypeOf<{ id: string; total: number }>();
  // @ts-expect-error the input lacks a key
  void (() => tasker.run(fulfil, { id: 'A-1' }));
  void (() => tasker.createTask(fulfil, { id: 'A-1', total: 12 }, { priority: 3, onDuplicate: 'return' }));
  // @ts-expect-error the input lacks a key
  void (() => tasker.createTask(fulfil, { id: 'A-1' }));
  // @ts-expect-error the input is missing
  void (() => tasker.createTask(fulfil));
  // @ts-expect-error these are options, not the input
  void (() => tasker.createTask(fulfil, { onDuplicate: 'return' }));
  // @ts-expect-error a misspelt option
  void (() => tasker.createTask(fulfil, { id: 'A-1', total: 12 }, { priorty: 3 }));
  const kit = null as unknown as TestTasker;
  void (() => kit.run(fulfil, { id: 'A-1', total: 12 }, { priority: 3, timeoutMs: 1000 }));
  // @ts-expect-error the input is missing
  void (() => kit.run(fulfil));
  // @ts-expect-error the input has a key of another type
  void (() => kit.run(fulfil, { id: 'A-1', total: '12' }));
  const without = workflow('shop/plain@1.0.0').step('a', { run: () => 1 });
  expectTypeOf(() => tasker.run(without, {})).returns.resolves.toBeUndefined();
});

test('the key of `unique` is a value of the input', () => {
  const of = (total: number) => ({ id: 'A-1', total });
  workflow('shop/sync@1.0.0', { input, unique: { key: ({ input }) => input.id, on_conflict: 'reject' } });
  workflow('shop/sync@1.0.0', { input, unique: { key: 'context.id' } });
  // @ts-expect-error the input has no such key
  workflow('shop/sync@1.0.0', { input, unique: { key: ({ input }) => input.customer } });
  // @ts-expect-error a key is a scalar
  workflow('shop/sync@1.0.0', { input, unique: { key: ({ input }) => of(input.total) } });
  // @ts-expect-error there is no such answer
  workflow('shop/sync@1.0.0', { input, unique: { key: 'context.id', on_conflict: 'wait' } });
});

test('startTask takes the input of a workflow, and any context for the name of a template', () => {
  const context = null as unknown as StepContext;
  const task = () => context.startTask(fulfil, { id: 'A-1', total: 12 }, { key: 'A-1', onCancel: 'abandon' });
  expectTypeOf(task).returns.resolves.toEqualTypeOf<StartedTask>();
  void (() => context.startTask('shop/fulfil', { anything: 1 }, { key: 'A-1' }));
  // @ts-expect-error the input lacks a key
  void (() => context.startTask(fulfil, { id: 'A-1' }, { key: 'A-1' }));
  // @ts-expect-error the input has a key of another type
  void (() => context.startTask(fulfil, { id: 'A-1', total: '12' }, { key: 'A-1' }));
  // @ts-expect-error the key is missing
  void (() => context.startTask(fulfil, { id: 'A-1', total: 12 }, {}));
  void (async () => untilTasksEnd([await task(), 'a task id'], { onFailure: 'continue', timeoutMs: 1000 }));
  // @ts-expect-error the start is not awaited
  void (() => untilTasksEnd([task()]));
  // @ts-expect-error an unknown effect
  void (async () => untilTasksEnd([await task()], { onFailure: 'ignore' }));
});

test('a result is certain only along an unbroken chain of steps that run after success', () => {
  const made = workflow('t/routes@1.0.0', { input })
    .step('price', { run: () => ({ cents: 1 }) })
    .step('charge', { after: ['price'], run: () => ({ id: 'C' }) })
    .step('approve', { after: ['price'], when: 'context.total > 1000', approval: { title: 'Large order' } })
    .step('ship', {
      after: ['charge', 'approve'],
      run_if: 'not_failed',
      run: ({ steps }) => {
        expectTypeOf(steps.charge).toEqualTypeOf<{ id: string } | undefined>();
        expectTypeOf(steps.price).toEqualTypeOf<{ cents: number } | undefined>();
        return { no: 7 };
      },
    })
    .step('bill', {
      after: ['ship'],
      run: ({ steps }) => {
        expectTypeOf(steps.ship).toEqualTypeOf<{ no: number }>();
        expectTypeOf(steps.charge).toEqualTypeOf<{ id: string } | undefined>();
        return {};
      },
    })
    .step('large', {
      after: ['charge'],
      when: 'context.total > 1000',
      run: ({ steps }) => {
        expectTypeOf(steps.charge).toEqualTypeOf<{ id: string }>();
        expectTypeOf(steps.price).toEqualTypeOf<{ cents: number }>();
        return { vip: true };
      },
    })
    .step('refund', { after: ['charge'], run_if: 'failed', run: () => ({ ok: true }) });
  made.output(({ steps }) => {
    expectTypeOf(steps.price).toEqualTypeOf<{ cents: number }>();
    // Its failure is handled, so the task can be complete without its result.
    expectTypeOf(steps.charge).toEqualTypeOf<{ id: string } | undefined>();
    expectTypeOf(steps.ship).toEqualTypeOf<{ no: number } | undefined>();
    expectTypeOf(steps.large).toEqualTypeOf<{ vip: boolean } | undefined>();
    return { cents: steps.price.cents, id: steps.charge?.id };
  });
  // @ts-expect-error `succeeded` is not one of the ends
  made.step('x', { after: ['charge'], run_if: 'succeeded', run: () => ({}) });
});

test('a misspelt step is an error of the compiler', () => {
  // @ts-expect-error there is no step pirce
  fulfil.step('a', { after: ['pirce'], run: () => ({}) });
  // @ts-expect-error `ship` is not before `b`
  fulfil.step('b', { after: ['charge'], run: ({ steps }) => ({ no: steps.ship }) });
  // @ts-expect-error a result does not have this key
  fulfil.step('c', { after: ['ship'], run: ({ steps }) => ({ no: steps.ship.tracking }) });
  // @ts-expect-error an option has no such name
  fulfil.step('d', { after: ['ship'], timeout_second: 3, run: () => ({}) });
  // @ts-expect-error the output names an unknown step
  fulfil.output(({ steps }) => ({ a: steps.shop }));
});

test('results are as JSON returns them', () => {
  const made = workflow('t/json@1.0.0')
    .step('list', { run: () => [1, 2] })
    .step('text', { run: () => 'x' })
    .step('nothing', { run: () => undefined })
    .step('class', { run: () => ({ at: new Date(), deep: [{ d: new Date() as Date | null, f: () => 1 }] }) })
    .step('mapped', {
      after: ['list'],
      inputs: { a: 'steps.list.result', b: 2 },
      run: ({ input, steps }) => {
        expectTypeOf(input).toEqualTypeOf<{ readonly a: unknown; readonly b: unknown }>();
        return { n: steps.list.result.length };
      },
    })
    .step('end', {
      after: ['mapped', 'text', 'nothing', 'class'],
      run: ({ steps }) => {
        expectTypeOf(steps.list).toEqualTypeOf<{ result: number[] }>();
        expectTypeOf(steps.text).toEqualTypeOf<{ result: string }>();
        expectTypeOf(steps.class).toEqualTypeOf<{ at: string; deep: { d: string | null }[] }>();
        return {};
      },
    });
  expectTypeOf(made).not.toBeAny();
  expectTypeOf<Json<{ a?: Date; b: [Date, 1]; c: unknown }>>().toEqualTypeOf<{
    a?: string;
    b: [string, 1];
    c: unknown;
  }>();
});

test('a result is certain only if no decision or batch decides about its step', () => {
  workflow('t/dynamic@1.0.0')
    .step('ask', { run: () => ({ n: 1 }) })
    .step('route', { type: 'decision', after: ['ask'], run: () => ({}) })
    .step('left', { after: ['route'], run: () => ({ l: 1 }) })
    .step('join', {
      type: 'deferred_convergence',
      after: ['left'],
      run: ({ steps }) => {
        expectTypeOf(steps.left).toEqualTypeOf<{ l: number } | undefined>();
        return { sum: 1 };
      },
    })
    .output(({ steps }) => {
      expectTypeOf(steps.ask).toEqualTypeOf<{ n: number }>();
      return { n: steps.ask.n, left: steps.left?.l };
    });
});

test('the results of the steps before a join may be undefined, and its own result is certain', () => {
  workflow('t/join@1.0.0')
    .step('start', { run: () => ({ s: 1 }) })
    .step('fast', { after: ['start'], run: () => ({ f: 1 }) })
    .step('slow', { after: ['start'], run: () => ({ w: 1 }) })
    .step('first', {
      after: ['fast', 'slow'],
      join: 'any',
      run: ({ steps }) => {
        expectTypeOf(steps.fast).toEqualTypeOf<{ f: number } | undefined>();
        return { by: steps.fast?.f ?? steps.slow?.w ?? 0 };
      },
    })
    .step('last', {
      after: ['first'],
      run: ({ steps }) => {
        expectTypeOf(steps.first).toEqualTypeOf<{ by: number }>();
        expectTypeOf(steps.slow).toEqualTypeOf<{ w: number } | undefined>();
        return { done: true };
      },
    })
    .output(({ steps }) => {
      expectTypeOf(steps.slow).toEqualTypeOf<{ w: number } | undefined>();
      expectTypeOf(steps.last).toEqualTypeOf<{ done: boolean }>();
      return { done: steps.last.done, slow: steps.slow?.w };
    });
});

test('a step that waits for several signals has a result for each of them, typed by the schemas', () => {
  const schemas = { paid: z.object({ amount: z.number() }) };
  const signals = workflow('t/signals@1.0.0')
    .step('pay', { signal: { names: ['paid', 'refused'], schemas, timeout: '7d' } })
    .step('plain', { signal: { name: 'plain' } })
    .step('late', {
      signal: { names: ['a'], timeout: '1d', on_timeout: 'complete', default: { name: 'late', n: 1 } },
    })
    .step('ship', {
      after: ['pay', 'plain', 'late'],
      run: ({ steps: { pay, plain, late } }) => {
        expectTypeOf(pay).toEqualTypeOf<
          { name: 'paid'; payload: { amount: number } } | { name: 'refused'; payload: unknown }
        >();
        if (pay.name === 'paid') expectTypeOf(pay.payload.amount).toEqualTypeOf<number>();
        expectTypeOf(plain).toBeUnknown();
        expectTypeOf(late).toEqualTypeOf<{ name: 'a'; payload: unknown } | { name: 'late'; n: 1 }>();
        // @ts-expect-error the payload of `refused` has no type
        return { no: pay.payload.amount };
      },
    });
  // @ts-expect-error a misspelt key of the signal
  signals.step('x', { signal: { names: ['a'], timeuot: '7d' } });
});

test('a child task has the types of its workflow', () => {
  const invoice = workflow('billing/invoice@1.0.0', {
    input: z.object({ id: z.string(), note: z.string().optional() }),
  })
    .step('number', { run: () => ({ no: 7, at: new Date() }) })
    .output(({ steps }) => ({ no: steps.number.no, at: steps.number.at }));
  const plain = workflow('billing/plain@1.0.0').step('sum', { run: () => ({ cents: 5 }) });
  workflow('shop/order@1.0.0', { input })
    .step('bill', { template: invoice, context: { id: 'context.id' } })
    .step('safe', { template: invoice, context: { id: 'context.id', note: '"late"' }, on_failure: 'continue' })
    .step('sum', { template: plain })
    .step('other', { template: 'billing/other', context: { any: 1 } })
    .step('end', {
      after: ['bill', 'safe', 'sum', 'other'],
      run: ({ steps }) => {
        expectTypeOf(steps.bill).toEqualTypeOf<{ no: number; at: string }>();
        expectTypeOf(steps.safe.output).toEqualTypeOf<{ no: number; at: string } | null>();
        expectTypeOf(steps.safe.task_uuid).toBeString();
        expectTypeOf(steps.sum).toEqualTypeOf<{ sum?: { cents: number } }>();
        expectTypeOf(steps.other).toBeUnknown();
      },
    });
  workflow('shop/wrong@1.0.0', { input })
    // @ts-expect-error the context of the child lacks a key
    .step('lacking', { template: invoice, context: {} })
    // @ts-expect-error the context of the child is missing
    .step('without', { template: invoice })
    // @ts-expect-error the child has no such key
    .step('misspelt', { template: invoice, context: { id: 'context.id', nte: '1' } });
});

test('the function of an undo has the result of its step, its input and the results before it', () => {
  workflow('shop/trip@1.0.0', { input })
    .step('price', { run: ({ input }) => ({ cents: input.total * 100 }) })
    .step('flight', {
      after: ['price'],
      run: async () => ({ booking: 'F-1', at: new Date() }),
      undo: {
        include: 'attempted',
        run: ({ result, error, input, steps }) => {
          expectTypeOf(result).toEqualTypeOf<{ booking: string; at: string } | null>();
          expectTypeOf(error).toEqualTypeOf<UndoneError | null>();
          expectTypeOf(input).toEqualTypeOf<{ id: string; total: number }>();
          expectTypeOf(steps.price).toEqualTypeOf<{ cents: number }>();
        },
      },
    })
    .step('hotel', { run: () => ({}), undo: { handler: { callable: 'shop.cancel_hotel' } } })
    // @ts-expect-error there is no such value
    .step('car', { run: () => ({}), undo: { include: 'all', run: () => ({}) } });
});

const pack = workflow('shop/pack@1.0.0', {
  input: z.object({ lines: z.array(z.object({ sku: z.string(), count: z.number() })) }),
})
  .step('reserve', { run: () => ({ shelf: 7 }) })
  .forEach('each_line', {
    after: ['reserve'],
    elements: ({ input }) => input.lines,
    key: ({ element }) => element.sku,
    on_element_failure: 'continue',
    steps: (line) =>
      line
        .step('label', {
          run: ({ element, index, input, steps, signal }) => {
            expectTypeOf(element).toEqualTypeOf<{ sku: string; count: number }>();
            expectTypeOf(index).toEqualTypeOf<number>();
            expectTypeOf(input.lines[0]!.count).toEqualTypeOf<number>();
            expectTypeOf(steps.reserve).toEqualTypeOf<{ shelf: number }>();
            expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
            return { code: `${index}-${element.sku}`, at: new Date() };
          },
        })
        .step('wrap', { after: ['label'], when: 'element.count > 1', run: () => ({ paper: true }) })
        .step('pack', {
          after: ['label'],
          inputs: { count: 'element.count' },
          run: ({ input, element, steps }) => {
            expectTypeOf(input).toEqualTypeOf<{ readonly count: unknown }>();
            expectTypeOf(element.sku).toEqualTypeOf<string>();
            expectTypeOf(steps.label).toEqualTypeOf<{ code: string; at: string }>();
            return { parcel: steps.label.code };
          },
        }),
    output: ({ steps, element }) => {
      expectTypeOf(element.sku).toEqualTypeOf<string>();
      expectTypeOf(steps.wrap).toEqualTypeOf<{ paper: boolean } | undefined>();
      return steps.pack.parcel;
    },
  })
  .step('ship', {
    after: ['each_line'],
    run: ({ steps }) => {
      expectTypeOf(steps.each_line.outputs).toEqualTypeOf<(string | null)[]>();
      expectTypeOf(steps.each_line.failures[0]!.key).toEqualTypeOf<string | null>();
      return { parcels: steps.each_line.outputs };
    },
  })
  .output(({ steps }) => ({ parcels: steps.ship.parcels, failed: steps.each_line.failed }));

test('the steps of elements know the element, the steps before them and those before the list', () => {
  const run = () => (null as unknown as Tasker).run(pack, { lines: [] });
  expectTypeOf(run).returns.resolves.toEqualTypeOf<{ parcels: (string | null)[]; failed: number }>();
});

test('a list of unknown elements, and mistakes in the steps of elements', () => {
  const begin = workflow('shop/any@1.0.0').step('a', { run: () => ({ list: [1, 2] }) });
  const each = begin.forEach('each', {
    after: ['a'],
    elements: 'steps.a.list',
    steps: (one) =>
      one.step('b', {
        run: ({ element }) => {
          expectTypeOf(element).toBeUnknown();
          return 1;
        },
      }),
  });
  const typed = begin.forEach('each', {
    after: ['a'],
    elements: ({ steps }) => steps.a.list,
    steps: (one) => one.step('b', { run: ({ element }) => element * 2 }),
  });
  const read = typed.step('c', { after: ['each'], run: ({ steps }) => steps.each.total });
  expectTypeOf(read).not.toBeAny();
  // @ts-expect-error there are no outputs, because no output is named
  void each.step('c', { after: ['each'], run: ({ steps }) => steps.each.outputs });
  // @ts-expect-error a step outside a list cannot come after a step of an element
  void each.step('c', { after: ['b'], run: () => 1 });
  void begin.forEach('each', {
    after: ['a'],
    elements: ({ steps }) => steps.a.list,
    // @ts-expect-error a step of an element cannot come after a step outside the list
    steps: (one) => one.step('b', { after: ['a'], run: () => 1 }),
  });
  void begin.forEach('each', {
    after: ['a'],
    // @ts-expect-error a number is not a list
    elements: ({ steps }) => steps.a.list.length,
    steps: (one) => one.step('b', { run: () => 1 }),
  });
});

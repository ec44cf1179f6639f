import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createTasker } from '../../src/app/create-tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { contentOf } from '../../src/template/content-of.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { workflow } from '../../src/workflow/workflow.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const charge = defineHandler('charge', { inputs: { cents: z.number() } }, ({ cents }) => ({ id: 'C-1', cents }));
const fulfil = workflow('wf/fulfil@1.0.0', {
  input: z.object({ id: z.string(), total: z.number() }),
  description: 'An order',
  identity_strategy: 'always_unique',
})
  .step('price', { run: async ({ input }) => ({ cents: Math.round(input.total * 100) }) })
  .step('charge', { after: ['price'], retry: { max_attempts: 5 }, inputs: { cents: 'steps.price.cents' }, run: charge })
  .step('ship-it', {
    after: ['charge'],
    run: ({ input, steps, signal, logger, context }) => {
      logger.info('shipping');
      return {
        no: `${input.id}-${steps.charge.cents}`,
        above: Object.keys(steps),
        aborted: signal.aborted,
        attempt: context.attempt,
      };
    },
  })
  .output(({ steps, input }) => ({ tracking: steps['ship-it'].no, above: steps['ship-it'].above, of: input.id }));

const message = (make: () => unknown) => {
  try {
    make();
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a workflow in TypeScript', () => {
  it('runs with its functions and handlers, and returns its output', async () => {
    const { another } = await shared.setup({ a: [] });
    const tasker = await another({ workflows: [fulfil] });
    expect(await tasker.run(fulfil, { id: 'A-1', total: 12 }, { timeoutMs: 20_000, tags: ['x'] })).toEqual({
      tracking: 'A-1-1200',
      above: ['price', 'charge'],
      of: 'A-1',
    });
    const { taskUuid } = await tasker.createTask(fulfil, { id: 'A-2', total: 1 }, { priority: 7 });
    const done = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(done).toMatchObject({ status: 'complete', priority: 7, output: { tracking: 'A-2-100' } });
    const steps = await tasker.getSteps(taskUuid);
    expect(steps.map(({ callable }) => callable)).toEqual(['wf.fulfil.price', 'charge', 'wf.fulfil.ship-it']);
    await expect(tasker.run(fulfil, { id: 'A-3' } as never)).rejects.toMatchObject({ code: 'invalid_context' });
  });

  it('a task of it is created with its input, and with the options of createTask', async () => {
    const { another } = await shared.setup({ a: [] });
    const tasker = await another({ workflows: [fulfil] });
    const input = { id: 'B-1', total: 1 };
    const first = await tasker.createTask(fulfil, input, { idempotencyKey: 'b' });
    const again = await tasker.createTask(fulfil, input, { idempotencyKey: 'b', onDuplicate: 'return' });
    expect(again).toMatchObject({ taskUuid: first.taskUuid, created: false });
    const { taskUuid } = await tasker.createTask({ ...fulfil.request(input), priority: 9 });
    expect(await tasker.getTask(taskUuid)).toMatchObject({ context: input, priority: 9 });
    const misspelt = { priorty: 1 } as object;
    await expect(tasker.createTask(fulfil, input, misspelt)).rejects.toThrow(
      /unknown field "priorty"; did you mean priority/,
    );
    await expect(tasker.createTask(fulfil, { id: 'B-2' } as never)).rejects.toMatchObject({ code: 'invalid_context' });
  });

  it('has conditions and routes, and an output that lacks what was skipped or failed', async () => {
    const routes = workflow('wf/routes@1.0.0', {
      input: z.object({ total: z.number(), broke: z.boolean() }),
      identity_strategy: 'always_unique',
    })
      .step('price', { run: ({ input }) => ({ cents: input.total * 100 }) })
      .step('charge', {
        after: ['price'],
        retry: { max_attempts: 1 },
        run: ({ input }) => {
          if (input.broke) throw new Error('no money');
          return { id: 'C-1' };
        },
      })
      .step('approve', {
        after: ['price'],
        when: 'context.total > 1000',
        approval: { title: 'Large order', timeout: '1h' },
      })
      .step('ship', {
        after: ['charge', 'approve'],
        run_if: 'not_failed',
        run: ({ steps }) => ({ of: steps.charge?.id ?? null, approved: steps.approve !== undefined }),
      })
      .step('sorry', { after: ['charge'], run_if: 'failed', run: ({ steps }) => ({ charge: steps.charge ?? 'none' }) })
      .output(({ steps }) => ({ cents: steps.price.cents, of: steps.ship?.of, sorry: steps.sorry?.charge }));
    expect(routes.template.steps.map(({ type }) => type)).toEqual([
      ...['standard', 'standard', 'approval', 'standard', 'standard'],
    ]);
    const { another } = await shared.setup({ a: [] });
    const tasker = await another({ workflows: [routes] });
    expect(await tasker.run(routes, { total: 12, broke: false }, { timeoutMs: 20_000 })).toEqual({
      cents: 1200,
      of: 'C-1',
      sorry: null,
    });
    expect(await tasker.run(routes, { total: 12, broke: true }, { timeoutMs: 20_000 })).toEqual({
      cents: 1200,
      of: null,
      sorry: 'none',
    });
  });

  it('has the same content as its YAML', () => {
    const { template, problems } = parseTemplate(fulfil.toYaml());
    expect(problems).toEqual([]);
    expect(contentOf(template!)).toEqual(contentOf(fulfil.template));
    expect(fulfil.toYaml()).toContain('tracking: steps["ship-it"].no');
    expect(fulfil.template.steps[1]!.retry.maxAttempts).toBe(5);
    expect(fulfil.template.inputSchema).toMatchObject({ required: ['id', 'total'] });
  });

  it('permits one open task for each key, which is a value of its input or an expression', () => {
    const input = z.object({ id: z.string() });
    const keyOf = (key: never) =>
      workflow('wf/sync@1.0.0', { input, unique: { key, on_conflict: 'reject' } }).step('load', { run: () => 1 });
    const named = workflow('wf/sync@1.0.0', { input, unique: { key: ({ input }) => input.id } }).step('load', {
      run: () => 1,
    });
    expect(named.template.unique).toEqual({ key: 'context.id', onConflict: 'return' });
    expect(keyOf('context.id + context.id' as never).template.unique).toEqual({
      key: 'context.id + context.id',
      onConflict: 'reject',
    });
    expect(() => keyOf((() => 'A-1') as never)).toThrow('unique.key is not a value of a step or of the input');
  });

  it('a step takes the first of several signals, whose payloads zod describes', async () => {
    const sold = workflow('wf/sold@1.0.0', { identity_strategy: 'always_unique' })
      .step('pay', {
        signal: {
          names: ['paid', 'refused'],
          schemas: { paid: z.object({ amount: z.number() }), refused: { type: 'string' } },
        },
      })
      .step('deposit', { after: ['pay'], signal: { name: 'deposit', schema: z.number() } })
      .step('ship', {
        after: ['pay', 'deposit'],
        run: ({ steps }) => ({ cents: steps.pay.name === 'paid' ? steps.pay.payload.amount : 0 }),
      })
      .output(({ steps }) => ({ by: steps.pay.name, cents: steps.ship.cents }));
    const { signal } = sold.template.steps[0]!;
    expect(signal!.schemas).toMatchObject({ paid: { required: ['amount'] }, refused: { type: 'string' } });
    expect(parseTemplate(sold.toYaml()).problems).toEqual([]);
    const { another } = await shared.setup({ a: [] });
    const tasker = await another({ workflows: [sold] });
    const { taskUuid } = await tasker.createTask(sold, {});
    await expect(tasker.signal(taskUuid, 'paid', { amount: '5' })).rejects.toMatchObject({ code: 'signal_refused' });
    await tasker.signal(taskUuid, 'paid', { amount: 5 });
    await expect(tasker.signal(taskUuid, 'deposit', 'x')).rejects.toMatchObject({ code: 'signal_refused' });
    await tasker.signal(taskUuid, 'deposit', 1);
    expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({
      output: { by: 'paid', cents: 5 },
    });
    const odd = { '~standard': { version: 1, vendor: 'odd', validate: () => ({ value: 1 }) } } as never;
    expect(message(() => workflow('wf/odd@1.0.0').step('a', { signal: { names: ['b'], schemas: { b: odd } } }))).toBe(
      'wf/odd: step a: the schema of odd in signal.schemas.b cannot be written as JSON Schema; use zod 4.2 or later, or write it as JSON Schema',
    );
  });

  it('a task that fails or has no output rejects, with the way to find out why', async () => {
    const fails = workflow('wf/fails@1.0.0').step('a', {
      retry: { max_attempts: 1 },
      run: () => {
        throw new Error('no');
      },
    });
    const empty = workflow('wf/empty@1.0.0')
      .step('a', { run: (): { b?: number } => ({}) })
      .output(({ steps }) => ({ b: steps.a.b }));
    const { another } = await shared.setup({ a: [] });
    const tasker = await another({ workflows: [fails, empty] });
    await expect(tasker.run(fails, {}, { timeoutMs: 20_000 })).rejects.toThrow(/blocked_by_failures; `tasker task why/);
    await expect(tasker.run(empty, {}, { timeoutMs: 20_000 })).rejects.toThrow(
      /is complete, but has no output: output\.b: steps\.a\.b does not exist/,
    );
  });

  it('its warnings are logged when a program starts, as for a template file', async () => {
    const hasty = workflow('wf/hasty@1.0.0').step('a', { retry: { backoff_base_ms: 5 }, run: () => ({}) });
    const says =
      /^wf\/hasty@1\.0\.0: steps\[0\]\.retry\.backoff_base_ms: warning: backoff_base_ms 5 in `retry` of step `a` is less/;
    expect(hasty.problems).toMatchObject([{ severity: 'warning', code: 'backoff_short' }]);
    const { another } = await shared.setup({ a: [] });
    const lines: unknown[] = [];
    const warn = (...line: unknown[]) => void lines.push(line[0]);
    await another({ workflows: [hasty], logger: { ...silentLogger, warn } });
    expect(lines).toContainEqual(expect.stringMatching(says));
  });

  it('a value of a step that a decision leaves out is null in the output', async () => {
    const routed = workflow('wf/routed@1.0.0')
      .step('ask', { run: () => ({ n: 1 }) })
      .step('route', {
        type: 'decision',
        after: ['ask'],
        run: () => ({ decision_point_outcome: { type: 'create_steps', step_names: ['left'] } }),
      })
      .step('left', { after: ['route'], run: () => ({ l: 1 }) })
      .step('right', { after: ['route'], run: () => ({ r: 1 }) })
      .output(({ steps }) => ({ n: steps.ask.n, left: steps.left?.l, right: steps.right?.r }));
    const { another } = await shared.setup({ a: [] });
    const tasker = await another({ workflows: [routed] });
    expect(await tasker.run(routed, {}, { timeoutMs: 20_000 })).toEqual({ n: 1, left: 1, right: null });
  });

  it('is not changed by its methods', () => {
    const first = workflow('wf/two@1.0.0').step('a', { run: () => ({}) });
    const second = first.step('b', { after: ['a'], run: () => ({}) });
    expect([first.template.steps.length, second.template.steps.length]).toEqual([1, 2]);
    expect([first.handlers.length, second.handlers.length]).toEqual([1, 2]);
  });

  it('refuses what a template file would be refused for, and names the place', () => {
    const one = workflow('wf/wrong@1.0.0').step('a', { run: () => ({}) });
    expect(message(() => workflow('wrong@1.0.0' as never))).toBe(
      'workflow "wrong@1.0.0" must be namespace/name@version, such as shop/fulfil@1.0.0',
    );
    expect(message(() => one.step('a', { run: () => ({}) }))).toBe('wf/wrong: step a exists twice; rename one of them');
    expect(message(() => one.step('b', { run: 3 as never }))).toBe(
      'wf/wrong: step b: run must be a function, or what defineHandler returns',
    );
    expect(message(() => one.step('b', { after: ['x' as never], run: () => ({}) }).template)).toMatch(
      /^wf\/wrong@1\.0\.0: .*unknown step `x` in `after` of `b`/,
    );
    expect(message(() => one.step('b', { inputs: { n: 'steps.a.' }, run: () => ({}) }).template)).toMatch(
      /`inputs.n` of step `b`/,
    );
    expect(message(() => one.step('b', { retyr: {}, run: () => ({}) } as never).template)).toMatch(
      /did you mean `retry`/,
    );
    expect(message(() => one.step('b', {}).template)).toMatch(/handler/);
    expect(message(() => one.output(() => ({ a: 1 })))).toMatch(/^output\.a is not a value of a step or of the input/);
    expect(message(() => one.output(({ steps }) => ({ a: `${(steps.a as { b?: string }).b}` })))).toMatch(
      /^output: steps\.a\.b is not known yet/,
    );
    expect(message(() => one.output(({ steps }) => steps.a))).toMatch(/^output: steps\.a is not known yet/);
    expect(message(() => one.output(({ steps }) => ({ ...steps.a })))).toMatch(/^output: steps\.a is not known yet/);
    const dated = z.object({ at: z.date() });
    expect(message(() => workflow('wf/dated@1.0.0', { input: dated }))).toMatch(/Date cannot be represented/);
    const foreign = { '~standard': { version: 1, vendor: 'other', validate: () => ({ value: {} }) } } as const;
    expect(message(() => workflow('wf/foreign@1.0.0', { input: foreign }))).toMatch(
      /the schema of other .* give input_schema/,
    );
  });

  it('two functions under one name are refused, and something else than a workflow', async () => {
    const other = workflow('wf/fulfil@2.0.0').step('price', { run: () => ({}) });
    const start = (options: object) => createTasker({ databaseUrl: 'postgres://127.0.0.1:1/x', ...options });
    const twice = /handler wf\.fulfil\.price is defined twice in this program/;
    await expect(start({ workflows: [fulfil, other] })).rejects.toThrow(twice);
    const taken = defineHandler('wf.fulfil.price', {}, () => ({}));
    await expect(start({ workflows: [fulfil], handlers: [taken] })).rejects.toThrow(twice);
    const registry = new HandlerRegistry();
    registry.register(taken);
    await expect(start({ workflows: [fulfil], handlers: registry })).rejects.toThrow(twice);
    await expect(start({ workflows: [{}] })).rejects.toThrow('workflows[0] must be a workflow');
  });
});

describe('a step with a workflow as its template', () => {
  it('starts a child task of that workflow, which is registered with it', async () => {
    const invoice = workflow('billing/invoice@1.0.0', { input: z.object({ cents: z.number() }) })
      .step('double', { run: ({ input }) => ({ cents: input.cents * 2 }) })
      .output(({ steps }) => ({ cents: steps.double.cents }));
    const order = workflow('shop/order@1.0.0', { input: z.object({ cents: z.number() }) })
      .step('bill', { template: invoice, context: { cents: 'context.cents + 1' } })
      .output(({ steps }) => ({ cents: steps.bill.cents }));
    const tasker = await createTasker({ databaseUrl: shared.url, workflows: [order], logger: silentLogger });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    expect(await tasker.run(order, { cents: 20 })).toEqual({ cents: 42 });
    expect(order.toYaml()).toContain('template: billing/invoice\n');
  });

  it('is the suggestion for its misspelt key, and no other error is reported', () => {
    const options = { templat: 'billing/invoice', context: { cents: 'context.cents' } };
    const order = workflow('shop/order@1.0.0').step('bill', options as never);
    expect(order.problems.map(({ message }) => message)).toEqual([
      'unknown key `templat` in step `bill`; did you mean `template`?',
    ]);
  });
});

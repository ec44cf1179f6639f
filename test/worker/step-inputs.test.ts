import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { setupBridge } from '../support/bridge.ts';
import { DEMO, RETRY_AT_ONCE, setup, template } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { threadHandlers } from '../support/thread-handlers.ts';

const shared = sharedDatabase();
type Setup = Parameters<typeof shared.setup>;

/** Runs a task, and returns its end, and the outcomes of its steps. */
async function run(
  steps: Setup[0],
  handlers: NonNullable<Setup[1]>['handlers'],
  {
    context = {},
    task = {},
    ...more
  }: { context?: Record<string, unknown>; task?: Record<string, unknown> } & Setup[1] = {},
) {
  const made = await shared.setup(steps, { handlers, task, ...more });
  const { taskUuid } = await made.tasker.createTask({ ...made.demo, context });
  const { status } = await made.tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
  const all = await made.tasker.getSteps(taskUuid);
  return {
    ...made,
    taskUuid,
    status,
    results: Object.fromEntries(all.map(({ name, results }) => [name, results?.result])),
    errors: Object.fromEntries(all.flatMap(({ name, results }) => (results?.error ? [[name, results.error]] : []))),
    attempts: Object.fromEntries(all.map(({ name, attempts }) => [name, attempts])),
  };
}

const price = defineHandler('price', {}, () => ({ net: 1000, tax: 190, lines: [{ sku: 'a', n: 2 }] }));
const pay = defineHandler(
  'pay',
  { inputs: { amount: z.number(), label: 'label', note: 'note' } },
  ({ amount, label, note, context }) => ({
    paid: amount,
    label,
    note,
    inputs: context.inputData,
    context: context.event.task.context,
  }),
);

describe('inputs of a step in its template', () => {
  it('one handler serves two steps, and reads the values of their expressions instead of the context', async () => {
    const { status, results } = await run(
      {
        price: [],
        net: {
          handler: 'pay',
          dependencies: ['price'],
          inputs: { amount: 'steps.price.net / 100', label: '"net of " + context.id', note: 'null' },
        },
        tax: {
          handler: 'pay',
          dependencies: ['price'],
          inputs: { amount: 'steps.price.tax', label: 'steps.price.lines.map(l, l.sku)', note: 'task.priority' },
        },
      },
      [price, pay],
      { context: { id: 'A-1', amount: 'not this' } },
    );
    expect(status).toBe('complete');
    expect(results.net).toMatchObject({ paid: 10, label: 'net of A-1', note: null });
    expect(results.tax).toMatchObject({ paid: 190, label: ['a'], note: 0 });
    expect((results.net as { inputs: unknown }).inputs).toEqual({ amount: 10, label: 'net of A-1', note: null });
    expect((results.net as { context: unknown }).context).toEqual({ id: 'A-1', amount: 'not this' });
  });

  it('can read what every expression knows about its task', async () => {
    const seen = defineHandler('seen', {}, ({ context }) => context.inputData);
    const { results, taskUuid, demo } = await run(
      {
        seen: {
          inputs: {
            task: '[task.uuid, task.namespace, task.name, task.version, task.correlation_id]',
            tags: 'task.tags',
            young: 'timestamp(task.created_at) > timestamp("2024-01-01T00:00:00Z")',
          },
        },
      },
      [seen],
    );
    expect(results.seen).toEqual({
      task: [taskUuid, demo.namespace, 'demo', '1.0.0', taskUuid],
      tags: [],
      young: true,
    });
  });

  it('a failing expression fails the step permanently, in one attempt, and names the key and the way out', async () => {
    const { status, errors, attempts } = await run(
      {
        price: [],
        pay: {
          dependencies: ['price'],
          retry: { max_attempts: 5, ...RETRY_AT_ONCE },
          inputs: { amount: 'steps.price.gross', label: '"x"', note: '"y"' },
        },
      },
      [price, pay],
    );
    expect(status).toBe('blocked_by_failures');
    expect(errors.pay).toMatchObject({
      error_type: 'expression_failed',
      retryable: false,
      message: 'step pay: inputs.amount: steps.price.gross does not exist; test it first with has(steps.price.gross)',
    });
    expect(attempts.pay).toBe(1);
  });

  it('are evaluated again at each start, with the results as they are then', async () => {
    let net: number | undefined;
    const late = defineHandler('price', {}, () => (net === undefined ? {} : { net }));
    const { tasker, taskUuid, errors } = await run(
      { price: [], pay: { dependencies: ['price'], inputs: { amount: 'steps.price.net', label: '1', note: '2' } } },
      [late, pay],
    );
    expect(errors.pay?.error_type).toBe('expression_failed');
    net = 12;
    await tasker.rerunTask(taskUuid, { from: 'price', actor: 'ada', reason: 'fixed' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'pay')).results?.result).toMatchObject({ paid: 12 });
  });

  it('a step that was resolved without a result, or never ran, is absent', async () => {
    const flaky = defineHandler('maybe', {}, () => {
      throw new Error('no');
    });
    const seen = defineHandler('seen', {}, ({ context }) => context.inputData);
    const { tasker, taskUuid } = await run(
      {
        maybe: { retry: { max_attempts: 1 } },
        seen: {
          dependencies: ['maybe'],
          inputs: { there: 'has(steps.maybe)', or: 'has(steps.maybe) ? steps.maybe.x : "none"' },
        },
      },
      [flaky, seen],
    );
    await tasker.resolveStep(taskUuid, 'maybe', { actor: 'ada', reason: 'by hand' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'seen')).results?.result).toEqual({ there: false, or: 'none' });
  });

  it('an input that the step does not have fails with a similar name, and is warned of at the start', async () => {
    const { logger, lines } = collectingLogger();
    const typo = defineHandler('typo', { inputs: { amount: { key: 'amuont', schema: z.number() } } }, () => ({}));
    const { errors } = await run({ typo: { inputs: { amount: '1' }, retry: { max_attempts: 1 } } }, [typo], { logger });
    const message = /input amuont is not among the inputs that its step has in .*; did you mean amount\?/;
    expect(errors.typo?.message).toMatch(message);
    expect(lines.map((line) => line.message).join('\n')).toMatch(message);
  });

  it('reach a handler in a thread', async () => {
    const { results } = await run(
      {
        before: { handler: 'describes' },
        describes: {
          dependencies: ['before'],
          handler: { callable: 'describes', isolation: 'thread' },
          inputs: { n: 'size(steps.before.names) + 42' },
        },
      },
      threadHandlers(),
    );
    expect(results.describes).toMatchObject({ n: 42, isMainThread: false });
  });

  it('reach a handler of a subscriber through the event', async () => {
    const seen: unknown[] = [];
    const { run: runBridge } = await setupBridge(
      shared,
      { first: [], second: { dependencies: ['first'], inputs: { twice: 'steps.first.n * 2' } } },
      {
        handlers: {
          first: defineHandler('first', {}, () => ({ n: 7 })),
          second: defineHandler('second', { inputs: { twice: 'twice' } }, ({ twice, context }) => {
            seen.push(twice, context.event.inputs, context.event.task.context);
            return {};
          }),
        },
      },
    );
    expect((await runBridge()).status).toBe('complete');
    expect(seen).toEqual([14, { twice: 14 }, {}]);
  });

  it('read results that are too large to be loaded with the step', async () => {
    const big = defineHandler('big', {}, ({ context }) => ({
      name: context.event.workflowStep.name,
      text: 'x'.repeat(3_000_000),
    }));
    const seen = defineHandler('seen', {}, ({ context }) => context.inputData);
    const names = ['a', 'b', 'c', 'd'];
    const { status, results } = await run(
      {
        ...Object.fromEntries(names.map((name) => [name, { handler: 'big' }])),
        seen: { dependencies: names, inputs: { names: '[steps.a.name, steps.d.name]', size: 'size(steps.b.text)' } },
      },
      [big, seen],
    );
    expect(status).toBe('complete');
    expect(results.seen).toEqual({ names: ['a', 'd'], size: 3_000_000 });
  });

  it('read the time of creation in the same form as the output of the task', async () => {
    const output = { at: 'task.created_at', seen: 'steps.seen.at' };
    const templates = [template({ seen: { inputs: { at: 'task.created_at' } } }, { output })];
    const { tasker, another, sql } = await setup({ templates });
    const { taskUuid } = await tasker.createTask(DEMO);
    await sql(`update tasker.task set created_at = '2026-01-02T03:04:05.12Z' where task_uuid = '${taskUuid}'`);
    await another({ handlers: [defineHandler('seen', {}, ({ context }) => context.inputData)] });
    const done = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const { createdAt } = done;
    expect(createdAt).toBe('2026-01-02T03:04:05.120000Z');
    expect(done.output).toEqual({ at: createdAt, seen: createdAt });
  });

  it('an expression of a template that was not checked fails its step or its output, and nothing else', async () => {
    const parsed = template({ seen: { inputs: { a: '1' } }, other: [] }, { name: 'unchecked', output: { b: '2' } });
    const [seen, other] = parsed.steps;
    const wrong = (name: string, inputs: Record<string, string>, output: Record<string, string>) => {
      return { ...parsed, name, output, steps: [{ ...seen!, inputs }, other!] };
    };
    const templates = [wrong('wrong_input', { a: '1 +' }, { b: '2' }), wrong('wrong_output', { a: '1' }, { b: '1 +' })];
    const handlers = ['seen', 'other'].map((name) => defineHandler(name, {}, () => ({})));
    const { tasker } = await shared.setup({ seen: [] }, { templates, handlers });
    const run = async (name: string) => {
      const { taskUuid } = await tasker.createTask({ namespace: 'test', name, version: '1.0.0' });
      return tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    };
    const failed = await run('wrong_input');
    expect(failed.status).toBe('blocked_by_failures');
    expect((await tasker.getStep(failed.taskUuid, 'seen')).results?.error).toMatchObject({
      error_type: 'expression_failed',
      message: 'step seen: inputs.a: the expression ends too early',
    });
    expect((await tasker.getStep(failed.taskUuid, 'other')).currentState).toBe('complete');
    expect(await run('wrong_output')).toMatchObject({
      status: 'complete',
      outputError: 'output.b: the expression ends too early',
    });
  });
});

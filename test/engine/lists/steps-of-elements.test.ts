import { expect, it } from 'vitest';
import { Decision } from '../../../src/handlers/decision/decision.ts';
import { defineDecisionHandler } from '../../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { DEMO, invariants, setup, states, template, until } from '../../support/setup.ts';
import { lines, listOf } from './list-of.ts';

const plain = (...names: string[]) => names.map((name) => defineHandler(name, {}, () => ({ from: name })));
const sku = { sku: 'element.sku' };

it('conditions and routes after a failure work within an element', async () => {
  const { tasker, sql } = await setup({
    templates: listOf(
      [
        { name: 'check', handler: 'check', inputs: sku },
        { name: 'wrap', handler: 'wrap', dependencies: ['check'], when: 'steps.check.sku != "S0"' },
        { name: 'seal', handler: 'seal', dependencies: ['wrap'] },
        {
          name: 'report',
          handler: 'report',
          dependencies: ['check'],
          run_if: 'failed',
          inputs: { why: 'errors.check.message' },
        },
        { name: 'last', handler: 'last', dependencies: ['seal', 'report'], run_if: 'ended' },
      ],
      { output: 'has(steps.report) ? steps.report.why : "fine"' },
    ),
    handlers: [
      ...plain('start', 'wrap', 'seal', 'last', 'ship'),
      defineHandler('check', {}, ({ context }) => {
        if (context.inputData['sku'] === 'S2') throw new PermanentError('broken');
        return context.inputData;
      }),
      defineHandler('report', {}, ({ context }) => context.inputData),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(4) } });
  expect(await tasker.waitForTask(taskUuid)).toMatchObject({ status: 'complete', handledFailures: 1 });
  expect(await states(tasker, taskUuid)).toMatchObject({
    'check[0]': 'complete',
    'wrap[0]': 'skipped',
    'seal[0]': 'skipped',
    'report[0]': 'skipped',
    'last[0]': 'complete',
    'seal[1]': 'complete',
    'check[2]': 'error',
    'wrap[2]': 'skipped',
    'report[2]': 'complete',
    'last[2]': 'complete',
  });
  expect((await tasker.getStep(taskUuid, 'each'))!.results!.result).toMatchObject({
    completed: 4,
    failed: 0,
    outputs: ['fine', 'fine', 'broken', 'fine'],
  });
  await invariants(sql);
});

it('steps of elements retry, wait and start child tasks, and hold their place until then', async () => {
  const tries = new Map<string, number>();
  const { tasker, sql } = await setup({
    templates: [
      listOf(
        [
          { name: 'try', handler: 'try', inputs: sku, retry: { backoff_base_ms: 1 } },
          { name: 'rest', type: 'timer', dependencies: ['try'], timer: { for: 'PT0.05S' } },
          { name: 'sign', type: 'approval', dependencies: ['rest'], approval: { title: 'Pay?' }, when: 'index == 1' },
          { name: 'bill', type: 'task', template: 'bill', dependencies: ['rest'], context: sku },
        ],
        { parallelism: 2, output: 'steps.bill.of' },
      ),
      template({ pay: {} }, { name: 'bill', output: { of: 'context.sku' } }),
    ],
    handlers: [
      ...plain('start', 'ship', 'pay'),
      defineHandler('try', {}, ({ context }) => {
        const of = String(context.inputData['sku']);
        tries.set(of, (tries.get(of) ?? 0) + 1);
        if (tries.get(of) === 1) throw new RetryableError('again');
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(5) } });
  const waiting = await until(
    () => states(tasker, taskUuid),
    (seen) => seen['sign[1]'] === 'waiting' && seen['bill[4]'] === 'complete',
  );
  expect(waiting['each']).toBe('pending');
  expect((await tasker.getTask(taskUuid)).status).toBe('waiting');
  await tasker.approvals.vote(taskUuid, 'sign[1]', { by: 'ana', decision: 'approve' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect((await tasker.getStep(taskUuid, 'each'))!.results!.result).toMatchObject({
    outputs: ['S0', 'S1', 'S2', 'S3', 'S4'],
  });
  expect([...tries.values()]).toEqual([2, 2, 2, 2, 2]);
  await invariants(sql);
});

it('a list can be a branch of a decision, and two lists run beside each other', async () => {
  const step = (name: string) => [{ name, handler: 'work', inputs: { at: 'index', by: 'steps.begin.from' } }];
  const list = (inner: string) => ({
    type: 'for_each',
    handler: undefined,
    dependencies: ['decide'],
    elements: 'context.lines',
    steps: step(inner),
    output: `steps.${inner}.at`,
  });
  const { tasker, sql } = await setup({
    templates: template({
      decide: { type: 'decision', dependencies: ['begin'] },
      begin: [],
      one: list('a'),
      two: list('b'),
      three: list('c'),
      end: {
        type: 'deferred_convergence',
        dependencies: ['one', 'two', 'three'],
        inputs: { all: 'steps.one.outputs + steps.three.outputs' },
      },
    }),
    handlers: [
      ...plain('begin'),
      defineDecisionHandler('decide', {}, () => Decision.route(['one', 'three'], { by: 'rule' })),
      defineHandler('work', {}, ({ context }) => context.inputData),
      defineHandler('end', {}, ({ context }) => context.inputData),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(3) } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  const seen = await states(tasker, taskUuid);
  expect(Object.keys(seen).sort()).toEqual(
    ['a[0]', 'a[1]', 'a[2]', 'begin', 'c[0]', 'c[1]', 'c[2]', 'decide', 'end', 'one', 'three'].sort(),
  );
  expect((await tasker.getStep(taskUuid, 'end'))!.results!.result).toEqual({ all: [0, 1, 2, 0, 1, 2] });
  await invariants(sql);
});

it('a join that no longer needs a list stops its elements', async () => {
  let isHeld = true;
  const { tasker, sql } = await setup({
    templates: listOf(
      [{ name: 'slow', handler: 'slow' }],
      { parallelism: 2 },
      {
        fast: { dependencies: ['start'] },
        first: { dependencies: ['each', 'fast'], join: 'any' },
        ship: { dependencies: ['first'] },
      },
    ),
    handlers: [
      ...plain('start', 'fast', 'first', 'ship'),
      defineHandler('slow', {}, async () => {
        while (isHeld) await new Promise((resolve) => setTimeout(resolve, 5));
        return {};
      }),
    ],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { lines: lines(9) } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  isHeld = false;
  expect(Object.values(await states(tasker, taskUuid)).filter((state) => state === 'in_progress')).toEqual([]);
  await invariants(sql);
});

it('labels and results of sensitive elements are hidden', async () => {
  const { tasker, sql } = await setup({
    templates: template(
      {
        each: {
          type: 'for_each',
          handler: undefined,
          elements: 'context.cards',
          key: 'element.number',
          steps: [{ name: 'charge', handler: 'charge', inputs: { card: 'element.number' } }],
        },
      },
      { sensitive: ['cards'] },
    ),
    handlers: plain('charge'),
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { cards: [{ number: '4111' }] } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  const [page] = await sql<{ keys: string[] }>('select keys from tasker.for_each_page');
  expect(page!.keys).toEqual(['[redacted]']);
});

it('elements of any JSON and any label are possible', async () => {
  const elements = [null, 0, '', 'ü€😀', [1, [2]], { a: { b: 'c' } }, true, 'a'.repeat(300), 1e21];
  const { tasker } = await setup({
    templates: listOf([{ name: 'echo', handler: 'echo', inputs: { value: 'element' } }], {
      elements: 'context.all',
      key: 'element',
      output: 'steps.echo.value',
    }),
    handlers: [...plain('start', 'ship'), defineHandler('echo', {}, ({ context }) => context.inputData)],
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { all: elements } });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect((await tasker.getStep(taskUuid, 'each'))!.results!.result).toMatchObject({ outputs: elements });
});

it('more elements than allowed fail the step before one of them starts', async () => {
  const { tasker } = await setup({
    templates: listOf([{ name: 'echo', handler: 'echo' }], { elements: 'steps.start.all', key: undefined }),
    handlers: [
      ...plain('echo', 'ship'),
      defineHandler('start', {}, () => ({ all: Array.from({ length: 100_001 }, () => 0) })),
    ],
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'blocked_by_failures',
  );
  expect((await tasker.getStep(taskUuid, 'each'))!.results!.error!.message).toContain(
    'the list has 100001 elements; at most 100000 are allowed',
  );
  expect(Object.keys(await states(tasker, taskUuid))).toHaveLength(3);
});

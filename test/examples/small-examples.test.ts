import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { type TestHandler, type TestTasker, testTasker } from '../../src/testing/index.ts';
import { emptyDatabase } from '../support/database.ts';
import { deferred } from '../support/setup.ts';
import { runProgram } from './run-program.ts';

/** Creates a test kit with the workflow of an example, on a database that is dropped after the test. */
const kitOf = (example: string, stubs: Record<string, TestHandler> = {}) =>
  testTasker({
    templates: path.resolve(`examples/${example}/templates`),
    handlers: path.resolve(`examples/${example}/handlers`),
    stubs,
    databaseUrl: inject('servers')[inject('postgres')]!,
  });

describe('a program of the examples prints the outcomes of its tasks', () => {
  it.each([
    [
      'approval/approve-expenses.mjs',
      [
        '999: complete, approved by rule (auto_approve)',
        '1000: complete, approved by manager (manager_approval)',
        '4999: complete, approved by manager (manager_approval)',
        '5000: complete, approved by manager and finance (manager_approval, finance_review)',
      ],
    ],
    [
      'linear/run-linear.mjs',
      [
        'linear_step_1: complete {"value":6}',
        'linear_step_2: complete {"value":36}',
        'linear_step_3: complete {"value":46}',
        'linear_step_4: complete {"value":23}',
      ],
    ],
    [
      'tracing/trace-order.mjs',
      [
        'task complete; traces: 1',
        'POST /orders',
        '  task shop/order',
        '    step reserve (1)',
        '      attempt reserve (1)',
        '    step charge (1)',
        '      attempt charge (1)',
        '        POST -> 200',
        'the service received the span of the call: true',
      ],
    ],
    [
      'events/pay-orders.mjs',
      [
        'O-1: complete',
        '  payment.processed {"amount":1250,"status":"captured","currency":"EUR","payment_id":"P-O-1"} (stripe)',
        '  order.completed {"order_id":"O-1"}',
        'O-2: blocked_by_failures',
        '  payment.failed {"reason":"the card of O-2 was declined"} (stripe)',
        'O-3: complete',
        '  payment.processed {"amount":4900,"status":"captured","currency":"EUR","payment_id":"P-O-3"} (stripe)',
        '  order.completed {"order_id":"O-3"}',
        'in this process: 2 order.completed',
      ],
    ],
    [
      'sign-off/sign-contracts.mjs',
      [
        'Acme: publish {"published":true,"approved_by":["ann","bob"]}',
        'Hooli: archive {"because":"they never pay","published":false}',
      ],
    ],
    [
      'callback/pay-invoices.mjs',
      [
        'I-1: complete, R-I-1, attempts: 1',
        'I-2: blocked_by_failures, insufficient funds, attempts: 1',
        'I-3: complete, R-I-3, attempts: 2',
      ],
    ],
    [
      'routes/take-orders.mjs',
      [
        'O-1: complete, in the ledger: O-1 shipped',
        '  reserve complete',
        '  charge complete',
        '  ship complete',
        '  release skipped',
        '  tell skipped',
        '  ledger complete',
        'O-2: complete, in the ledger: O-2 not shipped',
        '  reserve complete',
        '  charge error',
        '  ship skipped',
        '  release complete',
        '  tell complete: Dear Bob, your order was not accepted: the card was declined',
        '  ledger complete',
      ],
    ],
    [
      'trip/book-trips.mjs',
      [
        'T-1: complete',
        'T-2: blocked_by_failures',
        '  undoing car, hotel, flight',
        '  undone',
        '  undo:flight: flight-T-2',
        '  undo:hotel: hotel-T-2',
        '  undo:car: any car of trip T-2',
      ],
    ],
    [
      'lines/pack-orders.mjs',
      [
        'O-1: complete',
        '  O-1: 1-cup x6, 2-pot x1, 3-tray x2',
        'O-2: blocked_by_failures',
        '  waits for its elements: 2 of 3 are complete, 1 failed; label[1] (vase) failed, so the list cannot complete until an operator acts',
        '  with a label written by hand: complete',
        '  O-2: 1-cup x2, 2-vase x1, 3-pot x1',
      ],
    ],
    [
      'child-tasks/invoice-orders.mjs',
      [
        'O-1: complete, its invoice: complete',
        '  price complete {"cents":1980}',
        '  invoice complete {"number":"I-1980"}',
        '  ship complete {"parcel":"O-1 with I-1980"}',
        '  hold skipped',
        'O-2: complete, its invoice: error',
        '  price complete {"cents":2970}',
        '  invoice error',
        '  ship skipped',
        '  hold complete {"held":"O-2"}',
      ],
    ],
    [
      'subscription/run-a-year.mjs',
      [
        'day   0  Ada: welcome',
        'day   0  Bob: welcome',
        'day  11  Ada: your trial ends in 3 days',
        'day  11  Bob: your trial ends in 3 days',
        ...Array.from({ length: 12 }, (_, i) => [
          `day ${String(12 + 30 * i).padStart(3)}  Ada: month ${i + 1}: 990 cents`,
          ...(i === 0 ? ['day  14  Bob: your trial has ended'] : []),
        ]).flat(),
        'day 357  Ada: goodbye',
        '14 tasks, all complete',
      ],
    ],
    [
      'pipeline/report-sales.mjs',
      ['Coffee mug      14  goal reached', 'Fountain pen    10  goal missed', 'Baseball cap    24  goal reached'],
    ],
  ])('%s', async (program, lines) => {
    const { url, drop } = await emptyDatabase();
    try {
      const ran = await runProgram(path.resolve('examples', program), { env: { DATABASE_URL: url } });
      expect(ran).toMatchObject({ stderr: '', code: 0 });
      expect(ran.stdout.trimEnd().split('\n')).toEqual(lines);
    } finally {
      await drop();
    }
  });
});

describe('the approvals example', () => {
  const before = ['validate_request', 'approval_router'];
  let kit: TestTasker;
  beforeAll(async () => {
    kit = await kitOf('approval');
  });
  afterAll(() => kit.stop());

  it.each([
    [undefined, ['auto_approve'], ['rule']],
    [999, ['auto_approve'], ['rule']],
    [1000, ['manager_approval'], ['manager']],
    [4999, ['manager_approval'], ['manager']],
    [5000, ['manager_approval', 'finance_review'], ['manager', 'finance']],
  ])('creates for an amount of %s only the branches %j', async (amount, branches, approved_by) => {
    const { task, steps, results } = await kit.run({ context: amount === undefined ? {} : { amount } });
    expect(task.status).toBe('complete');
    expect(Object.keys(steps)).toEqual([...before, ...branches, 'finalize_approval']);
    expect(results.finalize_approval).toEqual({ amount: amount ?? 0, approved_by });
    expect(results.approval_router).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names: branches },
      steps_created: branches,
    });
  });
});

it('the two branches of a large expense run concurrently, and the next step waits for both', async () => {
  const both = deferred();
  const running = new Set<unknown>();
  const kit = await kitOf('approval', {
    'approval.ask': async ({ stepConfig }) => {
      running.add(stepConfig.role);
      if (running.size === 2) both.resolve();
      await both.promise; // each handler ends only when both run
      return { approved_by: stepConfig.role };
    },
    'approval.finalize': (context) => ({ saw: context.getDependencyResultKeys() }),
  });
  onTestFinished(() => kit.stop());
  const { results } = await kit.run({ context: { amount: 5000 } });
  expect(results.finalize_approval).toEqual({
    saw: ['validate_request', 'approval_router', 'manager_approval', 'finance_review'],
  });
});

describe('the pipeline example', () => {
  it('reads its three files concurrently', async () => {
    const all = deferred();
    let running = 0;
    const kit = await kitOf('pipeline', {
      'pipeline.fetch': async () => {
        if (++running === 3) all.resolve();
        await all.promise; // each handler ends only when all three run
        return { items: [] };
      },
    });
    onTestFinished(() => kit.stop());
    const { task, results } = await kit.run({ context: { folder: 'nowhere' } });
    expect(task.status).toBe('complete');
    expect(results.transform_data).toEqual({ items: [], count: 0 });
  });

  it('stops before the report if a file is missing, and names it', async () => {
    const kit = await kitOf('pipeline');
    onTestFinished(() => kit.stop());
    const { task, errors, steps } = await kit.run({ context: { folder: path.resolve('examples/linear') } });
    expect(task.status).toBe('blocked_by_failures');
    expect(errors.fetch_data?.message).toMatch(/ENOENT.*sales\.csv/);
    expect(steps.aggregate?.attempts).toBe(0);
  });
});

it('the first of the linear steps stores the context of the task', async () => {
  const kit = await kitOf('linear');
  onTestFinished(() => kit.stop());
  const context = { value: 2, note: 'é', list: [1, { a: null }] };
  const { results } = await kit.run({ context });
  expect(results.linear_step_1).toMatchObject({ step1_processed: true, input_received: context });
  const { processed_at } = results.linear_step_1 as { processed_at: string };
  expect(new Date(processed_at).toISOString()).toBe(processed_at);
  expect(results.linear_step_4).toEqual({ value: 7 });
});

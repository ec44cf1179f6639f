import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { partsFor, sharedHandWorkers, workers } from '../../support/hand-worker.ts';
import { DEMO, invariants, setup, states, template } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

const id = (i: number) => String(i + 1).padStart(3, '0');
const batches = (count: number, more: Record<string, unknown> = {}) => ({
  batch_processing_outcome: {
    type: 'create_batches',
    worker_template_name: 'work',
    worker_count: count,
    cursor_configs: Array.from({ length: count }, (_, i) => ({
      batch_id: id(i),
      start_cursor: i * 10,
      end_cursor: (i + 1) * 10,
      batch_size: 10,
    })),
    total_items: count * 10,
    ...more,
  },
});

function steps(config: Record<string, unknown> = {}, work: Record<string, unknown> = {}) {
  return {
    analyze: { type: 'batchable', dependencies: [] },
    work: {
      type: 'batch_worker',
      dependencies: ['analyze'],
      handler: { callable: 'work', initialization: { currency: 'EUR' } },
      batch_config: {
        batch_size: 10,
        parallelism: 1000,
        cursor_field: 'id',
        worker_template: 'work',
        failure_strategy: 'continue_on_failure',
        ...config,
      },
      ...work,
    },
    join: { type: 'deferred_convergence', dependencies: ['work'] },
    last: ['join'],
  };
}

const join = defineHandler('join', {}, ({ context }) => ({
  results: context.getAllDependencyResults('work_'),
  envelopes: Object.fromEntries(
    Object.entries(context.dependencyResults).map(([name, { success, errorMessage }]) => [
      name,
      success || errorMessage,
    ]),
  ),
}));
const last = defineHandler('last', {}, () => ({}));

async function run(
  outcome: unknown,
  {
    config = {},
    work,
    retry = {},
  }: {
    config?: Record<string, unknown>;
    retry?: Record<string, unknown>;
    work?: Parameters<typeof defineHandler>[2];
  } = {},
) {
  const handlers = [
    defineHandler('analyze', {}, () => outcome),
    defineHandler('work', {}, work ?? (({ context }) => ({ cursor: context.stepInputs.cursor }))),
    join,
    last,
  ];
  const { tasker, sql } = await setup({ templates: template(steps(config, { retry })), handlers });
  const { taskUuid } = await tasker.createTask(DEMO);
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  await invariants(sql);
  return { tasker, sql, taskUuid, status, states: await states(tasker, taskUuid) };
}

const resultOf = async (tasker: Tasker, taskUuid: string, step: string) =>
  (await tasker.getStep(taskUuid, step)).results!;

describe('a batch', () => {
  it('gets a worker for each part and one step that joins them', async () => {
    const { tasker, taskUuid, status, states } = await run(batches(3));
    expect(status).toBe('complete');
    expect(states).toEqual({
      analyze: 'complete',
      work_001: 'complete',
      work_002: 'complete',
      work_003: 'complete',
      join: 'complete',
      last: 'complete',
    });
    const { results } = (await resultOf(tasker, taskUuid, 'join')).result as { results: unknown[] };
    expect(results).toEqual(
      [0, 1, 2].map((i) => ({
        cursor: { batch_id: id(i), start_cursor: i * 10, end_cursor: (i + 1) * 10, batch_size: 10 },
      })),
    );
    expect(await tasker.getStep(taskUuid, 'work_002')).toMatchObject({ name: 'work_002', templateStepName: 'work' });
  });

  it('passes each worker its part and the settings of the template', async () => {
    const { tasker, taskUuid } = await run(batches(1), { work: ({ context }) => ({ inputs: context.stepInputs }) });
    expect((await resultOf(tasker, taskUuid, 'work_001')).result).toEqual({
      inputs: {
        currency: 'EUR',
        cursor: { batch_id: '001', start_cursor: 0, end_cursor: 10, batch_size: 10 },
        batch_metadata: { cursor_field: 'id', failure_strategy: 'continue_on_failure' },
        is_no_op: false,
        __template_step_name: 'work',
      },
    });
  });

  it('has one worker that does nothing if it has no parts', async () => {
    const { tasker, taskUuid, states } = await run(
      { batch_processing_outcome: { type: 'no_batches' } },
      { work: ({ context }) => ({ noOp: context.stepInputs.is_no_op }) },
    );
    expect(states).toMatchObject({ work_000: 'complete', join: 'complete', last: 'complete' });
    expect((await resultOf(tasker, taskUuid, 'work_000')).result).toEqual({ noOp: true });
  });

  it('is accepted in the format of the other SDK', async () => {
    const { states } = await run({
      batch_analyzer_outcome: {
        cursor_configs: [{ start_cursor: 0, end_cursor: 5, step_size: 1, metadata: {} }],
        total_items: 5,
      },
    });
    expect(states).toMatchObject({ work_001: 'complete', join: 'complete' });
  });

  it.each([
    ['no parts', batches(0), /cursor_configs is empty; use no_batches/],
    [
      'the same id twice',
      batches(2, { cursor_configs: [{ batch_id: 'a' }, { batch_id: 'a' }] }),
      /cursor_configs\[1\]\.batch_id is "a", like that of cursor_configs\[0\]/,
    ],
    ['a wrong count', batches(2, { worker_count: 3 }), /worker_count is 3, but cursor_configs has 2 entries/],
    ['a wrong count of one part', batches(1, { worker_count: 3 }), /cursor_configs has 1 entry; make them equal/],
    [
      'an unknown worker template',
      batches(1, { worker_template_name: 'wrok' }),
      /"wrok" is not a batch_worker step that depends on analyze; did you mean work\? Possible steps are work$/,
    ],
    [
      'a step that is not a worker template',
      batches(1, { worker_template_name: 'join' }),
      /"join" is not a batch_worker step/,
    ],
    ['an unknown type', batches(1, { type: 'some' }), /type must be create_batches or no_batches, got "some"/],
    [
      'an id with control characters',
      batches(1, { cursor_configs: [{ batch_id: 'a\u001b[2J' }] }),
      /batch_id must be a string of 1 to 100 characters without control characters/,
    ],
    ['no outcome', {}, /must have batch_processing_outcome/],
    ['too many', batches(10_001), /cursor_configs has 10001 entries; at most 10000 are allowed/],
  ])('fails its analyzer permanently with the reason if it is invalid: %s', async (_, outcome, message) => {
    const { tasker, taskUuid, status, states } = await run(outcome);
    expect(status).toBe('blocked_by_failures');
    expect(states).toEqual({ analyze: 'error' });
    const { error } = await resultOf(tasker, taskUuid, 'analyze');
    expect(error).toMatchObject({ error_type: 'validation_error', retryable: false });
    expect(error!.message).toMatch(message);
  });

  it('never runs more workers at the same time than its parallelism', async () => {
    let running = 0;
    let most = 0;
    const { status } = await run(batches(20), {
      config: { parallelism: 3 },
      work: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
      },
    });
    expect(status).toBe('complete');
    expect(most).toBe(3);
  });

  const failing = ({ context }: { context: { stepInputs: Record<string, unknown> } }) => {
    const { batch_id } = context.stepInputs.cursor as { batch_id: string };
    if (batch_id === '002') throw new PermanentError('row 13 is broken');
    return { ok: batch_id };
  };

  it('continues without a failed worker with continue_on_failure, and the joining step sees the failure', async () => {
    const { tasker, taskUuid, status, states } = await run(batches(3), { work: failing });
    expect(status).toBe('complete');
    expect(states).toMatchObject({
      work_001: 'complete',
      work_002: 'error',
      work_003: 'complete',
      join: 'complete',
      last: 'complete',
    });
    expect((await resultOf(tasker, taskUuid, 'join')).result).toMatchObject({
      results: [{ ok: '001' }, { ok: '003' }],
      envelopes: { work_001: true, work_002: 'row 13 is broken', work_003: true },
    });
  });

  it('continues as if a failed worker did not exist with isolate', async () => {
    const { tasker, taskUuid, status } = await run(batches(3), {
      config: { failure_strategy: 'isolate' },
      work: failing,
    });
    expect(status).toBe('complete');
    const { result } = await resultOf(tasker, taskUuid, 'join');
    expect(result).toMatchObject({ results: [{ ok: '001' }, { ok: '003' }] });
    expect((result as { envelopes: object }).envelopes).not.toHaveProperty('work_002');
  });

  it('cancels its other workers when one fails with fail_fast, and the task continues when an operator settles the failure', async () => {
    let stopped = 0;
    const {
      tasker,
      sql,
      taskUuid,
      status,
      states: seen,
    } = await run(batches(6), {
      config: { failure_strategy: 'fail_fast', parallelism: 2 },
      work: async ({ context }) => {
        const { batch_id } = context.stepInputs.cursor as { batch_id: string };
        if (batch_id === '001') {
          await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
          stopped++;
        }
        return failing({ context });
      },
    });
    expect(status).toBe('blocked_by_failures');
    expect(seen).toEqual({
      analyze: 'complete',
      work_001: 'cancelled',
      work_002: 'error',
      work_003: 'cancelled',
      work_004: 'cancelled',
      work_005: 'cancelled',
      work_006: 'cancelled',
      join: 'pending',
      last: 'pending',
    });
    await expect.poll(() => stopped).toBe(1);
    await tasker.resolveStep(taskUuid, 'work_002', { result: { ok: 'by hand' } });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 10_000 })).status).toBe('complete');
    expect((await resultOf(tasker, taskUuid, 'join')).result).toMatchObject({ results: [{ ok: 'by hand' }] });
    await invariants(sql);
  });

  it('retries each worker separately', async () => {
    const seen = new Map<string, number>();
    const { status } = await run(batches(5), {
      config: { parallelism: 2, failure_strategy: 'fail_fast' },
      retry: { backoff: 'none', max_attempts: 3 },
      work: ({ context }) => {
        seen.set(context.stepUuid, (seen.get(context.stepUuid) ?? 0) + 1);
        if (context.retryCount < 2) throw new Error('not yet');
        return {};
      },
    });
    expect(status).toBe('complete');
    expect([...seen.values()]).toEqual([3, 3, 3, 3, 3]);
  });
});

it('batch workers wait for the other dependencies of their step that are not complete yet', async () => {
  const { sql, claim, record, completed, states } = await handWorker({
    before: [],
    beside: [],
    analyze: { type: 'batchable', dependencies: ['before'] },
    work: workers(['analyze', 'before', 'beside']),
  });
  expect(await claim()).toEqual(['before', 'beside']);
  await record(completed('before'));
  expect(await claim()).toEqual(['analyze']);
  await record(completed('analyze', partsFor('work', 'x', 'y')));
  expect(await claim()).toEqual([]);
  await invariants(sql);
  await record(completed('beside'));
  const parts = await claim();
  expect(parts).toHaveLength(2);
  expect(Object.keys(await states())).toEqual(expect.arrayContaining(parts));
  await invariants(sql);
});

it('a batch that fails fast cancels a worker that waits for its retry', async () => {
  const { sql, engine, claim, record, completed, failed, ended, states } = await handWorker({
    analyze: { type: 'batchable', dependencies: [] },
    work: workers(['analyze'], { failure_strategy: 'fail_fast' }),
  });
  await claim();
  await record(completed('analyze', partsFor('work', '1', '2', '3')));
  expect(await claim()).toEqual(['work_1', 'work_2', 'work_3']);
  await record({ ...ended('work_1', 'retryable'), delayMs: 60_000 });
  await record(failed('work_2'));
  expect(await states()).toMatchObject({ work_1: 'cancelled', work_2: 'error', work_3: 'cancelled' });
  await invariants(sql);
  await sql('update tasker.timer set due_at = now()');
  await engine.promoteDue();
  expect(await states()).toMatchObject({ work_1: 'cancelled' });
  await invariants(sql);
});

describe('two batches of one task', () => {
  const batch = (name: string, parallelism: number) => ({
    [`cut_${name}`]: { type: 'batchable', dependencies: [] },
    [name]: workers([`cut_${name}`], { parallelism, worker_template: name }),
    [`join_${name}`]: { type: 'deferred_convergence', dependencies: [name] },
  });
  const both = async () => {
    const hand = await handWorker({ ...batch('one', 1), ...batch('two', 2) });
    expect(await hand.claim()).toEqual(['cut_one', 'cut_two']);
    const cut = (name: string) => hand.completed(`cut_${name}`, partsFor(name, '1', '2', '3'));
    await hand.record(cut('one'), cut('two'));
    expect(await hand.claim()).toEqual(['one_1', 'two_1', 'two_2']);
    return hand;
  };

  it('each batch keeps to its own parallelism', async () => {
    const { sql, claim, record, completed } = await both();
    await record(completed('two_1'));
    expect(await claim()).toEqual(['two_3']);
    await invariants(sql);
    await record(completed('one_1'), completed('two_2'), completed('two_3'));
    expect(await claim()).toEqual(['join_two', 'one_2']);
    await invariants(sql);
  });

  it('each worker of both batches is a parent of the step that joins them', async () => {
    const { tasker, taskUuid, record, completed } = await both();
    await record(completed('two_1'));
    for (const [name, completedParents] of [
      ['one', 0],
      ['two', 1],
    ] as const) {
      const step = await tasker.getStep(taskUuid, `join_${name}`);
      expect(step).toMatchObject({ totalParents: 3, completedParents });
    }
  });

  it('resetting a failed worker of one batch does not affect the other', async () => {
    const { sql, tasker, taskUuid, claim, record, failed, completed } = await both();
    await record(failed('two_1'));
    expect(await claim()).toEqual(['two_3']);
    await tasker.retryStep(taskUuid, 'two_1');
    await invariants(sql);
    expect(await claim()).toEqual([]);
    await record(completed('two_2'));
    expect(await claim()).toEqual(['two_1']);
    await record(completed('one_1'));
    expect(await claim()).toEqual(['one_2']);
    await invariants(sql);
  });
});

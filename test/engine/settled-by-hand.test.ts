import { describe, expect, it } from 'vitest';
import { onFreeTask } from '../../src/engine/operator-actions.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { choosing, partsFor, sharedHandWorkers, workers } from '../support/hand-worker.ts';
import { DEMO, invariants, setup, template } from '../support/setup.ts';

const handWorker = sharedHandWorkers();

const steps = (config: Record<string, unknown> = {}) => ({
  first: [],
  pick: { type: 'decision', dependencies: ['first'] },
  left: ['pick'],
  analyze: { type: 'batchable', dependencies: ['first'] },
  work: workers(['analyze'], config),
  join: { type: 'deferred_convergence', dependencies: ['left', 'work'] },
});

/** Creates a task whose decision and analyzer are both claimed. */
async function deciding(config?: Record<string, unknown>) {
  const hand = await handWorker(steps(config));
  await hand.claim();
  await hand.record(hand.completed('first'));
  expect(await hand.claim()).toEqual(['analyze', 'pick']);
  return hand;
}

describe.each(['complete', 'resolve'] as const)('a decision or an analyzer that an operator settles: %s', (verb) => {
  it('the result creates its steps once, and the late result of the worker creates none', async () => {
    const { tasker, taskUuid, sql, claim, record, completed, states } = await deciding();
    const settle = (step: string, result: Record<string, unknown>) =>
      verb === 'complete'
        ? tasker.completeStep(taskUuid, step, { result })
        : tasker.resolveStep(taskUuid, step, { result });
    await settle('pick', choosing('left'));
    await settle('analyze', partsFor('work', '1', '2'));
    const late = [completed('pick', choosing()), completed('analyze', partsFor('work', '3', '4', '5'))];
    expect((await record(...late)).refused).toEqual([0, 1]);
    await invariants(sql);
    expect(await claim()).toEqual(['left', 'work_1', 'work_2']);
    await record(completed('left'), completed('work_1'), completed('work_2'));
    expect(await claim()).toEqual(['join']);
    expect(Object.keys(await states())).toHaveLength(7);
    await invariants(sql);
  });

  it('an invalid result is rejected and nothing is changed', async () => {
    const { tasker, taskUuid, sql, states } = await deciding();
    const before = await states();
    const settling =
      verb === 'complete'
        ? tasker.completeStep(taskUuid, 'pick', { result: choosing('lfet') })
        : tasker.resolveStep(taskUuid, 'pick', { result: choosing('lfet') });
    await expect(settling).rejects.toMatchObject({
      code: 'bad_request',
      message: /"lfet" is not a step; did you mean left/,
    });
    expect(await states()).toEqual(before);
    await invariants(sql);
  });
});

it('a decision that is resolved without a result creates no steps', async () => {
  const { tasker, taskUuid, sql, record, completed, states } = await deciding();
  await tasker.resolveStep(taskUuid, 'pick');
  await record(completed('analyze', partsFor('work', '1')));
  expect(Object.keys(await states()).sort()).toEqual(['analyze', 'first', 'join', 'pick', 'work_1']);
  await invariants(sql);
});

describe('batch workers that an operator resets', () => {
  it('a reset worker waits for the first free place if all places are taken', async () => {
    const { tasker, taskUuid, sql, claim, record, completed, failed, states } = await deciding({ parallelism: 1 });
    await record(completed('pick', choosing()), completed('analyze', partsFor('work', '1', '2', '3')));
    await claim();
    await record(failed('work_1'));
    expect(await claim()).toEqual(['work_2']);
    await tasker.retryStep(taskUuid, 'work_1');
    expect((await states()).work_1).toBe('pending');
    expect(await sql('select idx from tasker.queue')).toEqual([]);
    await invariants(sql);
    await record(completed('work_2'));
    expect(await claim()).toEqual(['work_1']);
    await record(completed('work_1'));
    expect(await claim()).toEqual(['work_3']);
    await record(completed('work_3'));
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });

  it('a reset is rejected if a step that joins the batch has started', async () => {
    const { tasker, taskUuid, sql, claim, record, completed, failed } = await deciding();
    await record(completed('pick', choosing()), completed('analyze', partsFor('work', '1', '2')));
    await claim();
    await record(failed('work_1'));
    await tasker.retryStep(taskUuid, 'work_1');
    expect(await claim()).toEqual(['work_1']);
    await record(failed('work_1'), completed('work_2'));
    await expect(tasker.retryStep(taskUuid, 'work_1')).rejects.toMatchObject({
      code: 'illegal_transition',
      message: /its batch continued without it, and a step that joins the batch has started/,
    });
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });
});

it('a task that is cancelled while batch workers wait for places ends with all its workers', async () => {
  const { tasker, taskUuid, sql, claim, record, completed, states } = await deciding({ parallelism: 1 });
  await record(completed('pick', choosing('left')), completed('analyze', partsFor('work', '1', '2', '3')));
  await claim();
  await tasker.cancelTask(taskUuid);
  expect((await record(completed('work_1'), completed('left'))).refused).toEqual([0, 1]);
  expect(await claim()).toEqual([]);
  expect(await states()).toMatchObject({
    work_1: 'cancelled',
    work_2: 'cancelled',
    work_3: 'cancelled',
    join: 'cancelled',
  });
  await invariants(sql);
});

it('a step that completed before its task was cancelled keeps its result', async () => {
  const { tasker, taskUuid, sql } = await deciding();
  await tasker.cancelTask(taskUuid);
  const before = await sql('select * from tasker.step order by idx');
  await expect(tasker.completeStep(taskUuid, 'first', { result: { other: 1 } })).rejects.toMatchObject({
    code: 'illegal_transition',
    message: /its task is cancelled/,
  });
  expect(await sql('select * from tasker.step order by idx')).toEqual(before);
  expect(await tasker.getTask(taskUuid)).toMatchObject({ status: 'cancelled' });
});

it('an action whose statement is cancelled reports the cancellation, not a locked task', async () => {
  const { tasker } = await setup({ templates: template({ a: [] }), worker: false });
  const { taskUuid } = await tasker.createTask(DEMO);
  const cancelled = onFreeTask(tasker.engine.database, taskUuid, (tx) =>
    tx.query({ name: 'cancel_itself', text: 'select pg_cancel_backend(pg_backend_pid()), pg_sleep(10)' }),
  );
  await expect(cancelled).rejects.toMatchObject({
    code: 'database_error',
    message: `task ${taskUuid} was not changed, because a statement ran for 30 seconds or was cancelled; try again when the database is faster`,
    cause: expect.objectContaining({ code: '57014' }),
  });
});

it.each(['completeStep', 'resolveStep'] as const)(
  'the next step runs immediately after another process has settled a step by %s',
  async (verb) => {
    const handlers = [
      defineHandler('a', {}, () => {
        throw new PermanentError('no such order');
      }),
      defineHandler('b', {}, () => ({})),
    ];
    const { tasker, another } = await setup({ templates: template({ a: [], b: ['a'] }), handlers, pollMs: 600_000 });
    const elsewhere = await another({ worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    await elsewhere[verb](taskUuid, 'a');
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  },
);

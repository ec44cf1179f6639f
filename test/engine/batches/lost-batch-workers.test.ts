import { describe, expect, it } from 'vitest';
import type { Sql } from '../../support/database.ts';
import { partsFor, sharedHandWorkers, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

const lapse = (sql: Sql) => sql(`update tasker.worker set lease_until = now() - interval '1 minute'`);

/** A batch with a parallelism of two, whose first two workers are held when their process is lost. */
async function lostWith(config: Record<string, unknown>, retry: Record<string, unknown>, parts = 4) {
  const hand = await handWorker({
    analyze: { type: 'batchable', dependencies: [] },
    work: { ...workers(['analyze'], { parallelism: 2, ...config }), retry },
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  });
  await hand.claim();
  await hand.record(hand.completed('analyze', partsFor('work', ...['1', '2', '3', '4'].slice(0, parts))));
  expect(await hand.claim()).toEqual(['work_1', 'work_2']);
  await lapse(hand.sql);
  return { ...hand, swept: await hand.engine.sweep(0) };
}

describe('batch workers that were lost with their process', () => {
  it('lost batch workers run again and keep their places', async () => {
    const { sql, swept, states } = await lostWith({}, { max_attempts: 2 });
    expect(swept).toMatchObject({ queued: 2, ended: [], takenFrom: [] });
    expect(await states()).toMatchObject({ work_1: 'enqueued', work_2: 'enqueued', work_3: 'pending' });
    await invariants(sql);
  });

  it.each(['continue_on_failure', 'isolate'])(
    'batch workers that are lost in their last attempt free their places for others: %s',
    async (strategy) => {
      const { tasker, taskUuid, sql, swept, states } = await lostWith(
        { failure_strategy: strategy },
        { max_attempts: 1 },
      );
      expect(swept).toMatchObject({ queued: 2, ended: [], takenFrom: [] });
      expect(swept.steps.map((step) => step.state)).toEqual(['error', 'error']);
      expect((await tasker.getStep(taskUuid, 'work_1')).results!.error).toMatchObject({
        error_type: 'worker_lost',
        message: 'the worker was lost while the step ran, and its attempts are used up',
      });
      expect(await states()).toMatchObject({
        work_1: 'error',
        work_2: 'error',
        work_3: 'enqueued',
        work_4: 'enqueued',
      });
      await invariants(sql);
    },
  );

  it('with fail_fast, a worker that is lost in its last attempt cancels the others, and callers that wait for the task are notified', async () => {
    const { taskUuid, sql, swept, states } = await lostWith({ failure_strategy: 'fail_fast' }, { max_attempts: 1 });
    expect(swept).toMatchObject({
      queued: 0,
      takenFrom: [],
      ended: [{ taskUuid, state: 'blocked_by_failures' }],
    });
    expect(await states()).toMatchObject({
      work_1: 'error',
      work_2: 'error',
      work_3: 'cancelled',
      work_4: 'cancelled',
    });
    await invariants(sql);
  });

  it('if all workers are lost in their last attempts, the joining step runs', async () => {
    const { sql, swept, states } = await lostWith({}, { max_attempts: 1 }, 2);
    expect(swept).toMatchObject({ queued: 1, ended: [] });
    expect(await states()).toMatchObject({ work_1: 'error', work_2: 'error', join: 'enqueued' });
    await invariants(sql);
  });
});

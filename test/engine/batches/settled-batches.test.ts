import { expect, it } from 'vitest';
import { choosing, partsFor, sharedHandWorkers, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

it('a failed worker of a batch that fails fast blocks the join, even when a decision adds steps to the task', async () => {
  const hand = await handWorker({
    first: [],
    pick: { type: 'decision', dependencies: ['first'] },
    left: ['pick'],
    analyze: { type: 'batchable', dependencies: ['first'] },
    work: workers(['analyze'], { failure_strategy: 'fail_fast', parallelism: 2 }),
    join: { type: 'deferred_convergence', dependencies: ['left', 'work'] },
  });
  const { tasker, taskUuid, sql, claim, record, completed, failed, states } = hand;
  await claim();
  await record(completed('first'));
  expect(await claim()).toEqual(['analyze', 'pick']);
  await record(completed('analyze', partsFor('work', '1', '2')));
  expect(await claim()).toEqual(['work_1', 'work_2']);
  await record(failed('work_1'));
  await record(completed('pick', choosing('left')));
  await invariants(sql);
  expect(await claim()).toEqual(['left']);
  await record(completed('left'));
  expect((await states()).join).toBe('pending');
  await tasker.resolveStep(taskUuid, 'work_1', { result: {} });
  expect(await claim()).toEqual(['join']);
  await invariants(sql);
});

it('a failed analyzer creates its batch when an operator resolves it with a result', async () => {
  const hand = await handWorker({
    analyze: { type: 'batchable', dependencies: [] },
    work: workers(['analyze']),
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  });
  const { tasker, taskUuid, sql, claim, record, completed, failed } = hand;
  await claim();
  await record(failed('analyze'));
  await tasker.resolveStep(taskUuid, 'analyze', { result: partsFor('work', '1', '2') });
  await invariants(sql);
  expect(await claim()).toEqual(['work_1', 'work_2']);
  await record(completed('work_1'), completed('work_2'));
  expect(await claim()).toEqual(['join']);
  await invariants(sql);
});

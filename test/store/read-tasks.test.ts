import { expect, it } from 'vitest';
import { handBench, handWorker, partsFor, workers } from '../support/hand-worker.ts';
import { age, checkForStale } from '../support/lifecycle.ts';
import { setup, template } from '../support/setup.ts';

it('stale tasks can be filtered by name and listed in pages', async () => {
  const lifecycle = { max_duration_minutes: 20 };
  const templates = ['pay', 'ship'].map((name) => template({ a: [] }, { name, lifecycle }));
  const { tasker, sql } = await setup({ templates, worker: false });
  const request = (name: string) => ({ namespace: 'test', name, version: '1.0.0' });
  const tasks = await tasker.createTasks(['pay', 'ship', 'pay', 'ship'].map(request));
  const [pay1, ship1, pay2, ship2] = tasks.map(({ taskUuid }) => taskUuid);
  await age(sql, 21);
  await checkForStale(tasker);
  const listed = async (options: Parameters<typeof tasker.listTasks>[0]) =>
    (await tasker.listTasks({ stale: true, ...options })).map(({ taskUuid }) => taskUuid);
  expect(await listed({})).toEqual([ship2, pay2, ship1, pay1]);
  expect(await listed({ name: 'pay' })).toEqual([pay2, pay1]);
  expect(await listed({ name: 'pay', before: pay2! })).toEqual([pay1]);
  expect(await listed({ before: pay2!, limit: 1 })).toEqual([ship1]);
});

it('only steps that wait for dependencies or for a retry are counted as pending', async () => {
  const steps = { a: [], b: { retry: { max_attempts: 3 } }, c: ['a', 'b'], d: [] };
  const { tasker, taskUuid, claim, record, completed, ended } = await handWorker(steps);
  expect(await claim()).toEqual(['a', 'b', 'd']);
  await record(completed('a'), { ...ended('b', 'retryable'), delayMs: 60_000 });
  expect(await tasker.getTask(taskUuid)).toMatchObject({
    totalSteps: 4,
    pendingSteps: 2,
    inProgressSteps: 1,
    completedSteps: 1,
  });
});

it('the parents of a step are counted only in its own template', async () => {
  const steps = {
    analyze: { type: 'batchable', dependencies: [] },
    work: workers(['analyze']),
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  };
  const bench = await handBench();
  const first = await handWorker(steps, bench);
  const second = await handWorker(steps, bench);
  for (const hand of [first, second]) {
    await hand.claim();
    await hand.record(hand.completed('analyze', partsFor('work', '1', '2', '3')));
  }
  const parents = async (step: string) => (await bench.tasker.getStep(first.taskUuid, step)).totalParents;
  expect([await parents('work_1'), await parents('join')]).toEqual([1, 3]);
});

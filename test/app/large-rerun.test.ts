import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { partsFor, workers } from '../support/hand-worker.ts';
import { DEMO, invariants, setup, template } from '../support/setup.ts';
import { idleMsOf } from '../support/suite/measure.ts';

it('a task of 10,000 steps runs again within seconds', async () => {
  const ids = Array.from({ length: 9_997 }, (_, n) => String(n));
  const cut = defineHandler('cut', {}, () => partsFor('rows', ...ids));
  const quick = ['first', 'rows', 'sum'].map((name) => defineHandler(name, {}, () => ({ name })));
  const steps = {
    first: [],
    cut: { type: 'batchable', dependencies: [] },
    rows: workers(['cut', 'first'], { parallelism: 1_000 }),
    sum: { type: 'deferred_convergence', dependencies: ['rows'] },
  };
  const { tasker, sql } = await setup({ templates: template(steps), handlers: [cut, ...quick] });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })).status).toBe('complete');
  for (const from of ['first', 'cut']) {
    let covered: unknown[] = [];
    const ms = await idleMsOf(async () => {
      covered = (await tasker.rerunTask(taskUuid, { from })).steps;
    });
    console.log(`rerun of ${covered.length} steps from ${from} in ${Math.round(ms)} ms`);
    expect(covered.length).toBe(9_999);
    expect(ms).toBeLessThan(10_000);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })).status).toBe('complete');
  }
  await invariants(sql);
  expect((await tasker.getEarlierRuns(taskUuid)).length).toBe(2 * 9_999);
});

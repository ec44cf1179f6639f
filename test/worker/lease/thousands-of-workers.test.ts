import { expect } from 'vitest';
import { foldBatches } from '../../../src/cli/show/fold-batches.ts';
import { parentsOf, stepTree } from '../../../src/cli/show/step-tree.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { partsFor, workers } from '../../support/hand-worker.ts';
import { DEMO, invariants, itOnce, setup, template } from '../../support/setup.ts';

const MANY = 10_000;
const ids = Array.from({ length: MANY }, (_, i) => String(i));

itOnce(
  'a task with ten thousand batch workers ends, and can be read, explained and repaired',
  async () => {
    const handlers = [
      defineHandler('analyze', {}, () => partsFor('work', ...ids)),
      defineHandler('work', {}, ({ context }) => {
        const { batch_id } = context.stepInputs.cursor as { batch_id: string };
        return batch_id === '9999' ? StepHandlerResult.failure('row is broken', { retryable: false }) : { batch_id };
      }),
      defineHandler('join', {}, ({ context }) => ({ joined: context.getAllDependencyResults('work_').length })),
    ];
    const { tasker, sql } = await setup({
      templates: template({
        analyze: { type: 'batchable', dependencies: [] },
        work: workers(['analyze'], { parallelism: 1_000, failure_strategy: 'fail_fast' }),
        join: { type: 'deferred_convergence', dependencies: ['work'] },
      }),
      handlers,
      logger: silentLogger,
    });
    const times: Record<string, number> = {};
    const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      const start = performance.now();
      const value = await work();
      times[what] = Math.round(performance.now() - start);
      return value;
    };
    const { taskUuid } = await tasker.createTask(DEMO);
    const blocked = await timed('runs', () => tasker.waitForTask(taskUuid, { timeoutMs: 150_000 }));
    expect(blocked.status).toBe('blocked_by_failures');
    const task = await timed('getTask', () => tasker.getTask(taskUuid));
    const steps = await timed('getSteps', () => tasker.getSteps(taskUuid));
    expect(steps).toHaveLength(MANY + 2);
    await timed('getStep', () => tasker.getStep(taskUuid, 'work_9999'));
    await timed('listTasks', () => tasker.listTasks({}));
    await timed('getHistory', () => tasker.getHistory(taskUuid));
    const { steps: why, summary } = await timed('why', () => tasker.why(taskUuid));
    expect(summary).toBe('cannot continue: work_9999 failed permanently; an operator must act');
    expect(why.find(({ step }) => step === 'join')).toMatchObject({ waitsFor: ['work_9999'] });
    const parents = await parentsOf(tasker, task);
    expect(stepTree(steps, parents, { now: Date.now() }).length).toBe(4);
    expect(
      foldBatches(
        why.map((step) => ({ ...step, name: step.step })),
        parents,
      ).names,
    ).toHaveLength(4);
    await timed('resolveStep', () => tasker.resolveStep(taskUuid, 'work_9999', { result: { by: 'hand' } }));
    expect((await timed('join', () => tasker.waitForTask(taskUuid, { timeoutMs: 150_000 }))).status).toBe('complete');
    await invariants(sql);
    console.log(`milliseconds: ${JSON.stringify(times)}`);
  },
  400_000,
);

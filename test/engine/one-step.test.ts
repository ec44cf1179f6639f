import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { choosing, partsFor, workers } from '../support/hand-worker.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

/**
 * Runs a task with a batch of three parts, whose second part fails, a step that joins it, and a decision that chooses
 * one of two branches.
 */
async function batchAndBranch(failure_strategy: string) {
  const steps = {
    start: [],
    cut: { type: 'batchable', dependencies: ['start'] },
    part: workers(['cut'], { failure_strategy }),
    total: { type: 'deferred_convergence', dependencies: ['part'] },
    route: { type: 'decision', dependencies: ['start'] },
    left: ['route'],
    right: ['route'],
  };
  const handlers = [
    defineHandler('cut', {}, () => partsFor('part', '1', '2', '3')),
    defineHandler('part', {}, ({ context }) => {
      const { cursor } = context.stepInputs as { cursor: { batch_id: string } };
      if (cursor.batch_id === '2') throw new PermanentError('torn');
      return { part: cursor.batch_id };
    }),
    defineHandler('route', {}, () => choosing('left')),
    ...['start', 'total', 'left', 'right'].map((name) => defineHandler(name, {}, () => ({ by: name }))),
  ];
  const { tasker, demo } = await shared.setup(steps, { handlers });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return { tasker, taskUuid };
}

describe('one step of a task', () => {
  it('a step of the template, of a branch or of a batch is found by its name or its id', async () => {
    const { tasker, taskUuid } = await batchAndBranch('continue_on_failure');
    const steps = await tasker.getSteps(taskUuid);
    expect(steps.map((step) => step.name)).toEqual([
      'start',
      'cut',
      'total',
      'route',
      'left',
      'part_1',
      'part_2',
      'part_3',
    ]);
    for (const step of steps) {
      expect(await tasker.getStep(taskUuid, step.name)).toEqual(step);
      expect(await tasker.getStep(taskUuid, step.stepUuid)).toEqual(step);
    }
  });

  it('an unknown step is rejected with similar names and a list of the existing steps', async () => {
    const { tasker, taskUuid } = await batchAndBranch('continue_on_failure');
    const refused = (step: string, message: string) =>
      expect(tasker.getStep(taskUuid, step)).rejects.toMatchObject({
        code: 'step_not_found',
        message: `task ${taskUuid} has no step ${step}; ${message}`,
      });
    const there = 'has start, cut, total, route, left, part_1, part_2, part_3';
    // The branch that was not chosen and the template step of the batch exist only in the template.
    await refused('right', `it ${there}`);
    await refused('part_9', `did you mean part_1 or part_2 or part_3? It ${there}`);
    await refused('totl', `did you mean total? It ${there}`);
    await refused('a\0b', `it ${there}`);
    await expect(tasker.resolveStep(taskUuid, 'right')).rejects.toMatchObject({ code: 'step_not_found' });
    const other = await batchAndBranch('continue_on_failure');
    await refused((await other.tasker.getStep(other.taskUuid, 'cut')).stepUuid, `it ${there}`);
    const nowhere = taskUuid.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    await expect(tasker.getStep(nowhere, 'cut')).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(tasker.getHistory(nowhere)).rejects.toMatchObject({ code: 'task_not_found' });
  });

  it('a batch worker can be resolved by its name', async () => {
    const { tasker, taskUuid } = await batchAndBranch('fail_fast');
    expect(await tasker.getStep(taskUuid, 'part_2')).toMatchObject({ currentState: 'error' });
    await tasker.resolveStep(taskUuid, 'part_2', { actor: 'Ada' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await tasker.getHistory(taskUuid)).toContainEqual(
      expect.objectContaining({ step: 'part_2', kind: 'operator', who: 'Ada' }),
    );
  });
});

describe('the completion of a task', () => {
  it('a complete task is at 100 %, even with workers whose failure is tolerated', async () => {
    const { tasker, taskUuid } = await batchAndBranch('continue_on_failure');
    expect(await tasker.getTask(taskUuid)).toMatchObject({
      status: 'complete',
      totalSteps: 8,
      completedSteps: 7,
      failedSteps: 1,
      completionPercentage: 100,
      healthStatus: 'healthy',
    });
  });

  it('the completion does not include cancelled steps and failures that block the task', async () => {
    const { tasker, taskUuid } = await batchAndBranch('fail_fast');
    const task = await tasker.getTask(taskUuid);
    expect(task).toMatchObject({ status: 'blocked_by_failures', failedSteps: 1, healthStatus: 'blocked' });
    expect(task.completionPercentage).toBeLessThan(80);
    await tasker.cancelTask(taskUuid);
    const cancelled = await tasker.getTask(taskUuid);
    expect(cancelled.status).toBe('cancelled');
    expect(cancelled.completionPercentage).toBe(
      Math.round((cancelled.completedSteps / cancelled.totalSteps) * 10_000) / 100,
    );
  });
});

import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { template, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const five = 'x'.repeat(5_000_000);
const big = defineHandler('big', {}, () => ({ five }));
const join = defineHandler('join', {}, ({ context }) => ({ read: Object.keys(context.dependencyResults).length }));

/** A hundred megabytes go through the database here. */
const WAIT_MS = 80_000;

const names = (name: string) => ({ namespace: 'large', name, version: '1.0.0' });

function fan(parents: number) {
  const names = Array.from({ length: parents }, (_, i) => `s${i}`);
  return {
    ...Object.fromEntries(names.map((name) => [name, { handler: 'big' }])),
    join: { handler: 'join', dependencies: names },
  };
}

describe('a step that may read very large results of others', { timeout: 100_000 }, () => {
  it('fails for good with the sizes and the way out, and the worker goes on', async () => {
    const [large, small] = [names('demo'), names('small')];
    const templates = [template(fan(20), large), template({ a: { handler: 'join' } }, small)];
    const { tasker } = await shared.setup({ a: [] }, { templates, handlers: [big, join], concurrency: 4 });
    const { taskUuid } = await tasker.createTask(large);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: WAIT_MS })).status).toBe('blocked_by_failures');
    const step = await tasker.getStep(taskUuid, 'join');
    expect(step).toMatchObject({
      currentState: 'error',
      results: { error: { error_type: 'dependency_too_large', retryable: false } },
    });
    expect(step.results!.error!.message).toMatch(
      /^step join: the results of the steps before it take 95\.\d MiB, and a step may read 64\.0 MiB at most; keep large/,
    );
    const next = await tasker.createTask(small);
    expect((await tasker.waitForTask(next.taskUuid, { timeoutMs: WAIT_MS })).status).toBe('complete');
    await until(
      () => tasker.stats,
      (stats) => stats?.running === 0 && stats.unrecorded === 0,
    );
  });

  it('fails in the same way on a worker that has to load them', async () => {
    const { tasker, demo, another } = await shared.setup(fan(14));
    const { taskUuid } = await tasker.createTask(demo);
    await settleParents(tasker, taskUuid);
    await another({ handlers: [join] });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: WAIT_MS })).status).toBe('blocked_by_failures');
    expect((await tasker.getStep(taskUuid, 'join')).results!.error!.error_type).toBe('dependency_too_large');
  });

  it('waits for its turn when they are large together with those of others, and runs', async () => {
    const { tasker, demo, another } = await shared.setup(fan(5));
    const tasks = await tasker.createTasks(Array.from({ length: 4 }, () => demo));
    for (const { taskUuid } of tasks) await settleParents(tasker, taskUuid);
    const able = await another({ handlers: [join] });
    for (const { taskUuid } of tasks) {
      expect((await able.waitForTask(taskUuid, { timeoutMs: WAIT_MS })).status).toBe('complete');
      expect((await able.getStep(taskUuid, 'join')).results!.result).toEqual({ read: 5 });
    }
    await until(
      () => able.stats,
      (stats) => stats?.running === 0 && stats.unrecorded === 0 && stats.processed === 4,
    );
  });
});

async function settleParents(tasker: Tasker, taskUuid: string): Promise<void> {
  for (const { name } of await tasker.getSteps(taskUuid))
    if (name !== 'join') await tasker.completeStep(taskUuid, name, { result: { five } });
}

import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { template, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const mega = 'x'.repeat(1_000_000);
const big = defineHandler('big', {}, () => ({ mega }));
const join = defineHandler('join', {}, ({ context }) => ({ read: Object.keys(context.dependencyResults).length }));
const lazyJoin = defineHandler('join', {}, async ({ context }) => {
  const sizes = [];
  for await (const { name, result } of context.dependencies<{ mega: string }>('s'))
    sizes.push([name, result!.mega.length]);
  const one = await context.loadDependency<{ mega: string }>('s3');
  return { names: context.getDependencyResultKeys().length, sizes, one: one!.mega.length };
});

/** Long, because a hundred megabytes pass through the database. */
const WAIT_MS = 80_000;

const names = (name: string) => ({ namespace: 'large', name, version: '1.0.0' });

function fan(parents: number) {
  const names = Array.from({ length: parents }, (_, i) => `s${i}`);
  return {
    ...Object.fromEntries(names.map((name) => [name, { handler: 'big' }])),
    join: { handler: 'join', dependencies: names },
  };
}

describe('a step that may read very large results', () => {
  it('reading all of them together fails permanently, with an error that suggests loading them one by one', async () => {
    const [large, small] = [names('demo'), names('small')];
    const templates = [template(fan(10), large), template({ a: { handler: 'join' } }, small)];
    const { tasker } = await shared.setup({ a: [] }, { templates, handlers: [big, join], concurrency: 4 });
    const { taskUuid } = await tasker.createTask(large);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: WAIT_MS })).status).toBe('blocked_by_failures');
    const step = await tasker.getStep(taskUuid, 'join');
    expect(step).toMatchObject({
      currentState: 'error',
      results: { error: { error_type: 'dependency_too_large', retryable: false } },
    });
    expect(step.results!.error!.message).toMatch(
      /^step join: the result of s0 was not loaded with the step, .* larger than 8 MiB together; read it with await context\.loadDependency\('s0'\)/,
    );
    const next = await tasker.createTask(small);
    expect((await tasker.waitForTask(next.taskUuid, { timeoutMs: WAIT_MS })).status).toBe('complete');
    await until(
      () => tasker.stats,
      (stats) => stats?.running === 0 && stats.unrecorded === 0,
    );
  });

  it('the results can be read one by one, whether or not the worker ran the other steps', async () => {
    const { tasker, demo, another } = await shared.setup(fan(10));
    const expected = { names: 10, sizes: Array.from({ length: 10 }, (_, i) => [`s${i}`, 1_000_000]), one: 1_000_000 };
    const there = await tasker.createTask(demo);
    await settleParents(tasker, there.taskUuid);
    await another({ handlers: [big, lazyJoin] });
    const here = await tasker.createTask(demo);
    for (const { taskUuid } of [there, here]) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: WAIT_MS })).status).toBe('complete');
      expect((await tasker.getStep(taskUuid, 'join')).results!.result).toEqual(expected);
    }
  });

  it('a step whose results do not fit in memory with those of other steps waits, and then runs', async () => {
    const { tasker, demo, another } = await shared.setup(fan(6));
    const tasks = await tasker.createTasks(Array.from({ length: 4 }, () => demo));
    for (const { taskUuid } of tasks) await settleParents(tasker, taskUuid);
    const able = await another({ handlers: [join] });
    for (const { taskUuid } of tasks) {
      expect((await able.waitForTask(taskUuid, { timeoutMs: WAIT_MS })).status).toBe('complete');
      expect((await able.getStep(taskUuid, 'join')).results!.result).toEqual({ read: 6 });
    }
    await until(
      () => able.stats,
      (stats) => stats?.running === 0 && stats.unrecorded === 0 && stats.processed === 4,
    );
  });
});

async function settleParents(tasker: Tasker, taskUuid: string): Promise<void> {
  for (const { name } of await tasker.getSteps(taskUuid))
    if (name !== 'join') await tasker.completeStep(taskUuid, name, { result: { mega } });
}

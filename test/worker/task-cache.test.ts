import { describe, expect, it } from 'vitest';
import type { ClaimedStepRow } from '../../src/engine/engine.ts';
import type { Snapshot } from '../../src/engine/template-store.ts';
import type { DispatchedStep } from '../../src/worker/dispatched-step.ts';
import { Deadlines } from '../../src/worker/running-steps.ts';
import { TaskCache } from '../../src/worker/task-cache.ts';

describe('the size of the task cache', () => {
  it('is the size of the contexts and results of all tasks with held steps', () => {
    const cache = new TaskCache();
    const row = (taskUuid: string) => ({ taskUuid, context: '{"n":1}', revision: 0 }) as ClaimedStepRow;
    const [one, two] = ['one', 'two'].map((taskUuid) => cache.take(row(taskUuid), {} as Snapshot));
    for (const task of [one!, two!]) cache.hold(task, 0);
    expect(cache.bytes).toBe(14);
    cache.keep(one!, 0, '[12345]');
    expect(cache.bytes).toBe(21);
    cache.forget(one!, 0);
    expect(cache.bytes).toBe(7);
    cache.forget(two!, 0);
    expect(cache.bytes).toBe(0);
  });

  it('counts a task again if it is held again after its release', () => {
    const cache = new TaskCache();
    const task = cache.take({ taskUuid: 'one', context: '{"n":1}', revision: 0 } as ClaimedStepRow, {} as Snapshot);
    cache.hold(task, 0);
    cache.forget(task, 0);
    cache.hold(task, 0);
    expect(cache.bytes).toBe(7);
    cache.forget(task, 0);
    expect(cache.bytes).toBe(0);
  });
});

it('a step that restarts without a timeout has no deadline', () => {
  const deadlines = new Deadlines({ held: [], handlerTimeoutMs: 0, expired: () => {} });
  const step = { template: { timeoutSeconds: null }, delivery: { timeoutMs: 60_000 } } as DispatchedStep;
  deadlines.start(step);
  expect(step.deadline).toBeLessThan(Number.POSITIVE_INFINITY);
  step.delivery = undefined;
  deadlines.restart(step);
  expect(step.deadline).toBe(Number.POSITIVE_INFINITY);
  deadlines.stop();
});

it('a step times out only once while its outcome is being recorded', async () => {
  const names = new Map<DispatchedStep, string>();
  const expired: (string | undefined)[] = [];
  const deadlines = new Deadlines({
    held: { [Symbol.iterator]: () => names.keys() },
    handlerTimeoutMs: 0,
    expired: (step) => expired.push(names.get(step)),
  });
  for (const [name, timeoutMs] of [
    ['first', 5],
    ['second', 60],
  ] as const) {
    const step = { template: { timeoutSeconds: null }, delivery: { timeoutMs } } as DispatchedStep;
    names.set(step, name);
    deadlines.start(step);
  }
  await expect.poll(() => expired).toContain('second');
  deadlines.stop();
  expect(expired).toEqual(['first', 'second']);
});

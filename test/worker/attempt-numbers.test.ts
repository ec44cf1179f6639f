import { describe, expect, it } from 'vitest';
import { taskTimeline } from '../../src/app/json/timeline.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { notYet } from '../../src/handlers/later.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { logInfo } from '../../src/logging/log.ts';
import { deferred, invariants, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 30_000 };
const TWICE = { retry: { max_attempts: 2, backoff: 'none' } };
const EVENT = { name: 'a.ended', description: 'd', condition: 'always', schema: {} };

/** Runs one task with the step `a`. `seen` has `context.attempt` of each start. */
async function taskOf(run: (context: StepContext) => unknown, step: Record<string, unknown> = TWICE) {
  const seen: number[] = [];
  const handler = defineHandler('a', {}, ({ context }) => {
    seen.push(context.attempt);
    logInfo('here');
    return run(context);
  });
  const made = await shared.setup(
    { a: { ...step, publishes_events: [EVENT] } },
    { handlers: [handler], stepLogs: 'all' },
  );
  const { taskUuid } = await made.tasker.createTask(made.demo);
  return { ...made, taskUuid, seen };
}

const attempts = async (tasker: Tasker, taskUuid: string) =>
  (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');

/** The numbers of the attempts in the history, with their outcomes. */
const history = async (tasker: Tasker, taskUuid: string) =>
  (await attempts(tasker, taskUuid)).map(({ attempt, what }) => [attempt, what]);

/** The numbers of the attempts at the doors that show ended attempts, once `count` of them are written. */
async function doors(tasker: Tasker, taskUuid: string, count: number) {
  const logs = await until(
    () => tasker.getStepLogs(taskUuid, 'a'),
    (found) => found.length === count,
  );
  const [task, steps, history, waits, { graph }] = await Promise.all([
    tasker.getTask(taskUuid),
    tasker.getSteps(taskUuid),
    tasker.getHistory(taskUuid),
    tasker.getWaits(taskUuid),
    tasker.engine.snapshotOf(taskUuid),
  ]);
  const timeline = taskTimeline({ task, steps, history, waits, graph }, new Date().toISOString());
  return {
    logs: logs.map(({ attempt }) => attempt),
    timeline: timeline.steps[0]!.spans.filter(({ kind }) => kind === 'running').map(({ attempt }) => attempt),
    events: (await tasker.events.list({ taskUuid })).map(({ attempt }) => attempt).reverse(),
  };
}

function fail(): never {
  throw new PermanentError('the bank refused the card');
}

describe('the number of an attempt is the same in its handler and in the history', () => {
  it('after a draining worker released the step', async () => {
    const blocked = deferred();
    const { tasker, taskUuid, seen, another } = await taskOf(() =>
      seen.length === 1 ? blocked.promise : { done: true },
    );
    await until(
      async () => seen.length,
      (starts) => starts === 1,
    );
    await tasker.stop({ drainTimeoutMs: 0 });
    const other = await another();
    expect((await other.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    blocked.resolve();
    expect(seen).toEqual([1, 1]);
    expect(await history(other, taskUuid)).toEqual([
      [1, 'released'],
      [1, 'completed'],
    ]);
    expect((await other.getStep(taskUuid, 'a')).attempts).toBe(1);
    expect((await doors(other, taskUuid, 2)).timeline).toEqual([1, 1]);
  });

  it('when the handler asked to be called again', async () => {
    const { tasker, taskUuid, seen } = await taskOf(() => {
      if (seen.length === 1) throw new Error('again');
      return seen.length < 4 ? notYet({ retryInMs: 10 }) : {};
    });
    await tasker.waitForTask(taskUuid, WAIT);
    expect(seen).toEqual([1, 2, 2, 2]);
    expect(await history(tasker, taskUuid)).toEqual([
      [1, 'failed'],
      [2, 'completed'],
    ]);
    expect(await doors(tasker, taskUuid, 4)).toEqual({ logs: [1, 2, 2, 2], timeline: [1, 2], events: [1, 2] });
    expect(await tasker.getWaits(taskUuid)).toMatchObject([{ kind: 'call', attempt: 2 }]);
  });

  it('after a reset, which counts the attempts from 1 again', async () => {
    const { tasker, taskUuid, seen } = await taskOf(() => {
      if (seen.length < 3) throw new Error('again');
      return seen.length === 3 ? fail() : {};
    });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('blocked_by_failures');
    await tasker.resetStep(taskUuid, 'a', {});
    await until(
      () => history(tasker, taskUuid),
      (found) => found.length === 3,
    );
    await until(
      () => tasker.getStep(taskUuid, 'a'),
      ({ currentState }) => currentState === 'error',
    );
    await tasker.resetStep(taskUuid, 'a', {});
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect(seen).toEqual([1, 2, 1, 1]);
    expect(await history(tasker, taskUuid)).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [1, 'failed'],
      [1, 'completed'],
    ]);
    expect(await doors(tasker, taskUuid, 4)).toEqual({
      logs: [1, 2, 1, 1],
      timeline: [1, 2, 1, 1],
      events: [1, 2, 1, 1],
    });
  });

  it('after a rerun, which counts the attempts from 1 again', async () => {
    const { tasker, taskUuid, seen } = await taskOf(() => {
      if (seen.length === 1) throw new Error('again');
      return {};
    });
    await tasker.waitForTask(taskUuid, WAIT);
    await tasker.rerunTask(taskUuid, { from: 'a' });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect(seen).toEqual([1, 2, 1]);
    const found = await attempts(tasker, taskUuid);
    expect(found.map(({ attempt, rerun }) => [attempt, rerun])).toEqual([
      [1, 0],
      [2, 0],
      [1, 1],
    ]);
    expect(await tasker.getEarlierRuns(taskUuid)).toMatchObject([{ rerun: 0, lastAttempt: 2 }]);
    expect(await doors(tasker, taskUuid, 3)).toEqual({ logs: [1, 2, 1], timeline: [1, 2, 1], events: [1, 2, 1] });
  });

  it('when an attempt after a reset is cancelled, and in the list of steps while it runs', async () => {
    const blocked = deferred();
    const { tasker, taskUuid, seen, demo } = await taskOf(() => (seen.length === 1 ? fail() : blocked.promise));
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('blocked_by_failures');
    const listed = (state: string) =>
      until(
        () => tasker.listSteps({ namespace: demo.namespace }),
        (page) => page.steps[0]?.currentState === state,
      );
    // On a slow machine, the list may still show the first attempt as in progress.
    await listed('error');
    await tasker.resetStep(taskUuid, 'a', {});
    const { steps } = await listed('in_progress');
    expect(steps.map(({ attempts }) => attempts)).toEqual([1]);
    await tasker.cancelTask(taskUuid);
    blocked.resolve();
    expect(await history(tasker, taskUuid)).toEqual([
      [1, 'failed'],
      [1, 'cancelled'],
    ]);
  });
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));

import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { notYet } from '../../../src/handlers/later.ts';
import type { StepContext } from '../../../src/handlers/step-context.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { invariants, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 30_000 };

/** A handler that returns `notYet` until its `total`th call, and counts its calls in its checkpoint. */
function polling(total: number, retryInMs = 30) {
  return defineHandler('poll', {}, ({ context }) => {
    const calls = Number(context.checkpointCursor ?? 0) + 1;
    if (calls < total) return notYet({ retryInMs, checkpoint: calls });
    return { calls, attempt: context.attempt };
  });
}

async function failureOf(tasker: Awaited<ReturnType<typeof shared.setup>>['tasker'], taskUuid: string) {
  await tasker.waitForTask(taskUuid, WAIT);
  const { currentState, attempts, results } = await tasker.getStep(taskUuid, 'poll');
  return { state: currentState, attempts, type: results?.error?.error_type, message: results?.error?.message };
}

describe('a handler that returns notYet', () => {
  it('is called again with its checkpoint within one attempt, which has one row in the history', async () => {
    const { tasker, demo } = await shared.setup(
      { poll: { retry: { max_attempts: 1 } } },
      { handlers: [polling(4, 120)], concurrency: 1 },
    );
    const run = async () => {
      const from = performance.now();
      const { taskUuid } = await tasker.createTask(demo);
      expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
      expect(performance.now() - from).toBeGreaterThan(360);
      const step = await tasker.getStep(taskUuid, 'poll');
      expect(step).toMatchObject({ attempts: 1, results: { result: { calls: 4, attempt: 1 } } });
      const attempts = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
      expect(attempts).toHaveLength(1);
      const { calls, startedAt } = attempts[0]!;
      expect(calls!.count).toBe(4);
      const [first, last] = [Date.parse(calls!.first), Date.parse(calls!.last)];
      expect(last - first).toBeGreaterThanOrEqual(340);
      return last - first < 5_000 ? Math.abs(last - Date.parse(startedAt!)) : Number.POSITIVE_INFINITY;
    };
    expect(await leastOf(200, run)).toBeLessThan(200);
    await invariants(shared.sql);
  });

  it('can pass a progress object as its checkpoint, and keeps the last checkpoint if it passes none', async () => {
    const seen: unknown[] = [];
    const handler = defineHandler('poll', {}, ({ context }) => {
      const { checkpointCursor: cursor, checkpointItemsProcessed: items, accumulatedResults: sums } = context;
      seen.push({ cursor, items, sums });
      if (seen.length === 1)
        return notYet({
          retryInMs: 10,
          checkpoint: { cursor: { page: 2 }, itemsProcessed: 20, accumulatedResults: { sum: 5 } },
        });
      return seen.length === 2 ? notYet({ retryInMs: 10 }) : {};
    });
    const { tasker, demo } = await shared.setup({ poll: [] }, { handlers: [handler] });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const saved = { cursor: { page: 2 }, items: 20, sums: { sum: 5 } };
    expect(seen).toEqual([{ cursor: null, items: 0, sums: null }, saved, saved]);
  });

  it('has its calls counted separately in each attempt', async () => {
    const throwing = defineHandler('poll', {}, async ({ context }) => {
      const calls = Number(context.checkpointCursor ?? 0) + 1;
      if (calls === 3) {
        await context.checkpoint({ cursor: 3 });
        throw new Error('bank is closed');
      }
      return calls < 6 ? notYet({ retryInMs: 10, checkpoint: calls }) : { calls };
    });
    const { tasker, demo } = await shared.setup(
      { poll: { retry: { backoff: 'none' }, wait: { max_calls: 4 } } },
      { handlers: [throwing], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const attempts = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
    expect(attempts.map(({ what, calls }) => [what, calls?.count])).toEqual([
      ['failed', 3],
      ['completed', 3],
    ]);
  });

  it('fails with wait_timeout after max_calls calls', async () => {
    const { tasker, demo } = await shared.setup(
      { poll: { wait: { max_calls: 3 } } },
      { handlers: [polling(100, 10)], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect(await failureOf(tasker, taskUuid)).toEqual({
      state: 'error',
      attempts: 1,
      type: 'wait_timeout',
      message: 'step poll: its handler asked to be called again after 3 calls, which is the limit (wait.max_calls)',
    });
    const history = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
    expect(history.map(({ calls }) => calls?.count)).toEqual([3]);
  });

  it('has all its calls again after an operator has reset the step', async () => {
    const { tasker, demo } = await shared.setup(
      { poll: { wait: { max_calls: 3 } } },
      { handlers: [polling(5, 10)], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect(await failureOf(tasker, taskUuid)).toMatchObject({ state: 'error', type: 'wait_timeout' });
    await tasker.resetStep(taskUuid, 'poll');
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const history = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
    expect(history.map(({ what, calls }) => [what, calls?.count])).toEqual([
      ['failed', 3],
      ['completed', 3],
    ]);
  });

  it('is called for the last time at its timeout, and then fails with wait_timeout', async () => {
    const { tasker, demo } = await shared.setup(
      { poll: { wait: { timeout: 0.6 } } },
      { handlers: [polling(100, 400)], logger: silentLogger },
    );
    let failure: Awaited<ReturnType<typeof failureOf>>;
    const run = () =>
      msOf(async () => {
        failure = await failureOf(tasker, (await tasker.createTask(demo)).taskUuid);
      });
    expect(await leastOf(4_000, run, 3)).toBeLessThan(4_000);
    expect(failure!).toMatchObject({ state: 'error', attempts: 1, type: 'wait_timeout' });
    // On a busy machine, the second call may already be at the limit.
    expect(failure!.message).toMatch(
      /^step poll: its handler asked to be called again after [23] calls, but 0\.6s have passed since the first call, which is the limit \(wait\.timeout\)$/,
    );
  });

  it('is rejected in a step that is not retryable, without saving its checkpoint', async () => {
    const { tasker, demo } = await shared.setup(
      { poll: { retry: { retryable: false } } },
      { handlers: [polling(2)], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect(await failureOf(tasker, taskUuid)).toEqual({
      state: 'error',
      attempts: 1,
      type: 'wait_refused',
      message:
        'step poll: its handler asked to be called again, but the step is not retryable; if calling it again is safe, add wait: { repeatable: true } to the step',
    });
    expect(await shared.sql(`select 1 from tasker.checkpoint where task_uuid = $1`, [taskUuid])).toEqual([]);
  });

  it('is called again in a step that is not retryable but repeatable', async () => {
    const { tasker, demo } = await shared.setup(
      { poll: { retry: { retryable: false }, wait: { repeatable: true } } },
      { handlers: [polling(3)] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'poll')).results!.result).toMatchObject({ calls: 3 });
  });

  it('fails permanently if its checkpoint cannot be stored, and names the path', async () => {
    const handler = defineHandler('poll', {}, () => notYet({ retryInMs: 10, checkpoint: { ids: [1n] } }));
    const { tasker, demo } = await shared.setup({ poll: [] }, { handlers: [handler], logger: silentLogger });
    const { taskUuid } = await tasker.createTask(demo);
    expect(await failureOf(tasker, taskUuid)).toMatchObject({
      state: 'error',
      attempts: 1,
      type: 'checkpoint_error',
      message: expect.stringContaining('checkpoint.cursor.ids[0]') as string,
    });
  });

  it('is not called again after its task was cancelled', async () => {
    let calls = 0;
    const handler = defineHandler('poll', {}, () => {
      calls++;
      return notYet({ retryInMs: 3_600_000 });
    });
    const { tasker, demo } = await shared.setup({ poll: [] }, { handlers: [handler] });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'poll'),
      (step) => step.currentState === 'waiting',
    );
    await tasker.cancelTask(taskUuid);
    await shared.sql('update tasker.wait set until = now(), due_at = now() where task_uuid = $1', [taskUuid]);
    await tasker.engine.endDueWaits();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(calls).toBe(1);
  });

  it('receives a new token in each call', async () => {
    const tokens: string[] = [];
    const handler = defineHandler('poll', {}, async ({ context }: { context: StepContext }) => {
      tokens.push(await context.completionToken());
      return tokens.length < 3 ? notYet({ retryInMs: 10 }) : {};
    });
    const { tasker, demo } = await shared.setup({ poll: [] }, { handlers: [handler] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, WAIT);
    expect(new Set(tokens).size).toBe(3);
  });
});

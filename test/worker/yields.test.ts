import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { openSession } from '../support/database.ts';
import { DEMO, deferred, invariants, RETRY_AT_ONCE, setup, template, until } from '../support/setup.ts';

const yieldAt = (cursor: number) =>
  StepHandlerResult.success(
    { type: 'checkpoint_yield', cursor, items_processed: cursor },
    { checkpoint_yield: true, batch_worker: true },
  );

describe('a handler that yields repeatedly', () => {
  it('releases its step when its worker stops, and another worker continues from the checkpoint', async () => {
    const yielded = deferred();
    const endless = defineHandler('a', {}, ({ context }) => {
      const cursor = Number(context.checkpointCursor ?? 0);
      if (cursor === 20) yielded.resolve();
      return yieldAt(cursor + 1);
    });
    const { tasker, sql, another } = await setup({
      templates: template({ a: { retry: { max_attempts: 1 } } }),
      worker: false,
      logger: silentLogger,
    });
    const first = await another({ worker: true, handlers: [endless] });
    const { taskUuid } = await tasker.createTask(DEMO);
    await yielded.promise;
    await first.stop({ drainTimeoutMs: 10_000 });
    expect(await tasker.getStep(taskUuid, 'a')).toMatchObject({ currentState: 'enqueued', attempts: 0 });
    const last = defineHandler('a', {}, ({ context }) => ({
      from: context.checkpointCursor,
      attempt: context.attempt,
    }));
    await another({ worker: true, handlers: [last] });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    const { result } = (await tasker.getStep(taskUuid, 'a')).results as { result: { from: number; attempt: number } };
    expect(result.from).toBeGreaterThanOrEqual(20);
    expect(result.attempt).toBe(1);
    await invariants(sql);
  });

  it('is not called again after its task was cancelled', async () => {
    const yielded = deferred();
    const endless = defineHandler('a', {}, ({ context }) => {
      const cursor = Number(context.checkpointCursor ?? 0);
      if (cursor === 20) yielded.resolve();
      return yieldAt(cursor + 1);
    });
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: [endless], logger: silentLogger });
    const { taskUuid } = await tasker.createTask(DEMO);
    await yielded.promise;
    await tasker.cancelTask(taskUuid);
    await until(
      () => tasker.stats!,
      ({ running, unrecorded }) => running === 0 && unrecorded === 0,
    );
    expect((await tasker.getTask(taskUuid)).status).toBe('cancelled');
    await invariants(sql);
  });
});

it('a step whose checkpoint waits for a lock times out and continues from the previous checkpoint', async () => {
  const [saved, locked] = [deferred(), deferred()];
  const handler = defineHandler('a', {}, async ({ context }) => {
    if (context.attempt > 1) return { from: context.checkpointCursor };
    await context.checkpoint({ cursor: 1 });
    saved.resolve();
    await locked.promise;
    await context.checkpoint({ cursor: 2 });
    return { from: 'never' };
  });
  const { tasker, sql, url } = await setup({
    templates: template({ a: { retry: RETRY_AT_ONCE } }),
    handlers: [handler],
    handlerTimeoutMs: 700,
    logger: silentLogger,
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await saved.promise;
  const holder = await openSession(url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.step where task_uuid = $1 for update', [taskUuid]);
  locked.resolve();
  // The recording of the attempt waits for the same row.
  await until(
    () =>
      sql(`select 1 from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%record_steps%'`),
    (waiting) => waiting.length > 0,
  );
  await holder.query('rollback');
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  const step = await tasker.getStep(taskUuid, 'a');
  expect(step.attempts).toBe(2);
  // The second checkpoint may have been saved before the attempt ended.
  expect([1, 2]).toContain((step.results!.result as { from: number }).from);
  await invariants(sql);
});

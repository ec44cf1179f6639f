import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { deferred, invariants, setup, states, template, until } from '../../support/setup.ts';

const STEPS = { late: [], broken: [], quick: [], last: ['late', 'broken', 'quick'] };

/** A task with a step that waits an hour for its retry, a step that failed, and a step that completed. */
async function halfFailed() {
  let fixed = false;
  const handlers = [
    defineHandler('late', {}, () => {
      if (!fixed) throw new RetryableError('the bank answered 503', { retryAfter: 3600 });
      return {};
    }),
    defineHandler('broken', {}, () => {
      if (!fixed) throw new PermanentError('declined');
      return {};
    }),
    defineHandler('quick', {}, () => ({})),
    defineHandler('last', {}, () => ({})),
  ];
  const made = await setup({ templates: template(STEPS), handlers, logger: silentLogger });
  const { taskUuid } = await made.tasker.createTask({ namespace: 'test', name: 'demo', idempotencyKey: 'k' });
  const before = { late: 'waiting_for_retry', broken: 'error', quick: 'complete', last: 'pending' };
  await until(
    () => states(made.tasker, taskUuid),
    (seen) => JSON.stringify(seen) === JSON.stringify(before),
  );
  return { ...made, taskUuid, fix: () => (fixed = true) };
}

it('a step that waits for a retry is retried immediately, and keeps its number of attempts', async () => {
  const { tasker, sql, taskUuid } = await halfFailed();
  await tasker.retryStep(taskUuid, 'late', { actor: 'ada', reason: 'bank is back' });
  await until(
    () => tasker.getStep(taskUuid, 'late'),
    (step) => step.attempts === 2 && step.currentState === 'waiting_for_retry',
  );
  // The timer of the first wait is gone; the second failure created a new one.
  expect(await sql('select count(*)::int n from tasker.timer')).toEqual([{ n: 1 }]);
  expect((await tasker.audit()).entries).toMatchObject([
    { action: 'retry', step: 'late', fromState: 'waiting_for_retry', toState: 'enqueued', actor: 'ada' },
  ]);
  await invariants(sql);
});

it('retryTask retries every failed and every waiting step, and then has nothing to retry', async () => {
  const { tasker, sql, taskUuid, fix } = await halfFailed();
  fix();
  expect(await tasker.retryTask(taskUuid)).toEqual(['late', 'broken']);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  await expect(tasker.retryTask(taskUuid)).rejects.toMatchObject({
    code: 'illegal_transition',
    message: expect.stringContaining('has no step to retry: it is in complete'),
  });
  await expect(tasker.retryTask('00000000-0000-0000-0000-000000000000')).rejects.toMatchObject({
    code: 'task_not_found',
  });
  await invariants(sql);
});

it('a retried step is listed with the time of the retry, as in the queue', async () => {
  const { tasker, taskUuid } = await halfFailed();
  await tasker.worker!.stop({ drainTimeoutMs: 100 });
  for (const step of ['late', 'broken']) {
    await tasker.retryStep(taskUuid, step);
    const { entries } = await tasker.audit();
    await tasker.engine.search.flush();
    const { steps } = await tasker.listSteps({ stepState: 'enqueued', step });
    expect(steps).toMatchObject([{ name: step, since: entries[0]!.at }]);
  }
});

it('a retry of a step in another state is rejected, and so is a reset of a waiting step', async () => {
  const { tasker, taskUuid } = await halfFailed();
  await expect(tasker.retryStep(taskUuid, 'quick')).rejects.toThrow(
    'cannot be retried: it is in complete, and retry requires error or waiting_for_retry',
  );
  await expect(tasker.resetStep(taskUuid, 'late')).rejects.toThrow(
    'cannot be reset: it is in waiting_for_retry, and reset requires error',
  );
});

it('only one of two concurrent retries of the same failure has an effect', async () => {
  const { tasker, sql, taskUuid, another } = await halfFailed();
  const other = await another({ worker: false });
  const answers = await Promise.allSettled([
    tasker.retryStep(taskUuid, 'broken'),
    other.retryStep(taskUuid, 'broken'),
    other.retryTask(taskUuid),
  ]);
  expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true);
  const resets = (await tasker.audit({ action: 'reset' })).entries.length;
  const runs = `select count(*)::int n from tasker.history h join tasker.template_step d on d.idx = h.idx where d.name = 'broken'`;
  await until(
    () => sql<{ n: number }>(runs),
    ([row]) => row!.n === resets + 1,
  );
  await invariants(sql);
});

it('resolveTask ends a task by hand, and takes its running steps from their worker', async () => {
  const signalled = deferred();
  const gate = deferred();
  const busy = defineHandler('busy', {}, async ({ context }) => {
    context.signal.addEventListener('abort', () => signalled.resolve());
    await gate.promise;
    return {};
  });
  const templates = template({ busy: [], next: ['busy'] });
  const { tasker, sql } = await setup({ templates, handlers: [busy, defineHandler('next', {}, () => ({}))] });
  const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'demo' });
  await until(
    () => states(tasker, taskUuid),
    (seen) => seen.busy === 'in_progress',
  );
  const waiting = tasker.waitForTask(taskUuid);
  expect(await tasker.resolveTask(taskUuid, { actor: 'ada', reason: 'done by phone' })).toBe(true);
  expect((await waiting).status).toBe('resolved_manually');
  await signalled.promise;
  gate.resolve();
  expect(await states(tasker, taskUuid)).toEqual({ busy: 'cancelled', next: 'cancelled' });
  expect(await tasker.resolveTask(taskUuid)).toBe(false);
  expect(await tasker.cancelTask(taskUuid)).toBe(false);
  expect((await tasker.audit({ action: 'resolve' })).entries).toMatchObject([
    { fromState: 'steps_in_process', toState: 'resolved_manually', reason: 'done by phone' },
  ]);
  await invariants(sql);
});

it('deleteTask removes every row of an ended task except its audit and its events', async () => {
  const { tasker, sql, taskUuid } = await halfFailed();
  await sql(
    `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
     values ($1, 'order.paid', $1, 0, 1, 'default', '{}', '{}')`,
    [taskUuid],
  );
  await expect(tasker.deleteTask(taskUuid)).rejects.toThrow(
    'cannot be deleted: it has not ended, it is in waiting_for_retry; cancel or resolve it first',
  );
  await tasker.retryStep(taskUuid, 'broken');
  await tasker.pause({ task: taskUuid });
  await tasker.cancelTask(taskUuid);
  await sql(
    `insert into tasker.step_log (task_uuid, idx, attempt, lines) values ($1, 0, 1, '[]') on conflict do nothing`,
    [taskUuid],
  );
  await sql(
    `insert into tasker.earlier_step (task_uuid, idx, rerun, replaced_by, state, attempts) values ($1, 0, 0, 1, 'complete', 1)`,
    [taskUuid],
  );
  await tasker.engine.search.flush();
  await tasker.deleteTask(taskUuid, { actor: 'ada', reason: 'asked by the customer' });
  await tasker.engine.search.flush();
  const tables = await sql<{ name: string }>(`
    select table_name as name from information_schema.columns where table_schema = 'tasker' and column_name = 'task_uuid'`);
  const left: string[] = [];
  for (const { name } of tables) {
    const [row] = await sql<{ n: number }>(`select count(*)::int n from tasker.${name} where task_uuid = $1`, [
      taskUuid,
    ]);
    if (row!.n > 0) left.push(name);
  }
  expect(left.sort()).toEqual(['domain_event', 'operator_action']);
  expect((await tasker.audit({ task: taskUuid })).entries).toMatchObject([
    { action: 'delete', fromState: 'cancelled', toState: null, details: { template: 'test/demo@1.0.0' } },
    { action: 'cancel' },
    { action: 'pause' },
    { action: 'reset', step: 'broken' },
  ]);
  await expect(tasker.deleteTask(taskUuid)).rejects.toMatchObject({ code: 'task_not_found' });
  await expect(tasker.getTask(taskUuid)).rejects.toMatchObject({ code: 'task_not_found' });
  // Its identity is free again.
  const again = await tasker.createTask({ namespace: 'test', name: 'demo', idempotencyKey: 'k' });
  expect(again).toMatchObject({ created: true });
});

import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { openSession } from '../support/database.ts';
import { DEMO, deferred, invariants, RETRY_AT_ONCE, setup, template, until } from '../support/setup.ts';

it('a locked task with several running steps does not delay other tasks', async () => {
  const gates = new Map(['a', 'b', 'c', 'd'].map((name) => [name, deferred()]));
  const steps = Object.fromEntries([...gates.keys()].map((name) => [name, []]));
  const handlers = [...gates].map(([name, gate]) =>
    defineHandler(name, {}, async ({ context }) => {
      if (context.getInput('locked')) await gate.promise;
      return {};
    }),
  );
  const { tasker, sql, url } = await setup({ templates: template(steps), handlers });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { locked: true } });
  await until(
    () => tasker.stats?.running,
    (running) => running === 4,
  );
  const holder = await openSession(url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [taskUuid]);
  for (const gate of gates.values()) {
    gate.resolve();
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  for (let i = 0; i < 5; i++) {
    const other = await tasker.createTask(DEMO);
    expect((await tasker.waitForTask(other.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  }
  await holder.query('rollback');
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await invariants(sql);
});

it('the results of several locked tasks are all recorded when their locks are released', async () => {
  const gate = deferred();
  const { logger, lines } = collectingLogger();
  const handlers = [defineHandler('a', {}, () => gate.promise.then(() => ({})))];
  const { tasker, sql, url } = await setup({ templates: template({ a: [] }), handlers, logger });
  const tasks = await tasker.createTasks([DEMO, DEMO, DEMO]);
  await until(
    () => tasker.stats?.running,
    (running) => running === tasks.length,
  );
  const holder = await openSession(url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.task for update');
  gate.resolve();
  // After five tries, each task is recorded separately. Waits for some more tries of each.
  await until(
    () => lines.filter((line) => line.message.includes('recording of results failed')).length,
    (tries) => tries >= 10,
    60_000,
  );
  await holder.query('rollback');
  for (const { taskUuid } of tasks)
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await invariants(sql);
});

it('a due retry is not delayed by another retry whose task is locked', async () => {
  // Both retries are made due below, under the lock, so that none is due before that on a busy machine.
  const retry = { backoff: 'linear', backoff_base_ms: 600_000, max_attempts: 2 };
  const flaky = defineHandler('a', {}, ({ context }) => {
    if (context.retryCount === 0) throw new Error('again');
    return {};
  });
  const { tasker, sql, url } = await setup({ templates: template({ a: { retry } }), handlers: [flaky], poolSize: 4 });
  const [held, free] = await tasker.createTasks([DEMO, DEMO]);
  await until(
    async () => (await tasker.listTasks({ status: 'waiting_for_retry' })).length,
    (count) => count === 2,
  );
  const holder = await openSession(url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [held!.taskUuid]);
  await sql('update tasker.step set next_at = now()');
  // The locked task is due first.
  await sql(
    `update tasker.timer set due_at = now() - case when task_uuid = $1 then interval '1 second' else interval '0' end`,
    [held!.taskUuid],
  );
  expect((await tasker.waitForTask(free!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  // No statements pile up behind the lock: callers still get responses.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect((await tasker.createTasks([DEMO])).length).toBe(1);
  const [{ waiting }] = (await sql(
    `select count(*)::int waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )) as [{ waiting: number }];
  expect(waiting).toBeLessThanOrEqual(1);
  await holder.query('rollback');
  expect((await tasker.waitForTask(held!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await invariants(sql);
});

it('an operator gets an error for a locked task, and the abandoned action does not happen later', async () => {
  const fail = defineHandler('a', {}, () => {
    throw new Error('no');
  });
  const retry = { max_attempts: 1, ...RETRY_AT_ONCE };
  const { tasker, url } = await setup({ templates: template({ a: { retry } }), handlers: [fail] });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const holder = await openSession(url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [taskUuid]);
  await expect(tasker.cancelTask(taskUuid)).rejects.toThrow(
    `task ${taskUuid} is locked by another transaction and was`,
  );
  await holder.query('rollback');
  expect((await tasker.getTask(taskUuid)).status).toBe('blocked_by_failures');
});

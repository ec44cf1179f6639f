import pg from 'pg';
import { expect, test } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

const HANDLERS = [defineHandler('a', {}, () => ({ ok: true }))];
const DEMO_OF_A = [template({ a: [], b: { handler: 'a', dependencies: ['a'] } })];

test('a task with delayMs is pending until its start, and its identity exists from its creation', async () => {
  const { tasker } = await setup({ templates: DEMO_OF_A, handlers: HANDLERS });
  const later = { ...DEMO, idempotencyKey: 'later', delayMs: 3_600_000 };
  expect((await tasker.getTask((await tasker.createTask(later)).taskUuid)).status).toBe('pending');
  await expect(tasker.createTask(later)).rejects.toMatchObject({ code: 'conflict' });
  const began = performance.now();
  const { taskUuid } = await tasker.createTask({ ...DEMO, delayMs: 800 });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(performance.now() - began).toBeGreaterThan(750);
});

test('a task that starts later can be started now, rescheduled and cancelled', async () => {
  const { tasker, sql } = await setup({ templates: DEMO_OF_A, handlers: HANDLERS });
  const later = { ...DEMO, startAt: new Date(Date.now() + 86_400_000) };
  const [now, soon, never] = await tasker.createTasks([later, later, later]);
  await tasker.startTaskNow(now!.taskUuid, { actor: 'ann' });
  expect((await tasker.waitForTask(now!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await expect(tasker.startTaskNow(now!.taskUuid)).rejects.toThrow(/cannot be started: it ended as complete/);
  await tasker.rescheduleTask(soon!.taskUuid, Date.now() + 300);
  expect((await tasker.waitForTask(soon!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(await tasker.cancelTask(never!.taskUuid)).toBe(true);
  await expect(tasker.rescheduleTask(never!.taskUuid, Date.now())).rejects.toThrow(/it ended as cancelled/);
  expect(await sql(`select count(*)::int n from tasker.wait where ended_at is null`)).toEqual([{ n: 0 }]);
  expect(await sql(`select sum(n_wait)::int n from tasker.task`)).toEqual([{ n: 0 }]);
});

test('reschedule and move count a delay from now by the clock of the database', async () => {
  const { tasker, sql } = await setup({
    templates: [template({ wait: { handler: null, type: 'timer', timer: { for: '1d' } } })],
    handlers: HANDLERS,
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, delayMs: 86_400_000 });
  const left = () =>
    sql<{ s: number }>(
      `select extract(epoch from until - now())::int s from tasker.wait where task_uuid = $1 and ended_at is null`,
      [taskUuid],
    );
  await tasker.rescheduleTask(taskUuid, { delayMs: 3_600_000 });
  const [start] = await left();
  expect(start!.s).toBeGreaterThan(3_500);
  expect(start!.s).toBeLessThanOrEqual(3_600);
  await tasker.startTaskNow(taskUuid);
  await until(
    () => tasker.getStep(taskUuid, 'wait'),
    ({ currentState }) => currentState === 'waiting',
  );
  await tasker.moveTimer(taskUuid, 'wait', { delayMs: 7_200_000 });
  expect((await left()).at(-1)!.s).toBeGreaterThan(7_000);
  for (const delayMs of [-1, Number.NaN, 1e20]) {
    await expect(tasker.moveTimer(taskUuid, 'wait', { delayMs })).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('the time of the timer: delayMs must be a number of milliseconds'),
    });
  }
});

test('the steps of a task that has not started cannot be settled by hand, so that nothing runs before its start', async () => {
  const { tasker, sql } = await setup({ templates: DEMO_OF_A, handlers: HANDLERS });
  const { taskUuid } = await tasker.createTask({ ...DEMO, delayMs: 86_400_000 });
  for (const settle of [
    () => tasker.resolveStep(taskUuid, 'a'),
    () => tasker.completeStep(taskUuid, 'a', { result: { by: 'hand' } }),
  ]) {
    await expect(settle()).rejects.toMatchObject({
      code: 'illegal_transition',
      message: expect.stringMatching(/cannot be (resolved|completed) yet: it starts at .*tasker task start-now/),
    });
  }
  expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 0 }]);
  expect(await tasker.getTask(taskUuid)).toMatchObject({ status: 'pending' });
  await tasker.startTaskNow(taskUuid);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
});

test('with a client, the task exists if the transaction of the caller commits', async () => {
  const { tasker, url, sql } = await setup({ templates: DEMO_OF_A, handlers: HANDLERS });
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query('begin');
    await tasker.createTask(DEMO, { client });
    await client.query('rollback');
    expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: 0 }]);
    await client.query('begin');
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { n: 1 } }, { client });
    await client.query('commit');
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  } finally {
    await client.end();
  }
});

test('a malformed start is rejected', async () => {
  const { tasker } = await setup({ templates: DEMO_OF_A, worker: false });
  await expect(tasker.createTask({ ...DEMO, delayMs: -1 })).rejects.toThrow(/delayMs must be a number of milliseconds/);
  await expect(tasker.createTask({ ...DEMO, startAt: '2026-01-01' })).rejects.toThrow(
    /startAt: it must be ISO 8601 with a time zone/,
  );
  await expect(tasker.createTask({ ...DEMO, startAt: '+300000-01-01T00:00:00Z' })).rejects.toThrow(
    /the year must be from 1970 to 9999/,
  );
  await expect(tasker.createTask({ ...DEMO, startAt: new Date(), delayMs: 1 })).rejects.toThrow(/cannot be combined/);
});

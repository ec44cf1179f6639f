import pg from 'pg';
import { expect, test } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

const HANDLERS = [defineHandler('a', {}, () => ({ ok: true }))];
const DEMO_OF_A = [template({ a: [], b: { handler: 'a', dependencies: ['a'] } })];

test('a task with delayMs is pending until then, and its identity counts from its creation', async () => {
  const { tasker } = await setup({ templates: DEMO_OF_A, handlers: HANDLERS });
  const request = { ...DEMO, idempotencyKey: 'k', delayMs: 800 };
  const began = performance.now();
  const { taskUuid } = await tasker.createTask(request);
  expect((await tasker.getTask(taskUuid)).status).toBe('pending');
  await expect(tasker.createTask(request)).rejects.toMatchObject({ code: 'conflict' });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(performance.now() - began).toBeGreaterThan(750);
});

test('a task that starts later can be started now, rescheduled and cancelled', async () => {
  const { tasker, sql } = await setup({ templates: DEMO_OF_A, handlers: HANDLERS });
  const later = { ...DEMO, startAt: new Date(Date.now() + 86_400_000) };
  const [now, soon, never] = await tasker.createTasks([later, later, later]);
  await tasker.startTaskNow(now!.taskUuid, { actor: 'ann' });
  expect((await tasker.waitForTask(now!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await expect(tasker.startTaskNow(now!.taskUuid)).rejects.toThrow(/can't be started: it ended as complete/);
  await tasker.rescheduleTask(soon!.taskUuid, Date.now() + 300);
  expect((await tasker.waitForTask(soon!.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  expect(await tasker.cancelTask(never!.taskUuid)).toBe(true);
  await expect(tasker.rescheduleTask(never!.taskUuid, Date.now())).rejects.toThrow(/it ended as cancelled/);
  expect(await sql(`select count(*)::int n from tasker.wait where ended_at is null`)).toEqual([{ n: 0 }]);
  expect(await sql(`select sum(n_wait)::int n from tasker.task`)).toEqual([{ n: 0 }]);
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

test('a malformed start is refused', async () => {
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

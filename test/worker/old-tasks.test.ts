import { expect, it } from 'vitest';
import { defineHandler } from '../../src/index.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('a task completes after a wait longer than the 24.8 days of a 32-bit number of milliseconds', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [], b: ['a'] }, { worker: false });
  const { taskUuid } = await tasker.createTask({ ...demo, context: {} });
  await shared.sql(`update tasker.task set created_at = created_at - interval '30 days' where task_uuid = $1`, [
    taskUuid,
  ]);
  await another({
    handlers: [defineHandler('a', {}, () => ({ n: 1 })), defineHandler('b', {}, () => ({ n: 2 }))],
    worker: true,
  });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
});

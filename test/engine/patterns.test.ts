import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

/** JavaScript's own engine would try 2^9000 ways. */
const EVIL = `${'a'.repeat(9_000)}!`;
const schema = { properties: { text: { type: 'string', pattern: '^(a+)+$' } } };

it('a pattern with exponential backtracking does not block the checks of input, result and event', async () => {
  const event = { name: 'text.made', description: 'A text.', schema };
  const { tasker, demo } = await shared.setup(
    {
      a: { publishes_events: [event] },
      b: { dependencies: ['a'], result_schema: schema },
    },
    {
      task: { input_schema: schema },
      handlers: [defineHandler('a', {}, () => ({ text: EVIL })), defineHandler('b', {}, () => ({ text: EVIL }))],
    },
  );
  await expect(tasker.createTask({ ...demo, context: { text: EVIL } })).rejects.toMatchObject({
    code: 'invalid_context',
    message: expect.stringContaining('/text must match pattern "^(a+)+$"'),
  });
  const { taskUuid } = await tasker.createTask({ ...demo, context: { text: 'aaa' } });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  expect((await tasker.getStep(taskUuid, 'a')).currentState).toBe('complete');
  expect(await tasker.getStep(taskUuid, 'b')).toMatchObject({
    currentState: 'error',
    attempts: 1,
    results: { error: { message: expect.stringContaining('/text must match pattern') } },
  });
  const events = await tasker.events.list({ taskUuid });
  expect(events).toEqual([]);
});

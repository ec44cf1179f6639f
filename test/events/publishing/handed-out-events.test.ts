import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { setupBridge } from '../../support/bridge.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { threadHandlers } from '../../support/thread-handlers.ts';

const shared = sharedDatabase();

const ENDED = { name: 'a.ended', description: 'it happened', schema: {}, condition: 'always' };

const stored = (taskUuid: string) =>
  shared.sql(
    `select name, attempt, payload, execution ->> 'worker_id' worker from tasker.domain_event where task_uuid = $1 order by id`,
    [taskUuid],
  );

it('steps dispatched through the bridge publish their events once, even if they yield', async () => {
  const a = defineHandler('a', {}, ({ context }) =>
    context.checkpoint === null
      ? StepHandlerResult.success({ cursor: 1, items_processed: 1 }, { checkpoint_yield: true })
      : { done: true },
  );
  const { create, tasker } = await setupBridge(shared, { a: { publishes_events: [ENDED] } }, { handlers: { a } });
  const { taskUuid } = await create();
  await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
  expect(await stored(taskUuid)).toMatchObject([{ name: 'a.ended', attempt: 1, payload: { done: true } }]);
});

it('steps in threads publish their events', async () => {
  const steps = { a: { handler: { callable: 'describes', isolation: 'thread' }, publishes_events: [ENDED] } };
  const { tasker, demo } = await shared.setup(steps, { handlers: threadHandlers(), threads: 1, name: 'w' });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
  expect(await stored(taskUuid)).toMatchObject([{ name: 'a.ended', payload: { isMainThread: false }, worker: 'w' }]);
});

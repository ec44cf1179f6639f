import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { untilTasksEnd } from '../../../src/handlers/later.ts';
import { template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

/** The correlation id of a request that is not a task. */
const ID = '00000000-0000-7000-8000-000000000001';
const EVENT = { name: 'invoice.sent', description: 'It was sent', schema: { type: 'object' } };

it('the events of a child task name its parent and its root, and those of other tasks do not', async () => {
  const work = defineHandler('work', {}, () => ({ done: true }));
  const fan = defineHandler('fan', {}, async ({ context }) =>
    untilTasksEnd([await context.startTask('middle', {}, { key: 'a' })]),
  );
  const made = await shared.setup(
    { tell: { handler: 'work', publishes_events: [EVENT] }, fan: { handler: 'fan', dependencies: ['tell'] } } as never,
    { handlers: [work, fan] },
  );
  const { tasker } = made;
  const { namespace } = made.demo;
  await tasker.registerTemplates([
    template({ below: { type: 'task', handler: undefined, template: 'inner' } } as never, {
      name: 'middle',
      namespace,
    }),
    template({ send: { handler: 'work', publishes_events: [{ ...EVENT, delivery_mode: 'broadcast' }] } } as never, {
      name: 'inner',
      namespace,
    }),
  ]);
  const sent: Record<string, unknown>[] = [];
  tasker.eventBus.subscribe(({ metadata }) => void sent.push(metadata as unknown as Record<string, unknown>));
  // This id does not make the task a child task.
  const { taskUuid } = await tasker.createTask({ ...made.demo, parentCorrelationId: ID });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  const [middle] = (await tasker.getChildTasks(taskUuid)).children;
  const events = await until(
    () => shared.sql('select task_uuid, metadata from tasker.domain_event order by id'),
    (rows) => rows.length === 2,
  );
  expect(events.map(({ metadata }) => metadata)).toEqual([
    null,
    { parent_task_uuid: middle!.taskUuid, root_task_uuid: taskUuid },
  ]);
  expect(sent.map(({ parent_task_uuid: parent, root_task_uuid: root }) => ({ parent, root }))).toEqual([
    { parent: middle!.taskUuid, root: taskUuid },
  ]);
});

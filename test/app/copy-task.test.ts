import { describe, expect, it } from 'vitest';
import { template } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const PARENT = '0199a8c0-0000-7000-8000-000000000001';

describe('a copy of a task', () => {
  it('keeps the context, priority, tags, initiator and correlation id, and both tasks link to each other', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const first = await tasker.createTask({
      ...demo,
      context: { order: { id: 'O-7', note: 'é\u{1F600}' } },
      priority: 7,
      tags: ['vip', 'eu'],
      initiator: 'shop',
      sourceSystem: 'web',
      reason: 'a new order',
      parentCorrelationId: PARENT,
    });
    const handle = await tasker.copyTask(first.taskUuid, { actor: 'ana', reason: 'lost in the warehouse' });
    expect(handle).toMatchObject({ created: true, priority: 7, name: 'demo', totalSteps: 1 });
    const [before, copy] = [await tasker.getTask(first.taskUuid), await tasker.getTask(handle.taskUuid)];
    expect(copy.taskUuid).not.toBe(before.taskUuid);
    expect(before.copyOf).toBeNull();
    expect(copy).toMatchObject({
      copyOf: first.taskUuid,
      status: 'pending',
      context: before.context,
      priority: 7,
      tags: ['vip', 'eu'],
      initiator: 'shop',
      sourceSystem: 'web',
      reason: 'a new order',
      correlationId: before.correlationId,
      parentCorrelationId: PARENT,
      reruns: 0,
    });
    expect(await tasker.getCopies(first.taskUuid)).toEqual([copy.taskUuid]);
    expect(await tasker.getCopies(copy.taskUuid)).toEqual([]);
    await tasker.engine.search.flush();
    const found = await tasker.listTasks({ correlationId: before.correlationId }, {});
    expect(found.tasks.map((task) => task.taskUuid).sort()).toEqual([first.taskUuid, copy.taskUuid].sort());
    for (const task of [before, copy]) {
      expect((await tasker.getHistory(task.taskUuid)).find(({ what }) => what === 'copy')).toMatchObject({
        who: 'ana',
        why: 'lost in the warehouse',
      });
    }
    const acts = await shared.sql(
      `select task_uuid, details from tasker.operator_action where action = 'copy' and task_uuid = any ($1)`,
      [[first.taskUuid, copy.taskUuid]],
    );
    expect(acts).toEqual([
      { task_uuid: first.taskUuid, details: { copy: copy.taskUuid, context: false } },
      { task_uuid: copy.taskUuid, details: { copy_of: first.taskUuid, context: false } },
    ]);
  });

  it.each(['strict', 'caller_provided', 'always_unique'])(
    'is a separate task with identity_strategy %s',
    async (strategy) => {
      const { tasker, demo } = await shared.setup({ a: [] }, { worker: false, task: { identity_strategy: strategy } });
      const key = strategy === 'caller_provided' ? { idempotencyKey: 'order-7' } : {};
      const first = await tasker.createTask({ ...demo, context: { n: 1 }, ...key });
      const copies = await Promise.all([1, 2].map(() => tasker.copyTask(first.taskUuid)));
      expect(new Set([first, ...copies].map((task) => task.taskUuid)).size).toBe(3);
      expect(copies.every((copy) => copy.created)).toBe(true);
      if (strategy !== 'always_unique') {
        await expect(tasker.createTask({ ...demo, context: { n: 1 }, ...key })).rejects.toMatchObject({
          code: 'conflict',
          details: { task_uuid: first.taskUuid },
        });
      }
    },
  );

  it('can be created only once with the same idempotency key', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const copy = await tasker.copyTask(taskUuid, { idempotencyKey: 'again' });
    await expect(tasker.copyTask(taskUuid, { idempotencyKey: 'again' })).rejects.toMatchObject({
      code: 'conflict',
      details: { task_uuid: copy.taskUuid },
    });
    expect(await tasker.getCopies(taskUuid)).toEqual([copy.taskUuid]);
  });

  it('can have a new context, which is validated against the newest registration of the version', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask({ ...demo, context: { n: 1 } });
    await tasker.registerTemplates([
      template({ a: [], b: ['a'] }, { namespace: demo.namespace, input_schema: { type: 'object', required: ['m'] } }),
    ]);
    await expect(tasker.copyTask(taskUuid)).rejects.toMatchObject({ code: 'invalid_context' });
    const { taskUuid: copy } = await tasker.copyTask(taskUuid, { context: { m: 2 } });
    expect((await tasker.getTask(copy)).context).toEqual({ m: 2 });
    expect((await tasker.getSteps(copy)).map((step) => step.name)).toEqual(['a', 'b']);
  });

  it('is rejected without a write if the task is unknown or an option is invalid', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    await expect(tasker.copyTask('x')).rejects.toMatchObject({ code: 'invalid_uuid' });
    await expect(tasker.copyTask(PARENT)).rejects.toMatchObject({ code: 'task_not_found' });
    for (const options of [{ context: [] }, { context: 'x' }, { reason: 7 }, { idempotencyKey: 7 }]) {
      await expect(tasker.copyTask(taskUuid, options as object)).rejects.toMatchObject({
        code: expect.stringMatching(/bad_request|invalid_context/),
      });
    }
    expect(await tasker.getCopies(taskUuid)).toEqual([]);
  });

  it('does not change the original task', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const before = await tasker.getTask(taskUuid);
    await tasker.copyTask(taskUuid);
    expect(await tasker.getTask(taskUuid)).toEqual(before);
  });
});

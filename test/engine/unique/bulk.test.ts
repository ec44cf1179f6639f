import { describe, expect, it } from 'vitest';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const unique = (on_conflict: string, more: Record<string, unknown> = {}) => ({
  task: { unique: { key: 'context.customer', on_conflict }, ...more },
  worker: false,
});

describe('many tasks with keys in one call', () => {
  it('are decided in the order of the list, with the tasks that were open before', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('return'));
    const before = await tasker.createTask({ ...demo, context: { customer: 'b' } });
    const created = await tasker.createTasks(
      ['a', 'b', 'a', 'c', 'b'].map((customer) => ({ ...demo, context: { customer } })),
    );
    expect(created.map(({ outcome }) => outcome)).toEqual(['created', 'returned', 'returned', 'created', 'returned']);
    expect(created[1]!.taskUuid).toBe(before.taskUuid);
    expect(created[2]!.taskUuid).toBe(created[0]!.taskUuid);
    expect(created[4]!.taskUuid).toBe(before.taskUuid);
    expect(await tasker.listTasks({ namespace: demo.namespace })).toHaveLength(3);
  });

  it('are all refused if one is, with its number', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('reject'));
    const { taskUuid } = await tasker.createTask({ ...demo, context: { customer: 'b' } });
    const requests = ['a', 'b'].map((customer) => ({ ...demo, context: { customer } }));
    await expect(tasker.createTasks(requests)).rejects.toMatchObject({
      code: 'conflict',
      message: `a task of demo with the key "b" (unique) is open, in pending: ${taskUuid} (number 2 of 2; none was created); wait until that task has ended, or cancel it`,
      details: { task_uuid: taskUuid, index: 1 },
    });
    expect(await tasker.listTasks({ namespace: demo.namespace })).toHaveLength(1);
  });

  it('replace each other, so that only the last one of a key stays open', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('replace_pending'));
    const before = await tasker.createTask({ ...demo, context: { customer: 'a' } });
    const created = await tasker.createTasks([1, 2, 3].map((n) => ({ ...demo, context: { customer: 'a', n } })));
    expect(created.map(({ replacedTaskUuid }) => replacedTaskUuid)).toEqual([
      before.taskUuid,
      created[0]!.taskUuid,
      created[1]!.taskUuid,
    ]);
    const open = await tasker.listTasks({ namespace: demo.namespace, status: 'pending' });
    expect(open.map(({ taskUuid }) => taskUuid)).toEqual([created[2]!.taskUuid]);
  });

  it('a repetition in the list is not a request of its own', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('cancel_running'));
    const request = { ...demo, context: { customer: 'a' }, idempotencyKey: 'one' };
    const [first, again] = await tasker.createTasks([request, request], { onDuplicate: 'return' });
    expect(again).toMatchObject({ taskUuid: first!.taskUuid, outcome: 'returned', rule: 'identity' });
    expect((await tasker.getTask(first!.taskUuid)).status).toBe('pending');
  });

  it('with the same keys in opposite orders do not deadlock', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, unique('cancel_running'));
    const other = await another();
    for (let round = 0; round < 5; round++) {
      const requests = Array.from({ length: 40 }, (_, i) => ({ ...demo, context: { customer: `c-${i}`, round } }));
      await Promise.all([
        tasker.createTasks(requests),
        other.createTasks([...requests].reverse()),
        tasker.createTasks(requests),
      ]);
    }
    const open = await shared.sql<{ n: number; keys: number }>(
      `select count(*)::int n, count(distinct context ->> 'customer')::int keys from tasker.task t join tasker.template m on m.id = t.template_id
         join tasker.namespace n on n.id = m.namespace_id where n.name = $1 and t.done_at is null`,
      [demo.namespace],
    );
    expect(open).toEqual([{ n: 40, keys: 40 }]);
  });

  it('of several templates are created together', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, unique('return'));
    const plain = await shared.setup({ a: [] }, { worker: false });
    const open = await tasker.createTask({ ...demo, context: { customer: 'a' } });
    const created = await tasker.createTasks([plain.demo, { ...demo, context: { customer: 'a' } }, plain.demo]);
    expect(created.map(({ outcome }) => outcome)).toEqual(['created', 'returned', 'created']);
    expect(created[1]!.taskUuid).toBe(open.taskUuid);
  });
});

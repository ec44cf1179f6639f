import { describe, expect, it } from 'vitest';
import type { TaskRequest } from '../../src/engine/create-task.ts';
import { TaskerError } from '../../src/errors.ts';
import { DEMO, invariants, setup, template } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

const strategy = (identity_strategy: string) => ({ task: { identity_strategy }, worker: false });
const identities = async (namespace: string) =>
  (
    await shared.sql<{ n: number }>(
      `select count(*)::int n from tasker.task_identity i join tasker.task t using (task_uuid)
         join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id where n.name = $1`,
      [namespace],
    )
  )[0]!.n;

describe('tasks with the same identity that are created at the same time', () => {
  it.each([2, 50])(
    'are created by only one of %i clients, and the others get a conflict with the id of the task',
    async (clients) => {
      const { tasker, demo, another } = await shared.setup({ a: [] }, strategy('strict'));
      const taskers = [tasker, await another(), await another()];
      const request = { ...demo, context: { order_id: 'O-7', clients } };
      const answers = await Promise.allSettled(
        Array.from({ length: clients }, (_, i) => taskers[i % taskers.length]!.createTask(request)),
      );
      const made = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.taskUuid] : []));
      expect(made).toHaveLength(1);
      for (const answer of answers) {
        if (answer.status === 'fulfilled') continue;
        expect(answer.reason).toBeInstanceOf(TaskerError);
        expect(answer.reason).toMatchObject({ code: 'conflict', details: { task_uuid: made[0] } });
        expect(String(answer.reason)).toContain(made[0]);
      }
      expect(await tasker.listTasks({ namespace: demo.namespace })).toHaveLength(1);
    },
  );

  it('become one task that all clients get with onDuplicate: return', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, strategy('strict'));
    const taskers = [tasker, await another()];
    const handles = await Promise.all(
      Array.from({ length: 20 }, (_, i) => taskers[i % 2]!.createTask({ ...demo }, { onDuplicate: 'return' })),
    );
    expect(new Set(handles.map((handle) => handle.taskUuid)).size).toBe(1);
    expect(handles.filter((handle) => handle.created)).toHaveLength(1);
  });

  it('two batches with the same keys in opposite orders do not deadlock and create each task once', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, strategy('caller_provided'));
    const other = await another();
    for (let round = 0; round < 10; round++) {
      const keys = Array.from({ length: 60 }, (_, i) => ({ ...demo, idempotencyKey: `${round}-${i}` }));
      const answers = await Promise.all([
        tasker.createTasks(keys, { onDuplicate: 'return' }),
        other.createTasks([...keys].reverse(), { onDuplicate: 'return' }),
      ]);
      const [one, two] = answers.map((handles) => new Set(handles.map((handle) => handle.taskUuid)));
      expect(one).toEqual(two);
      expect(one!.size).toBe(60);
    }
  });
});

describe('a strict template', () => {
  it('the order of keys does not matter for the identity, but the order of arrays does', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('strict'));
    const { taskUuid } = await tasker.createTask({ ...demo, context: { a: 1, b: { c: [1, 2], d: null } } });
    await expect(tasker.createTask({ ...demo, context: { b: { d: null, c: [1, 2] }, a: 1 } })).rejects.toThrow(
      `task demo with the same context already exists: ${taskUuid}`,
    );
    await tasker.createTask({ ...demo, context: { a: 1, b: { c: [2, 1], d: null } } });
  });

  it('the identity of an ended task stays reserved', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('strict'));
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.cancelTask(taskUuid);
    await expect(tasker.createTask(demo)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('tasks of different template versions have different identities', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('strict'));
    await tasker.registerTemplates([
      template({ a: [] }, { namespace: demo.namespace, version: '2.0.0', identity_strategy: 'strict' }),
    ]);
    await tasker.createTask(demo);
    expect((await tasker.createTask({ ...demo, version: '2.0.0' })).version).toBe('2.0.0');
  });
});

describe('caller_provided', () => {
  it('a request without a key is rejected', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('caller_provided'));
    await expect(tasker.createTask(demo)).rejects.toMatchObject({
      code: 'identity_missing',
      message: expect.stringContaining('needs an idempotencyKey'),
    });
  });

  it('only the key determines the identity', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('caller_provided'));
    const first = await tasker.createTask({ ...demo, context: { a: 1 }, idempotencyKey: 'O-7' });
    await expect(tasker.createTask({ ...demo, context: { a: 2 }, idempotencyKey: 'O-7' })).rejects.toThrow(
      `with the idempotency key O-7 already exists: ${first.taskUuid}`,
    );
    const again = await tasker.createTask({ ...demo, idempotencyKey: 'O-7' }, { onDuplicate: 'return' });
    expect(again).toMatchObject({ taskUuid: first.taskUuid, created: false });
    await tasker.createTask({ ...demo, context: { a: 1 }, idempotencyKey: 'O-8' });
  });
});

describe('a key in the request', () => {
  it.each(['strict', 'always_unique'])('a key in the request overrides %s', async (given) => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy(given));
    await tasker.createTask({ ...demo, context: { n: 1 }, idempotencyKey: 'k' });
    await expect(tasker.createTask({ ...demo, context: { n: 2 }, idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'conflict',
    });
    await tasker.createTask({ ...demo, context: { n: 1 }, idempotencyKey: 'l' });
  });
});

describe('always_unique', () => {
  it('any number of equal tasks can be created without rows for identities', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('always_unique'));
    const handles = await tasker.createTasks(Array.from({ length: 20 }, () => demo));
    expect(new Set(handles.map((handle) => handle.taskUuid)).size).toBe(20);
    expect(handles.every((handle) => handle.created)).toBe(true);
    expect(await identities(demo.namespace)).toBe(0);
  });
});

describe('a batch', () => {
  it('a batch with a duplicate creates nothing, and the error names the duplicate', async () => {
    const { tasker, demo } = await shared.setup({ a: [], b: [] }, strategy('caller_provided'));
    const { taskUuid } = await tasker.createTask({ ...demo, idempotencyKey: '2' });
    const batch = ['0', '1', '2', '3'].map((idempotencyKey) => ({ ...demo, idempotencyKey }));
    await expect(tasker.createTasks(batch)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('number 3 of 4; none was created'),
      details: { task_uuid: taskUuid, index: 2 },
    });
    expect(await tasker.listTasks({ namespace: demo.namespace })).toHaveLength(1);
    expect(await identities(demo.namespace)).toBe(1);
  });

  it('a batch with the same task twice creates nothing, and the error names both', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('caller_provided'));
    const batch = ['x', 'y', 'x'].map((idempotencyKey) => ({ ...demo, idempotencyKey }));
    await expect(tasker.createTasks(batch)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('number 3 of 3, has the same identity as number 1'),
    });
    expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
    const handles = await tasker.createTasks(batch, { onDuplicate: 'return' });
    expect(handles[2]!.taskUuid).toBe(handles[0]!.taskUuid);
    expect(await tasker.listTasks({ namespace: demo.namespace })).toHaveLength(2);
  });

  it('returns existing and new tasks in order', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('caller_provided'));
    const key = (idempotencyKey: string): TaskRequest => ({ ...demo, idempotencyKey });
    const { taskUuid } = await tasker.createTask(key('b'));
    const handles = await tasker.createTasks([key('a'), key('b'), key('c')], { onDuplicate: 'return' });
    expect(handles.map((handle) => handle.created)).toEqual([true, false, true]);
    expect(handles[1]!.taskUuid).toBe(taskUuid);
  });

  it('a batch with an invalid request creates nothing', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, strategy('always_unique'));
    await expect(tasker.createTasks([demo, { ...demo, priority: 101 }])).rejects.toThrow(/\(number 2\): priority/);
    expect(await tasker.listTasks({ namespace: demo.namespace })).toEqual([]);
    expect(await tasker.createTasks([])).toEqual([]);
  });
});

it('a duplicate request does not run the existing task again', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, strategy('strict'));
  await tasker.createTask(demo);
  await tasker.createTask(demo, { onDuplicate: 'return' });
  const [{ n }] = (await shared.sql<{ n: number }>(
    `select count(*)::int n from tasker.queue q join tasker.namespace n on n.id = q.namespace_id where n.name = $1`,
    [demo.namespace],
  )) as [{ n: number }];
  expect(n).toBe(1);
  await invariants(shared.sql);
});

it('two bulk creations with the same keys, of which each starts the other half later, do not deadlock', async () => {
  const { tasker, another, sql } = await setup({ templates: template({ first: [] }), worker: false });
  const other = await another({ worker: false });
  const later = '2050-01-01T00:00:00Z';
  const ROUNDS = 40;
  for (let round = 0; round < ROUNDS; round++) {
    const request = (n: number, isLater: boolean) => ({
      ...DEMO,
      idempotencyKey: `${round}-${n}`,
      ...(isLater && { startAt: later }),
    });
    const keys = Array.from({ length: 20 }, (_, n) => n);
    const ofBoth = await Promise.all([
      tasker.createTasks(
        keys.map((n) => request(n, n % 2 === 0)),
        { onDuplicate: 'return' },
      ),
      other.createTasks(
        keys.map((n) => request(n, n % 2 === 1)),
        { onDuplicate: 'return' },
      ),
    ]);
    // The first one creates all tasks, and the other one finds them.
    const [mine, theirs] = ofBoth.map((tasks) => tasks.map(({ taskUuid }) => taskUuid));
    expect(mine).toEqual(theirs);
  }
  expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: 20 * ROUNDS }]);
  const [server] = await sql(`select deadlocks::int from pg_stat_database where datname = current_database()`);
  expect(server).toEqual({ deadlocks: 0 });
});

import { expect, it } from 'vitest';
import type { TaskPage } from '../../../src/engine/search/search.ts';
import { handWorker } from '../../support/hand-worker.ts';
import { setup, template } from '../../support/setup.ts';

const NAMESPACE = 'test';

/** Walks through all pages, and returns the ids of the tasks in their order. */
async function all(
  find: (page: {
    limit: number;
    cursor?: string;
  }) => Promise<Pick<TaskPage, 'nextCursor'> & { tasks: { taskUuid: string }[] }>,
): Promise<string[]> {
  const found: string[] = [];
  let page = await find({ limit: 7 });
  for (;;) {
    found.push(...page.tasks.map((task) => task.taskUuid));
    if (page.nextCursor === null) return found;
    page = await find({ limit: 7, cursor: page.nextCursor });
  }
}

it('tasks are found by a step whose index differs between templates', async () => {
  const orders = [
    template({ charge: { handler: 'pay' }, ship: ['charge'] }, { name: 'first' }),
    template({ check: [], charge: { dependencies: ['check'], handler: 'pay' } }, { name: 'second' }),
    template({ check: [], pack: ['check'], refund: { dependencies: ['pack'], handler: 'pay' } }, { name: 'third' }),
    template(
      { deposit: { handler: 'pay' }, pack: ['deposit'], rest: { dependencies: ['pack'], handler: 'pay' } },
      { name: 'fourth' },
    ),
  ];
  const { tasker } = await setup({ templates: orders, worker: false });
  const names = ['first', 'second', 'third', 'fourth'];
  const tasks = await tasker.createTasks(names.map((name) => ({ namespace: NAMESPACE, name, version: '1.0.0' })));
  await tasker.engine.search.flush();
  const find = async (filter: object) => {
    const { tasks: found } = await tasker.listTasks(filter, {});
    return found.map(({ taskUuid }) => names[tasks.findIndex((task) => task.taskUuid === taskUuid)]).reverse();
  };
  const findBySteps = async (filter: object) => {
    const { steps } = await tasker.listSteps(filter);
    return steps.map((step) => step.name).sort();
  };
  expect(await find({ step: 'charge' })).toEqual(['first', 'second']);
  expect(await find({ step: 'charge', stepState: 'pending' })).toEqual(['second']);
  expect(await find({ step: 'charge', stepState: 'enqueued' })).toEqual(['first']);
  expect(await find({ handler: 'pay', stepState: 'pending' })).toEqual(['second', 'third', 'fourth']);
  expect(await find({ handler: 'pay', stepState: 'enqueued' })).toEqual(['first', 'fourth']);
  expect(await find({ handler: 'pay', step: 'rest', stepState: 'pending' })).toEqual(['fourth']);
  expect(await find({ step: 'check', stepState: 'complete' })).toEqual([]);
  expect(await findBySteps({ handler: 'pay', stepState: 'enqueued' })).toEqual(['charge', 'deposit']);
});

it('tasks are found by a step that has many different indexes', async () => {
  const before = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, []]));
  const templates = Array.from({ length: 12 }, (_, i) =>
    template({ ...before(i), wanted: ['other'], other: [] }, { name: `t${i}` }),
  );
  const { tasker } = await setup({ templates, worker: false });
  await tasker.createTasks(templates.map(({ name }) => ({ namespace: NAMESPACE, name, version: '1.0.0' })));
  await tasker.engine.search.flush();
  const { total, tasks } = await tasker.listTasks({ step: 'wanted', stepState: 'pending' }, {});
  expect([total, tasks.length]).toEqual([12, 12]);
  expect((await tasker.listTasks({ step: 'wanted', stepState: 'enqueued' }, {})).tasks).toEqual([]);
});

it('a step is found by the state of a worker of its batch', async () => {
  const { tasker, sql } = await setup({ templates: template({ a: [], b: [] }), worker: false });
  const demo = { namespace: NAMESPACE, name: 'demo', version: '1.0.0' };
  const [{ taskUuid }] = (await tasker.createTasks([demo, demo])) as [{ taskUuid: string }, unknown];
  await tasker.engine.search.flush();
  // The index of a batch worker of `b`, computed as in src/model/ids.ts.
  await sql(
    `insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
     select task_uuid, (2 << 17) + 5, 'complete', 0, 1, true from tasker.step where task_uuid = $1 and idx = 1`,
    [taskUuid],
  );
  const find = async (filter: object) => (await tasker.listTasks(filter, {})).tasks.map((task) => task.taskUuid);
  expect(await find({ step: 'b', stepState: 'complete' })).toEqual([taskUuid]);
  expect(await find({ step: 'a', stepState: 'complete' })).toEqual([]);
});

it('each open task of many templates is listed once in the order of creation', async () => {
  const templates = Array.from({ length: 60 }, (_, i) => template({ a: [], b: ['a'] }, { name: `t${i}` }));
  const { tasker } = await setup({ templates: [...templates, template({ c: [] }, { name: 'other' })], worker: false });
  const request = (name: string) => ({ namespace: NAMESPACE, name, version: '1.0.0' });
  const tasks = await tasker.createTasks(templates.map(({ name }) => request(name)));
  const [other, cancelled] = await tasker.createTasks([request('other'), request('t0')]);
  await tasker.cancelTask(cancelled!.taskUuid);
  await tasker.engine.search.flush();
  const ids = tasks.map((task) => task.taskUuid).reverse();
  const find = (filter: object) => all((page) => tasker.listTasks(filter, page));
  expect(await find({ step: 'b', stepState: 'pending' })).toEqual(ids);
  expect(await find({ step: 'a', open: true })).toEqual(ids);
  expect(await find({ open: true })).toEqual([other!.taskUuid, ...ids]);
  expect(await find({ step: 'b', open: true, name: 't3' })).toEqual([tasks[3]!.taskUuid]);
});

it('a search by worker finds each task once in the order of creation, however many steps the worker has', async () => {
  const bench = await handWorker({ a: [], b: [], c: ['a'] });
  const { tasker, sql } = bench;
  await tasker.engine.search.flush();
  const namespace = (await tasker.listTasks({}, {})).tasks[0]!.namespace;
  const created = await tasker.createTasks(
    Array.from({ length: 20 }, () => ({ namespace, name: 'demo', version: '1.0.0' })),
  );
  await bench.claim();
  await tasker.engine.search.flush();
  await expect.poll(async () => (await tasker.listSteps({ worker: 'hand' })).total).toBe(42);
  const find = (filter: object) => all((page) => tasker.listTasks({ worker: 'hand', ...filter }, page));
  const newest = created.map((task) => task.taskUuid).reverse();
  const search = async () => {
    const found = await find({});
    expect(found.slice(0, 20)).toEqual(newest);
    expect([found.length, new Set(found).size]).toEqual([21, 21]);
    expect(await find({ namespace, step: 'b' })).toEqual(found);
    expect(await find({ namespace, stepState: 'in_progress' })).toEqual(found);
    expect(await find({ namespace, step: 'c' })).toEqual([]);
    expect(await find({ namespace: 'elsewhere' })).toEqual([]);
    return found;
  };
  const few = await search();
  await sql(`
    insert into tasker.step_search (task_uuid, idx, template_id, state, since, created_at, attempts, worker_id)
    select gen_random_uuid(), 0, template_id, 'in_progress', since, created_at - interval '1 day', 1, worker_id
      from (select * from tasker.step_search where worker_id is not null limit 1) q, generate_series(1, 15100)`);
  expect(await search()).toEqual(few);
});

it('lists of many templates are in order if one of them has most of the tasks, in both directions', async () => {
  const templates = Array.from({ length: 20 }, (_, i) => template({ a: [], b: ['a'] }, { name: `t${i}` }));
  const { tasker } = await setup({ templates, worker: false });
  // Bursts of one template, between single tasks of the others.
  const names = templates.flatMap(({ name }, i) => [...Array.from({ length: i % 5 === 0 ? 12 : 1 }, () => 't3'), name]);
  const request = (name: string) => ({ namespace: NAMESPACE, name, version: '1.0.0', initiator: name });
  const ids = (await tasker.createTasks(names.map(request))).map((task) => task.taskUuid).reverse();
  await tasker.engine.search.flush();
  const of = (name: string) => ids.filter((_, i) => names[names.length - 1 - i] === name);
  for (const order of ['desc', 'asc'] as const) {
    const ordered = (some: readonly string[]) => (order === 'desc' ? some : some.toReversed());
    const find = (filter: object) => all((page) => tasker.listTasks(filter, { ...page, order }));
    expect(await find({ namespace: NAMESPACE })).toEqual(ordered(ids));
    expect(await find({ stepState: 'enqueued' })).toEqual(ordered(ids));
    expect(await find({ stepState: 'pending', step: 'b' })).toEqual(ordered(ids));
    expect(await find({ initiator: 't3', status: 'pending' })).toEqual(ordered(of('t3')));
    expect(await find({ initiator: 't4', status: ['pending', 'steps_in_process'] })).toEqual(ordered(of('t4')));
    expect(await find({ initiator: 't4', status: 'blocked_by_failures' })).toEqual([]);
    const bySteps = all(async (page) => {
      const { steps, ...rest } = await tasker.listSteps({ stepState: 'enqueued' }, { ...page, order });
      return { tasks: steps, ...rest };
    });
    expect(await bySteps).toEqual(ordered(ids));
  }
});

it('a ready step is found with the states that its task can have, and never with another', async () => {
  const { tasker } = await setup({ templates: [template({ a: [], b: ['a'] }, { name: 'one' })], worker: false });
  const { taskUuid } = await tasker.createTask({ namespace: NAMESPACE, name: 'one', version: '1.0.0' });
  await tasker.engine.search.flush();
  const find = async (filter: object) => (await tasker.listTasks({ stepState: 'enqueued', ...filter }, {})).tasks;
  expect(await find({ status: 'blocked_by_failures' })).toEqual([]);
  expect(await find({ status: 'steps_in_process' })).toEqual([]);
  expect(await find({ ended: true })).toEqual([]);
  expect((await tasker.listSteps({ stepState: 'enqueued', status: 'blocked_by_failures' })).total).toBe(0);
  for (const filter of [{ status: 'pending' }, { status: ['blocked_by_failures', 'pending'] }, { open: true }]) {
    expect((await find(filter)).map((task) => task.taskUuid)).toEqual([taskUuid]);
    expect((await tasker.listSteps({ stepState: 'enqueued', ...filter })).total).toBe(1);
  }
});

import { expect, it, onTestFinished, vi } from 'vitest';
import type { Database } from '../../../src/db/database.ts';
import type { StepPage, TaskPage, TaskPageOptions } from '../../../src/engine/search/search.ts';
import { type Looks, look } from '../../../src/engine/search/slices.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { openSession } from '../../support/database.ts';
import { itOnce, template } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';

const shared = sharedDatabase();

const STEPS = { first: [], second: ['first'] };
const HANDLERS = [
  defineHandler('first', { inputs: { mood: 'mood' } }, ({ mood }) => {
    if (mood === 'bad') throw new PermanentError('card 4711 declined\nat the bank', { errorType: 'card_declined' });
    if (mood === 'slow') throw new RetryableError('the bank answered 503', { retryAfter: 3600 });
    return { mood };
  }),
  defineHandler('second', {}, () => ({})),
];

/** Three tasks: one that completed, one that is blocked, and one that waits for a retry. */
async function scene() {
  const { tasker, demo } = await shared.setup(STEPS, { handlers: HANDLERS });
  // The database has tasks of other tests.
  const own = { createdAfter: new Date() };
  const key = `order ${Math.random()}`;
  const ids: Record<string, string> = {};
  const create = async (name: string, request: object) => {
    ids[name] = (await tasker.createTask({ ...demo, ...request })).taskUuid;
  };
  await create('good', { context: { mood: 'good', customer: 'c1' }, tags: ['a', 'b'], initiator: 'ada' });
  await create('bad', { context: { mood: 'bad', customer: 'c2' }, tags: ['b'], sourceSystem: 'web', reason: 'refund' });
  await create('slow', { context: { mood: 'slow', customer: 'c1' }, idempotencyKey: key });
  const named = (tasks: readonly { taskUuid: string }[]) =>
    tasks.map(({ taskUuid }) => Object.entries(ids).find(([, id]) => id === taskUuid)?.[0] ?? taskUuid);
  const find = async (filter: object, page: TaskPageOptions = {}) =>
    named((await tasker.listTasks({ ...own, ...filter }, page)).tasks);
  await expect.poll(() => find({ status: 'waiting_for_retry' })).toEqual(['slow']);
  await expect.poll(() => find({ status: 'blocked_by_failures' })).toEqual(['bad']);
  await expect.poll(() => find({ status: 'complete' })).toEqual(['good']);
  return { tasker, namespace: demo.namespace, key, own, ids, named, find };
}

it('tasks are found by each condition, and by several conditions together', async () => {
  const { namespace, key, find } = await scene();
  const cases: [object, string[]][] = [
    [{}, ['slow', 'bad', 'good']],
    [{ namespace }, ['slow', 'bad', 'good']],
    [{ namespace: 'elsewhere' }, []],
    [{ status: ['complete', 'blocked_by_failures'] }, ['bad', 'good']],
    [{ open: true }, ['slow', 'bad']],
    [{ ended: true }, ['good']],
    [{ tag: 'b' }, ['bad', 'good']],
    [{ tag: ['a', 'b'] }, ['good']],
    [{ initiator: 'ada' }, ['good']],
    [{ source: 'web' }, ['bad']],
    [{ reason: 'refund' }, ['bad']],
    [{ key }, ['slow']],
    [{ key: 'order-2' }, []],
    [{ createdAfter: new Date(Date.now() + 60_000) }, []],
    [{ createdBefore: '1h' }, []],
    [{ createdBefore: '0s' }, ['slow', 'bad', 'good']],
    [{ endedAfter: '1h' }, ['good']],
    [{ context: { customer: 'c1' } }, ['slow', 'good']],
    [{ stepState: 'error' }, ['bad']],
    [{ stepState: 'waiting_for_retry', handler: 'first' }, ['slow']],
    [{ stepState: 'complete', step: 'second' }, ['good']],
    [{ stepState: 'pending', step: 'second' }, ['slow', 'bad']],
    [{ stepState: 'pending', ended: true }, []],
    [{ stepState: 'cancelled' }, []],
    [{ step: 'second' }, ['slow', 'bad', 'good']],
    [{ step: 'third' }, []],
    [{ handler: 'second' }, ['slow', 'bad', 'good']],
    [{ handler: 'second', stepState: 'error' }, []],
    [{ worker: 'nobody' }, []],
    [{ status: 'complete', stepState: 'error' }, []],
    [{ namespace, errorType: 'card_declined' }, ['bad']],
    [{ namespace, errorType: 'timeout' }, []],
    [{ errorType: 'card_declined' }, ['bad']],
    [{ error: 'ANSWERED 503' }, ['slow']],
    [{ templateVersion: '1.x' }, ['slow', 'bad', 'good']],
    [{ templateVersion: '>=2' }, []],
    [{ errorType: 'card_declined', source: 'web', open: true }, ['bad']],
  ];
  for (const [filter, expected] of cases) {
    expect(await find(filter), JSON.stringify(filter)).toEqual(expected);
  }
});

it('a page has the first error of each task, and the number of matching tasks', async () => {
  const { tasker, own } = await scene();
  const page = await tasker.listTasks({ ...own, open: true }, {});
  expect(page).toMatchObject({ total: 2, totalIsExact: true, nextCursor: null, previousCursor: null, timedOut: false });
  expect(page.tasks.map((task) => task.firstError)).toMatchObject([
    { step: 'first', message: 'the bank answered 503' },
    { step: 'first', errorType: 'card_declined', message: 'card 4711 declined' },
  ]);
  await expect.poll(async () => (await tasker.listTasks({ ...own, open: true }, {})).lagMs).toBeLessThan(5_000);
});

it('cursors lead to the next and to the previous page in both directions of each sort order', async () => {
  const { tasker, own, find, named } = await scene();
  for (const sort of ['created', 'updated'] as const) {
    for (const order of ['asc', 'desc'] as const) {
      const all = await find({}, { sort, order });
      expect(all).toHaveLength(3);
      const seen: string[] = [];
      let page: TaskPage = await tasker.listTasks(own, { sort, order, limit: 1 });
      expect(page.previousCursor).toBeNull();
      for (;;) {
        seen.push(...named(page.tasks));
        if (page.nextCursor === null) break;
        page = await tasker.listTasks(own, { sort, order, limit: 1, cursor: page.nextCursor });
      }
      expect(seen).toEqual(all);
      const back = await tasker.listTasks(own, { sort, order, limit: 1, cursor: page.previousCursor! });
      expect(named(back.tasks)).toEqual(all.slice(1, 2));
    }
  }
});

it('an action of an operator changes which tasks are found', async () => {
  const { tasker, ids, find } = await scene();
  await tasker.resolveStep(ids.bad!, 'first');
  await expect.poll(() => find({ status: 'complete' })).toEqual(['bad', 'good']);
  expect(await find({ stepState: 'error' })).toEqual([]);
  expect(await find({ stepState: 'resolved_manually' })).toEqual(['bad']);
  await tasker.cancelTask(ids.slow!);
  await expect.poll(() => find({ status: 'cancelled' })).toEqual(['slow']);
  expect(await find({ open: true })).toEqual([]);
});

it('an invalid filter is rejected with a suggestion', async () => {
  const { tasker } = await shared.setup(STEPS, { handlers: HANDLERS });
  const refused = (filter: object, page: object = {}) =>
    tasker.listTasks(filter, page).catch((error: Error) => error.message);
  expect(await refused({ statsu: 'error' })).toMatch(/unknown condition statsu; did you mean status\?/);
  expect(await refused({ status: 'failed' })).toMatch(/failed is not a task state; did you mean blocked_by_failures/);
  expect(await refused({ stepState: 'failed' })).toMatch(/failed is not a step state; did you mean error\?/);
  expect(await refused({ createdAfter: 'last week' })).toMatch(/createdAfter: last week is not a time/);
  expect(await refused({ templateVersion: 'one' })).toMatch(/one is not a version or a range/);
  expect(await refused({}, { cursor: 'x' })).toMatch(/the cursor is not from a page/);
});

it('pages list every task once, even if many were created in one transaction or they have several templates', async () => {
  const steps = { first: [], second: ['first'] };
  const { tasker, demo } = await shared.setup(steps, { worker: false });
  const names = ['demo', 'other', 'third'];
  for (const name of names.slice(1)) {
    await tasker.registerTemplates([template(steps, { namespace: demo.namespace, name })]);
  }
  for (const name of names) {
    await tasker.createTasks(
      Array.from({ length: 40 }, (_, i) => ({ ...demo, name, tags: [i % 2 ? 'ödd ⚙' : 'even'] })),
    );
  }
  await tasker.engine.search.flush();
  const { namespace } = demo;
  const filters: [object, number][] = [
    [{ namespace }, 120],
    [{ namespace, status: 'pending' }, 120],
    [{ namespace, name: 'other' }, 40],
    [{ namespace, tag: 'ödd ⚙' }, 60],
    [{ namespace, stepState: 'enqueued' }, 120],
    [{ namespace, stepState: 'enqueued', tag: 'even', name: 'third' }, 20],
    [{ namespace, step: 'second', stepState: 'pending' }, 120],
    [{ namespace, ended: true }, 0],
  ];
  for (const [filter, total] of filters) {
    for (const order of ['asc', 'desc'] as const) {
      for (const sort of ['created', 'updated'] as const) {
        expect(await walk((page) => tasker.listTasks(filter, { sort, order, ...page }))).toEqual([total, total, total]);
      }
    }
  }
  for (const order of ['asc', 'desc'] as const) {
    const find = (page: object) => tasker.listSteps({ namespace, stepState: 'enqueued' }, { order, ...page });
    expect(await walk(find)).toEqual([120, 120, 120]);
  }
});

it('the total counts a task once even if several steps match, and excludes tasks without the time of the sort order', async () => {
  const failing = { a: { handler: 'shared' }, b: { handler: 'shared' } };
  const handlers = [
    defineHandler('shared', { inputs: { mood: 'mood' } }, ({ mood }) => {
      if (mood === 'bad') throw new PermanentError('the bank is closed');
      return {};
    }),
  ];
  const { tasker, demo } = await shared.setup(failing, { handlers });
  const { namespace } = demo;
  await tasker.createTasks(
    Array.from({ length: 8 }, (_, i) => ({ ...demo, context: { mood: i < 5 ? 'bad' : 'good' } })),
  );
  await expect.poll(async () => (await tasker.listSteps({ namespace, error: 'closed' })).total).toBe(10);
  await expect.poll(async () => (await tasker.listTasks({ namespace, ended: true }, {})).total).toBe(3);
  const totalOf = async (filter: object, page: TaskPageOptions = {}) => {
    const { total, totalIsExact } = await tasker.listTasks({ namespace, ...filter }, { limit: 2, ...page });
    return totalIsExact && total;
  };
  const expectTotal = (filter: object, page: TaskPageOptions, total: number) =>
    expect.poll(() => totalOf(filter, page), { message: JSON.stringify(filter) }).toBe(total);
  await expectTotal({ stepState: 'error', handler: 'shared' }, {}, 5);
  await expectTotal({ error: 'CLOSED' }, {}, 5);
  await expectTotal({ stepState: 'error', handler: 'shared', createdAfter: '1h', open: true }, {}, 5);
  await expectTotal({}, { sort: 'ended' }, 3);
  await expectTotal({ ended: true }, { sort: 'ended' }, 3);
  await expectTotal({ open: true }, { sort: 'ended' }, 0);
});

it('a condition on an error or a worker finds no step in states without an error or a worker', async () => {
  const { tasker, ids, own, find } = await scene();
  const [failed] = (await tasker.listSteps({ ...own, stepState: 'error' })).steps;
  const worker = failed!.worker!;
  expect(await find({ worker, stepState: 'error' })).toEqual(['bad']);
  for (const stepState of ['pending', 'complete', 'cancelled', 'enqueued']) {
    expect(await find({ worker, stepState }), stepState).toEqual([]);
    expect(await find({ errorType: 'card_declined', stepState }), stepState).toEqual([]);
    expect(await find({ error: 'declined', stepState }), stepState).toEqual([]);
  }
  const act = tasker.bulk.cancel({ ...own, worker: 'nobody', stepState: 'pending' });
  expect((await act.preview()).matched).toBe(0);
  expect((await tasker.bulk.cancel({ ...own, error: 'no such error', stepState: 'pending' }).preview()).matched).toBe(
    0,
  );
  expect((await tasker.getTask(ids.slow!)).status).toBe('waiting_for_retry');
});

itOnce(
  'a search that times out on large contexts returns the tasks found so far, and continues at its cursor',
  async () => {
    const { tasker, demo } = await shared.setup(STEPS, { worker: false });
    const { namespace } = demo;
    const { taskUuid } = await tasker.createTask({ ...demo, context: { wanted: true } });
    await tasker.engine.search.flush();
    // Newer tasks, whose contexts take a millisecond or more to read. Stored values are copied without compressing them
    // again.
    await shared.sql('create table padding as select jsonb_build_object($1::text, repeat($1, 1000000)) context', ['x']);
    await shared.sql(
      `with t as (
       insert into tasker.task (task_uuid, template_id, n_open, n_active, context)
       select gen_random_uuid(), template_id, 1, 1, padding.context
         from tasker.task, padding, generate_series(1, 4000) where task_uuid = $1 returning *)
     insert into tasker.task_search (task_uuid, template_id, state, created_at, updated_at)
     select task_uuid, template_id, state, clock_timestamp(), clock_timestamp() from t`,
      [taskUuid],
    );
    let page!: TaskPage;
    const search = async () => {
      page = await tasker.listTasks({ namespace, context: { wanted: true } }, {});
    };
    expect(await leastOf(6_000, () => msOf(search), 3)).toBeLessThan(6_000);
    expect(page).toMatchObject({ tasks: [], timedOut: true, nextCursor: expect.any(String) });
    const next = await tasker.listTasks({ namespace, context: { wanted: true } }, { cursor: page.nextCursor! });
    expect(next.nextCursor).not.toBe(page.nextCursor);
  },
);

itOnce(
  'a search whose first stretch takes too long reads fewer entries, until it has a position to continue from',
  async () => {
    const sizes: number[] = [];
    const late = () => Promise.reject(Object.assign(new Error('canceling statement'), { code: '57014' }));
    const looks: Looks<string, { after: string | null; limit: number }> = {
      isPlain: true,
      first: late,
      all: late,
      stretch(_, { slice, among }) {
        sizes.push(among);
        return slice.after === null && among < 10 ? Promise.resolve({ places: ['a'], reached: 'b' }) : late();
      },
      count: late,
    };
    const database = {
      pipeline: (_: unknown, work: (tx: unknown) => unknown) => work(undefined),
    } as unknown as Database;
    const search = () => look(database, looks, { after: null, limit: 5 });
    expect(await search()).toMatchObject({ places: ['a'], timedOut: true, reached: 'b' });
    expect(sizes.splice(0)).toEqual([50, 10, 2, 2]);
    // Now the first scan takes all of the time.
    const clock = vi.spyOn(Date, 'now').mockReturnValueOnce(0).mockReturnValue(60_000);
    onTestFinished(() => clock.mockRestore());
    expect(await search()).toMatchObject({ places: ['a'], timedOut: true, reached: 'b' });
    expect(sizes).toEqual([1]);
  },
);

itOnce(
  'a search of steps that takes too long reports it, even with more templates than it reads one by one',
  async () => {
    const { tasker, demo } = await shared.setup(STEPS, { worker: false });
    await tasker.createTask(demo);
    await tasker.engine.search.flush();
    await shared.sql(
      `insert into tasker.template (namespace_id, name, version, digest, identity_strategy, initial_count, root_count, definition)
     select namespace_id, 'other', i::text, digest, identity_strategy, 0, 0, '{}' from tasker.template, generate_series(1, 500) i
      where id = (select max(id) from tasker.template)`,
    );
    expect((await tasker.listSteps({ namespace: demo.namespace })).steps).toHaveLength(1);
    const session = await openSession(shared.url);
    await session.query('begin');
    await session.query('lock table tasker.step_search');
    const page = await tasker.listSteps({ namespace: demo.namespace });
    expect(page).toMatchObject({ steps: [], timedOut: true, totalIsExact: false });
  },
);

/** Walks through all pages and back. Returns the total, and the number of rows on each of the two ways. */
async function walk(find: (page: object) => Promise<TaskPage | StepPage>): Promise<[number, number, number]> {
  const keys = (page: TaskPage | StepPage) => ('tasks' in page ? page.tasks : page.steps).map((row) => row.taskUuid);
  const there: string[] = [];
  let page = await find({ limit: 25 });
  const { total } = page;
  for (;;) {
    there.push(...keys(page));
    if (page.nextCursor === null) break;
    page = await find({ limit: 25, cursor: page.nextCursor });
  }
  const back = keys(page).reverse();
  while (page.previousCursor !== null) {
    page = await find({ limit: 25, cursor: page.previousCursor });
    back.push(...keys(page).reverse());
  }
  expect(back.reverse()).toEqual(there);
  return [total, new Set(there).size, back.length];
}

it('steps of all tasks are found, and steps that have been in their state the longest come first', async () => {
  const { tasker, ids, own } = await scene();
  const failed = await tasker.listSteps({ ...own, stepState: 'error' });
  expect(failed).toMatchObject({ total: 1, totalIsExact: true, nextCursor: null });
  expect(failed.steps).toMatchObject([
    {
      taskUuid: ids.bad,
      name: 'first',
      callable: 'first',
      currentState: 'error',
      attempts: 1,
      errorType: 'card_declined',
      error: 'card 4711 declined',
      worker: expect.any(String),
    },
  ]);
  const [step] = failed.steps;
  expect(step!.stepUuid).toBe((await tasker.getStep(ids.bad!, 'first')).stepUuid);
  expect((await tasker.listSteps({ ...own, worker: step!.worker! })).total).toBe(2);
  expect((await tasker.listSteps({ ...own, stepState: 'waiting_for_retry', handler: 'first' })).total).toBe(1);
  expect((await tasker.listSteps({ ...own, source: 'web' })).steps.map((found) => found.taskUuid)).toEqual([ids.bad]);
  expect((await tasker.listSteps({ ...own, status: 'complete' })).total).toBe(0);
  await expect(tasker.listSteps({ stepState: 'complete' })).rejects.toThrow(/cannot be listed across tasks/);
});

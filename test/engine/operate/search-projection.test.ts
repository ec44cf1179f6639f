import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { opening } from '../../../src/db/opening.ts';
import { SearchProjector } from '../../../src/engine/search/projector.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { PINNED_PLANS } from '../../../src/store/planner.ts';
import { projectTasks } from '../../../src/store/search/projection.ts';
import { openSession } from '../../support/database.ts';
import { handWorker, partsFor, workers } from '../../support/hand-worker.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';

const OPTIONS = { templates: template({ first: [], second: ['first'] }), worker: false, autoStart: false } as const;

/** A separate projector, as in another process. */
function projectorOn(url: string, options: ConstructorParameters<typeof SearchProjector>[2] = {}) {
  const database = Database.lazily({ url, poolSize: 2, logger: silentLogger });
  const projector = new SearchProjector(database, silentLogger, options);
  onTestFinished(async () => {
    await projector.stop();
    await database.close();
  });
  return projector;
}

it('a new task can be found within two seconds, although new tasks are written one flush later', async () => {
  const { tasker } = await setup(OPTIONS);
  const untilFound = async () => {
    const { taskUuid } = await tasker.createTask(DEMO);
    return msOf(() =>
      until(
        async () => (await tasker.listTasks({ open: true }, {})).tasks.map((task) => task.taskUuid),
        (found) => found.includes(taskUuid),
      ),
    );
  };
  expect(await leastOf(4_000, untilFound)).toBeLessThan(4_000);
});

it('the statement that writes tasks finds them by their key even if the table was empty at its last vacuum', async () => {
  const { url, sql } = await setup({ ...OPTIONS, searchEnabled: false });
  await sql('vacuum analyze');
  const texts: string[] = [];
  const recorder = { query: async ({ text }: { text: string }) => ({ rows: texts.push(text) && [] }) };
  await projectTasks(recorder as unknown as Parameters<typeof projectTasks>[0], [], false);
  const database = await Database.connect({ url, poolSize: 1, logger: silentLogger });
  onTestFinished(() => database.close());
  const plan = await database.transaction(opening(PINNED_PLANS), async (tx) => {
    await tx.query({ name: 'test_prepare', text: `prepare writing(uuid[], boolean) as ${texts[0]}` }, []);
    const explained = { name: 'test_explain', text: `explain execute writing('{${randomUUID()}}', false)` };
    return (await tx.query<{ 'QUERY PLAN': string }>(explained, [])).rows.map((row) => row['QUERY PLAN']).join('\n');
  });
  expect(plan).toContain('Conflict Arbiter Indexes: task_search_pkey');
  expect(plan).not.toMatch(/Scan using task_search_(?!pkey)\w+ on task_search s\b/);
});

it.each(['a flush', 'an announcement'])(
  'a task is written again if its recording commits after %s',
  async (between) => {
    const bench = await handWorker({ a: [], b: ['a'] });
    const { engine, sql, url } = bench;
    await bench.claim();
    await engine.search.flush();
    engine.search.log.want();
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select from tasker.task for update');
    const recorded = bench.record(bench.completed('a'));
    await until(
      () => sql(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
      (waiting) => waiting.length > 0,
    );
    const write = () => (between === 'a flush' ? engine.search.flush() : engine.search.log.flush());
    await write();
    const [last] = await sql<{ seq: number }>('select max(seq)::int seq from tasker.task_change');
    await session.query('commit');
    await recorded;
    await write();
    const { taskUuid } = bench;
    const announced = await sql('select from tasker.task_change where seq > $1 and $2 = any (tasks)', [
      last!.seq,
      taskUuid,
    ]);
    expect(announced).not.toEqual([]);
    if (between !== 'a flush') return;
    expect(await sql('select idx, state from tasker.step_search where task_uuid = $1', [taskUuid])).toEqual([
      { idx: 1, state: 'enqueued' },
    ]);
  },
);

it('a task that changes while its write fails is written by the next one', async () => {
  const { tasker, sql } = await setup(OPTIONS);
  const { taskUuid } = await tasker.createTask(DEMO);
  const { search } = tasker.engine;
  await search.flush();
  await sql('alter table tasker.task_search rename to hidden');
  search.changed(taskUuid);
  const failing = search.flush();
  await new Promise((resolve) => setImmediate(resolve));
  search.changed(taskUuid);
  await expect(failing).rejects.toThrow('task_search');
  await sql('alter table tasker.hidden rename to task_search');
  await sql('delete from tasker.task_search');
  await search.flush();
  expect(await sql('select task_uuid id from tasker.task_search')).toEqual([{ id: taskUuid }]);
});

it('another process writes the changes that a process did not write before it died', async () => {
  const { tasker, url, sql } = await setup(OPTIONS);
  const created = await tasker.createTasks(Array.from({ length: 30 }, () => DEMO));
  const ids = created.map(({ taskUuid }) => taskUuid);
  await tasker.engine.search.flush();
  await sql(`update tasker.task set created_at = created_at - interval '1 minute'`);
  // Missing, old and surplus rows, as if a process had announced changes and died before it wrote them.
  await sql(`insert into tasker.search_writer (id, pending_since, seen_at)
             values (gen_random_uuid(), now() - interval '10 minutes', now() - interval '10 minutes')`);
  await sql('delete from tasker.task_search where task_uuid = $1', [ids[0]]);
  await sql(`update tasker.task_search set state = 'complete', done_at = now() where task_uuid = $1`, [ids[1]]);
  await sql('delete from tasker.step_search where task_uuid = $1', [ids[2]]);
  await sql(`update tasker.step_search set state = 'error' where task_uuid = $1`, [ids[3]]);
  await sql('delete from tasker.step where task_uuid = $1', [ids[4]]);
  await sql('delete from tasker.task where task_uuid = $1', [ids[4]]);
  await sql(
    `update tasker.task set verdict = 'cancelled', n_open = 0, n_active = 0, done_at = now() where task_uuid = $1`,
    [ids[5]],
  );
  expect((await tasker.listTasks({}, {})).lagMs).toBeGreaterThan(500_000);

  const other = projectorOn(url);
  await other.keeper.look();
  const rows = await sql(`
    select t.task_uuid from tasker.task t left join tasker.task_search s using (task_uuid)
     where s.state is distinct from case t.state when 'steps_in_process' then 'pending' else t.state end
    union all select s.task_uuid from tasker.task_search s left join tasker.task t using (task_uuid) where t.task_uuid is null
    union all select task_uuid from tasker.step_search q where not exists (
      select 1 from tasker.step s where s.task_uuid = q.task_uuid and s.idx = q.idx and s.state = q.state)
    union all select task_uuid from tasker.step s where s.state = 'enqueued' and not exists (
      select 1 from tasker.step_search q where q.task_uuid = s.task_uuid and q.idx = s.idx and s.state = q.state)`);
  expect(rows).toEqual([]);
  const page = await tasker.listTasks({}, {});
  expect(page.lagMs).toBeLessThan(60_000);
  expect(page.total).toBe(29);
  expect(
    await sql("select count(*)::int from tasker.search_writer where seen_at < now() - interval '1 minute'"),
  ).toEqual([{ count: 0 }]);
});

it('the last changes of a process that was killed are found', async () => {
  const { tasker, url, sql } = await setup(OPTIONS);
  const program = `
    import { createTasker } from ${JSON.stringify(pathToFileURL('dist/bundle/index.js').href)};
    const tasker = await createTasker({ databaseUrl: ${JSON.stringify(url)}, worker: false, migrate: false });
    const request = ${JSON.stringify(DEMO)};
    await tasker.createTask(request);
    await tasker.engine.search.flush();
    const tasks = await tasker.createTasks(Array.from({ length: 25 }, () => request));
    await tasker.cancelTask(tasks[0].taskUuid);
    process.kill(process.pid, 'SIGKILL');`;
  // The process kills itself, because on a busy machine a kill by the test could come after the changes are written.
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  expect((await tasker.listTasks({}, {})).total).toBeLessThan(26);
  await sql(`update tasker.task set created_at = created_at - interval '1 minute'`);
  // The turn of a killed process expires after a while.
  await sql(`update tasker.search_state set keeper_until = now() - interval '1 second'`);
  await sql(`update tasker.search_writer set seen_at = seen_at - interval '5 minutes'`);
  await projectorOn(url).keeper.look();
  expect((await tasker.listTasks({}, {})).total).toBe(26);
  expect((await tasker.listTasks({ status: 'cancelled' }, {})).total).toBe(1);
  expect((await tasker.listSteps({ stepState: 'enqueued' }, {})).total).toBe(25);
});

it('one process at a time keeps the search tables complete, and another takes over when that process is gone', async () => {
  const { url, sql } = await setup(OPTIONS);
  const [one, two] = [projectorOn(url), projectorOn(url)];
  await one.keeper.look();
  const [first] = await sql('select keeper::text from tasker.search_state');
  await two.keeper.look();
  expect(await sql('select keeper::text from tasker.search_state')).toEqual([first]);
  await sql(`update tasker.search_state set keeper_until = now() - interval '1 second'`);
  await two.keeper.look();
  expect(await sql('select keeper::text from tasker.search_state')).not.toEqual([first]);
});

it('a process that stops lets another process keep the tables complete immediately', async () => {
  const { url, sql } = await setup(OPTIONS);
  const [one, two] = [projectorOn(url), projectorOn(url)];
  await one.keeper.look();
  const [first] = await sql('select keeper::text from tasker.search_state');
  await two.keeper.stop();
  expect(await sql('select keeper::text from tasker.search_state')).toEqual([first]);
  await one.keeper.stop();
  expect(await sql('select keeper from tasker.search_state')).toEqual([{ keeper: null }]);
});

it('a comparison finds changes that are too many for a process to remember', async () => {
  const { tasker, url, sql } = await setup(OPTIONS);
  const created = await tasker.createTasks(Array.from({ length: 20 }, () => DEMO));
  await tasker.engine.search.flush();
  await sql('truncate tasker.task_search, tasker.step_search');
  const other = projectorOn(url, { mostTasks: 5 });
  for (const { taskUuid } of created) other.changed(taskUuid);
  await other.flush();
  expect((await tasker.listTasks({}, {})).total).toBe(20);
  await expect.poll(async () => (await tasker.listTasks({}, {})).lagMs).toBeLessThan(5_000);
});

it('a deleted task is removed from the tables', async () => {
  const { tasker, sql } = await setup(OPTIONS);
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.engine.search.flush();
  await sql('delete from tasker.step where task_uuid = $1', [taskUuid]);
  await sql('delete from tasker.task where task_uuid = $1', [taskUuid]);
  expect((await tasker.listTasks({}, {})).tasks).toEqual([]);
  tasker.engine.search.changed(taskUuid);
  await tasker.engine.search.flush();
  expect(await sql('select count(*)::int from tasker.task_search')).toEqual([{ count: 0 }]);
  expect(await sql('select count(*)::int from tasker.step_search')).toEqual([{ count: 0 }]);
});

it('a task is found by the time of its change, not by the time at which the search was written', async () => {
  const { tasker, sql } = await setup(OPTIONS);
  const { taskUuid } = await tasker.createTask(DEMO);
  await sql(`update tasker.task set created_at = created_at - interval '3 hours'`);
  tasker.engine.search.changed(taskUuid);
  await tasker.engine.search.flush();
  const { tasks } = await tasker.listTasks({ updatedBefore: '2h' }, { sort: 'updated' });
  expect(tasks).toMatchObject([{ taskUuid, updatedAt: (await tasker.getTask(taskUuid)).createdAt }]);
  expect((await tasker.listTasks({ updatedAfter: '2h' }, {})).tasks).toEqual([]);
  await tasker.completeStep(taskUuid, (await tasker.getSteps(taskUuid))[0]!.name, { result: {} });
  await tasker.engine.search.flush();
  expect((await tasker.listTasks({ updatedAfter: '2h' }, {})).tasks).toMatchObject([{ taskUuid }]);
});

it('a total is not exact while the search is behind', async () => {
  const { tasker, sql } = await setup(OPTIONS);
  await tasker.createTask(DEMO);
  await tasker.engine.search.flush();
  expect(await tasker.listTasks({}, {})).toMatchObject({ total: 1, totalIsExact: true });
  await sql(
    `insert into tasker.search_writer (id, pending_since) values (gen_random_uuid(), now() - interval '90 seconds')`,
  );
  const page = await tasker.listTasks({}, {});
  expect(page).toMatchObject({ total: 1, totalIsExact: false });
  expect(page.lagMs).toBeGreaterThan(89_000);
  expect(await tasker.listSteps({ stepState: 'enqueued' })).toMatchObject({ totalIsExact: false });
});

it('many processes that write the same tasks at the same time leave the latest state', async () => {
  const { tasker, url, sql } = await setup(OPTIONS);
  const created = await tasker.createTasks(Array.from({ length: 40 }, () => DEMO));
  const others = [1, 2, 3].map(() => projectorOn(url));
  const acts = created.slice(0, 20).map(({ taskUuid }) => tasker.cancelTask(taskUuid));
  for (let i = 0; i < 5; i++) {
    for (const { taskUuid } of created) for (const other of others) other.changed(taskUuid);
    await Promise.all([...others.map((other) => other.flush()), acts[i]]);
  }
  await Promise.all(acts);
  await tasker.engine.search.flush();
  expect(
    await sql(`select count(*)::int from tasker.task t join tasker.task_search s using (task_uuid)
                     where s.state <> case t.state when 'steps_in_process' then 'pending' else t.state end or s.done_at is distinct from t.done_at`),
  ).toEqual([{ count: 0 }]);
  expect((await tasker.listTasks({ status: 'cancelled' }, {})).total).toBe(20);
  expect(await sql('select count(*)::int from tasker.step_search')).toEqual([{ count: 20 }]);
});

it('without search tables, tasks are listed by a few conditions, and other conditions are rejected', async () => {
  const { tasker, sql } = await setup({ ...OPTIONS, searchEnabled: false });
  const created = await tasker.createTasks(Array.from({ length: 3 }, () => DEMO));
  await tasker.engine.search.flush();
  expect(await sql('select count(*)::int from tasker.task_search')).toEqual([{ count: 0 }]);
  const first = await tasker.listTasks({ namespace: 'test', status: 'pending', open: true }, { limit: 2 });
  expect(first.tasks.map((task) => task.taskUuid)).toEqual([created[2]!.taskUuid, created[1]!.taskUuid]);
  expect(first).toMatchObject({ total: 2, totalIsExact: false, timedOut: false });
  const second = await tasker.listTasks({ namespace: 'test' }, { limit: 2, cursor: first.nextCursor! });
  expect(second).toMatchObject({ tasks: [{ taskUuid: created[0]!.taskUuid }], nextCursor: null });
  const refused = (act: Promise<unknown>) => act.catch((error: Error) => error.message);
  expect(await refused(tasker.listTasks({ tag: 'a' }, {}))).toMatch(
    /^the condition tag needs the search tables, which search.enabled/,
  );
  expect(await refused(tasker.listTasks({ status: ['error', 'complete'] }, {}))).toMatch(
    /^a list of several states needs/,
  );
  expect(await refused(tasker.listTasks({}, { sort: 'ended' }))).toMatch(/^the order ended, desc needs/);
  expect(await refused(tasker.listTasks({ statsu: 'a' } as object, {}))).toMatch(/did you mean status/);
  expect(await refused(tasker.listSteps({ stepState: 'error' }))).toMatch(/needs the search tables/);
});

it('a step after a batch is ready since the end of the last worker', async () => {
  const hand = await handWorker({
    cut: { type: 'batchable', dependencies: [] },
    rows: workers(['cut']),
    sum: { type: 'deferred_convergence', dependencies: ['rows'] },
  });
  const { tasker, taskUuid } = hand;
  await hand.claim();
  await hand.record(hand.completed('cut', partsFor('rows', '1', '2')));
  await hand.claim();
  await hand.record(hand.completed('rows_1'));
  await hand.record(hand.completed('rows_2'));
  await tasker.engine.search.flush();
  const { namespace } = await tasker.getTask(taskUuid);
  const { steps } = await tasker.listSteps({ namespace, stepState: 'enqueued' });
  const { completedAt } = await tasker.getStep(taskUuid, 'rows_2');
  expect(steps).toMatchObject([{ name: 'sum', since: completedAt }]);
});

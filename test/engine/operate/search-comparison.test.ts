import { expect, it, onTestFinished, vi } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { Database } from '../../../src/db/database.ts';
import { SearchProjector } from '../../../src/engine/search/projector.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { seeded } from '../../support/crash/faults.ts';
import { OF_THIS_DATABASE, openSession, type Sql } from '../../support/database.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

const LATER = { ...DEMO, delayMs: 3_600_000 };
/** Only the comparisons write the search tables. */
const OPTIONS = { templates: template({ first: [], second: ['first'] }), worker: false, searchEnabled: false } as const;

/** A process that compares on request. */
function keeperOn(url: string) {
  const database = Database.lazily({ url, poolSize: 2, logger: silentLogger });
  const projector = new SearchProjector(database, silentLogger);
  onTestFinished(async () => {
    await projector.stop();
    await database.close();
  });
  return { keeper: projector.keeper, database };
}

async function bench(options: Parameters<typeof setup>[0] = {}) {
  const { tasker, url, sql } = await setup({ ...OPTIONS, ...options });
  const { keeper, database } = keeperOn(url);
  /** Compares as after the death of another process, which makes a comparison due. */
  const look = async () => {
    await sql(
      `insert into tasker.search_writer (id, seen_at) values (gen_random_uuid(), now() - interval '10 minutes')`,
    );
    await keeper.look();
  };
  /** Compares all tasks, including those of the last seconds, which a comparison otherwise leaves to their process. */
  const complete = async () => {
    await sql(
      `update tasker.task set created_at = created_at - interval '1 minute' where created_at > now() - interval '30 seconds'`,
    );
    await look();
    expect(await wrongRows(sql)).toEqual([]);
  };
  /** Compares until the search tables match the live tables. */
  const completeLater = async () => {
    await until(
      async () => {
        await look();
        return wrongRows(sql);
      },
      (wrong) => wrong.length === 0,
    );
  };
  return { tasker, url, sql, look, complete, completeLater, keeper, database };
}

/** Rows of the search tables that differ from the live tables. */
function wrongRows(sql: Sql) {
  return sql(`
    select 'task' what, task_uuid, t.shown live, s.state found
      from (select t.*, case when state in ('steps_in_process', 'waiting_for_dependencies') and not exists (
                      select 1 from tasker.step s where s.task_uuid = t.task_uuid and s.attempts > 0)
                   then 'pending' else tasker.shown_state(state, n_wait) end shown from tasker.task t) t
      full join tasker.task_search s using (task_uuid) where t.shown is distinct from s.state
    union all
    select 'step', task_uuid, null, null
      from (select * from tasker.step where state not in ('pending', 'complete', 'cancelled')) l
      full join tasker.step_search s using (task_uuid, idx) where l.state is distinct from s.state limit 5`);
}

const later = (tasker: Tasker, n: number) => tasker.createTasks(Array.from({ length: n }, () => LATER));

it('a comparison leaves out tasks that only wait and have not changed, and compares all others', async () => {
  const { tasker, sql, look, complete } = await bench();
  const [waiting, changed] = await later(tasker, 2);
  const active = await tasker.createTask(DEMO);
  await complete();
  // While a transaction of another test is open on the server, each task may have changed since.
  const rows = await until(
    async () => {
      // An update that only an operator with psql would make. It shows which tasks are compared.
      await sql(`update tasker.task_search set state = 'blocked_by_failures'`);
      await sql('update tasker.task set tags = tags where task_uuid = $1', [changed!.taskUuid]);
      await look();
      return sql<{ id: string }>(`select task_uuid id from tasker.task_search where state = 'blocked_by_failures'`);
    },
    ({ length }) => length > 0,
  );
  expect(rows).toEqual([{ id: waiting!.taskUuid }]);
  expect(rows).not.toContainEqual({ id: active.taskUuid });
});

it('a comparison takes as many statements with a thousand waiting tasks as without any', async () => {
  const { tasker, look, complete, database } = await bench();
  await complete();
  const cost = async () => {
    const before = database.statements;
    await look();
    return database.statements - before;
  };
  const without = await cost();
  await later(tasker, 1_000);
  await complete();
  // While a transaction of another test is open on the server, each task may have changed since.
  await until(cost, (statements) => statements === without);
});

it('no comparison is due while nothing is written, and one change makes a comparison due', async () => {
  const { tasker, sql, keeper, database, complete } = await bench();
  await later(tasker, 10);
  await complete();
  // Each call of `statementsOfLook` is a day later, so that a comparison may run. The pause after a comparison is 200 times
  // its duration, which is more than a minute on a busy machine.
  const now = performance.now.bind(performance);
  let days = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + days * 86_400_000);
  onTestFinished(() => clock.mockRestore());
  const statementsOfLook = async () => {
    days++;
    await sql(`update tasker.search_state set compared_at = compared_at - interval '1 minute'`);
    const before = database.statements;
    await keeper.look();
    return database.statements - before;
  };
  const comparing = await statementsOfLook();
  // The three statements take the turn, look for lost processes, and note that the tables are complete.
  await expect.poll(statementsOfLook).toBe(3);
  expect(comparing).toBeGreaterThan(10);
  expect(await wrongRows(sql)).toEqual([]);
  await sql('delete from tasker.step_search');
  const wrongAfterLook = async () => {
    await statementsOfLook();
    return wrongRows(sql);
  };
  await expect.poll(wrongAfterLook).toEqual([]);
});

it('a change whose transaction was open during a comparison is found by the next comparison', async () => {
  const { tasker, url, sql, look, complete } = await bench();
  const [task] = await later(tasker, 1);
  await complete();
  const session = await openSession(url);
  await session.query('begin');
  await session.query('update tasker.task set n_wait = 0, n_error = 1');
  await session.query(`update tasker.wait set ended_at = now(), ended_by = 'elapsed'`);
  await session.query(`update tasker.step set state = 'error', done_at = now() where idx = 0`);
  await look();
  await look();
  expect(await wrongRows(sql)).toEqual([]);
  await session.query('commit');
  expect(await wrongRows(sql)).not.toEqual([]);
  await look();
  expect(await wrongRows(sql)).toEqual([]);
  expect(await sql('select task_uuid id, state::text from tasker.task_search')).toEqual([
    { id: task!.taskUuid, state: 'blocked_by_failures' },
  ]);
});

it('a comparison corrects old states that another process writes during the comparison', async () => {
  const { tasker, url, sql, look, complete } = await bench();
  await later(tasker, 3);
  await complete();
  const session = await openSession(url);
  await session.query('begin');
  await session.query('select pg_advisory_xact_lock(7303014008)');
  // The session writes rows as it read them before the last change.
  await session.query(`update tasker.task_search set state = 'blocked_by_failures'`);
  await sql('update tasker.task set tags = tags');
  let compared = false;
  const looking = look().then(() => (compared = true));
  await until(
    () => sql(`select 1 from pg_locks where locktype = 'advisory' and not granted and ${OF_THIS_DATABASE}`),
    (waiters) => waiters.length > 0 || compared,
  );
  await session.query('commit');
  await looking;
  expect(await wrongRows(sql)).toEqual([]);
});

it('a task that was too young to be compared is compared the next time, although it has not changed since', async () => {
  const { tasker, sql, look, completeLater, keeper } = await bench();
  await look();
  await later(tasker, 5);
  await keeper.compare(new Date(0), 0);
  expect(await wrongRows(sql)).toEqual([]);
  // The rows are from before the last change, as if a process had died after it wrote them.
  await sql(`update tasker.task_search set state = 'blocked_by_failures'`);
  await look();
  const young = await wrongRows(sql);
  await completeLater();
  // If the machine is so slow that the tasks were old enough immediately, no row is wrong.
  expect(young.length === 5 || young.length === 0).toBe(true);
});

it('after a restore to a server whose transactions have smaller numbers, all tasks are compared', async () => {
  const { tasker, sql, look, complete } = await bench();
  await later(tasker, 3);
  await complete();
  await sql(`update tasker.task_search set state = 'blocked_by_failures'`);
  await sql(`update tasker.search_state set compared_to = (compared_to::text::bigint + 1000000)::text::xid8`);
  await look();
  expect(await wrongRows(sql)).toEqual([]);
});

it('tasks that ended or were deleted unnoticed do not stay open in the tables', async () => {
  const { tasker, sql, look, complete } = await bench();
  const tasks = await later(tasker, 4);
  await complete();
  await tasker.cancelTask(tasks[0]!.taskUuid);
  for (const table of ['wait', 'step', 'task'])
    await sql(`delete from tasker.${table} where task_uuid = $1`, [tasks[1]!.taskUuid]);
  expect(await wrongRows(sql)).not.toEqual([]);
  await look();
  expect(await wrongRows(sql)).toEqual([]);
  expect(await sql('select count(*)::int from tasker.task_search where done_at is null')).toEqual([{ count: 2 }]);
});

it('comparisons that leave out unchanged tasks find every random change of a task', { timeout: 120_000 }, async () => {
  const SIGNAL = { type: 'signal', handler: undefined, signal: { name: 'go' } };
  const TIMER = { type: 'timer', handler: undefined, timer: { for: 0.05 } };
  const random = seeded(20_251_128);
  const chance = (share: number) => random() < share;
  const templates = template({
    pause: TIMER,
    go: { ...SIGNAL, dependencies: ['pause'] },
    work: { dependencies: ['go'], retry: { max_attempts: 2, backoff: 'none' } },
    end: ['work'],
  });
  const work = () => {
    if (chance(0.4)) throw new Error('no luck');
    return {};
  };
  const handlers = [defineHandler('work', {}, work), defineHandler('end', {}, () => ({}))];
  const { tasker, look, completeLater } = await bench({ templates, handlers, worker: true, logger: silentLogger });
  const ids: string[] = [];
  const acts: Record<string, (id: string) => Promise<unknown>> = {
    create: async () => ids.push((await tasker.createTask(chance(0.3) ? { ...DEMO, delayMs: 100 } : DEMO)).taskUuid),
    signal: (id) => tasker.signal(id, 'go', {}),
    cancel: (id) => tasker.cancelTask(id),
    reset: (id) => tasker.resetStep(id, 'work'),
    resolve: (id) => tasker.resolveStep(id, 'work'),
    complete: (id) => tasker.completeStep(id, 'go', {}),
  };
  const done: Record<string, number> = {};
  const names = Object.keys(acts);
  for (let i = 0; i < 240 || Object.keys(done).length < names.length; i++) {
    const name = ids.length === 0 || chance(0.25) ? 'create' : names[Math.floor(random() * names.length)]!;
    await acts[name]!(ids[Math.floor(random() * ids.length)]!).then(
      () => (done[name] = (done[name] ?? 0) + 1),
      () => undefined,
    );
    if (i % 12 === 0) await look();
  }
  await tasker.stop({ drainTimeoutMs: 5_000 });
  await completeLater();
  expect(Object.keys(done).sort()).toEqual(Object.keys(acts).sort());
});

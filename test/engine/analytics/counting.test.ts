import { describe, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { AttemptCounter } from '../../../src/engine/analytics/attempt-counter.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { compareWithJournal, keepJournal } from '../../support/crash/attempt-journal.ts';
import { openSession, type Sql } from '../../support/database.ts';
import { handWorker } from '../../support/hand-worker.ts';
import { DEMO, endStates, RETRY_AT_ONCE, setup, template, until } from '../../support/setup.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';

const HANDLERS = [
  defineHandler('a', {}, () => ({})),
  defineHandler('b', {}, ({ context }) => {
    if (context.retryCount === 0) throw new Error('not yet');
    return {};
  }),
  defineHandler('c', {}, () => {
    throw new PermanentError('never');
  }),
];
const RETRIED = { dependencies: ['a'], retry: { ...RETRY_AT_ONCE, max_attempts: 3 } };
/** No process counts on its own, so that the tests decide when to count. */
const BY_HAND = { analyticsEnabled: false } as const;

/** Writes an attempt of a task as a recording does. */
const ATTEMPT = `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
                 values ($1, 0, $2, 1, 'completed', 'complete', now(), 5)`;

async function attemptsIn(sql: Sql): Promise<number> {
  const [row] = await sql<{ n: number }>(
    `select coalesce(sum(completed + failed + lost), 0)::int n from tasker.analytics where minutes = 1 and idx = -2`,
  );
  return row!.n;
}

const count = (tasker: Tasker) => tasker.engine.analytics.flush();

/** A task with attempts that ended the given numbers of days ago. Old periods are not removed without a change of `pruned_at`. */
async function withOldAttempts(days: readonly number[]) {
  const made = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
  const { taskUuid } = await made.tasker.createTask(DEMO);
  await made.sql(`update tasker.analytics_state set pruned_at = now() + interval '1 day'`);
  await made.sql(
    `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, ended_at)
     select $1, 0, ord, 1, 'completed', 'complete', now() - day * interval '1 day' from unnest($2::int[]) with ordinality d (day, ord)`,
    [taskUuid, days],
  );
  return made;
}

/** Returns the number of stored minutes, hours and days of the first step. */
const periodsIn = (sql: Sql) =>
  sql('select minutes, count(*)::int n from tasker.analytics where idx = 0 and minutes < 14400 group by 1 order by 1');

describe('statistics', () => {
  it('count every attempt and every end once per template, step, minute, hour and day', async () => {
    const templates = [
      template({ a: [], b: RETRIED }),
      template({ a: [] }, { name: 'other' }),
      template({ c: [] }, { name: 'failing' }),
    ];
    const { tasker, sql } = await setup({ templates, handlers: HANDLERS, logger: silentLogger, ...BY_HAND });
    await keepJournal(sql);
    const tasks = await tasker.createTasks(
      ['demo', 'other', 'failing', 'demo'].map((name) => ({ namespace: 'test', name, version: '1.0.0' })),
    );
    await endStates(tasker, tasks);
    await count(tasker);
    await count(tasker);
    // 2 × (a, b, b again), a of the other template, c.
    expect(await compareWithJournal(sql)).toEqual({ attempts: 8, ends: 3 });
    expect(await attemptsIn(sql)).toBe(8);
  });

  it('are written by a process soon after the attempts', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: HANDLERS });
    await keepJournal(sql);
    let attempts = 0;
    const untilCounted = async () => {
      await endStates(tasker, await tasker.createTasks([DEMO, DEMO]));
      attempts += 2;
      return msOf(() =>
        until(
          () => attemptsIn(sql),
          (n) => n === attempts,
        ),
      );
    };
    expect(await leastOf(5_000, untilCounted, 5)).toBeLessThan(5_000);
    await compareWithJournal(sql);
  });

  it('are written when a process stops, or by the next reader if the process has no time to drain', async () => {
    for (const [drainTimeoutMs, written] of [
      [5_000, 1],
      [0, 0],
    ] as const) {
      const { tasker, sql, url: databaseUrl } = await setup({ templates: template({ a: [] }), handlers: HANDLERS });
      await sql(`update tasker.analytics_state set rest_until = now() + interval '1 minute'`);
      await endStates(tasker, [await tasker.createTask(DEMO)]);
      await tasker.stop({ drainTimeoutMs });
      expect(await attemptsIn(sql)).toBe(written);
      const reader = await createTasker({ databaseUrl, worker: false, autoStart: false, logger: silentLogger });
      await until(
        () => reader.analytics(),
        ({ steps }) => steps.attempts === 1,
      );
      await reader.stop();
    }
  });

  it('count an attempt once if it commits after later attempts', async () => {
    const { tasker, sql, url } = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
    const { taskUuid } = await tasker.createTask(DEMO);
    const slow = await openSession(url);
    await slow.query('begin');
    await slow.query(ATTEMPT, [taskUuid, 1]);
    await slow.query('savepoint s');
    await slow.query(ATTEMPT, [taskUuid, 2]);
    await slow.query('release s');
    for (let attempt = 3; attempt < 6; attempt++) {
      await sql(ATTEMPT, [taskUuid, attempt]);
      await count(tasker);
    }
    expect(await attemptsIn(sql)).toBe(3);
    await slow.query('commit');
    await count(tasker);
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(5);
  });

  it('count an attempt of a transaction that ran alongside thousands of others', async () => {
    const { tasker, sql, url } = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
    const { taskUuid } = await tasker.createTask(DEMO);
    const slow = await openSession(url);
    await slow.query('begin');
    await slow.query(ATTEMPT, [taskUuid, 1]);
    await sql('create temp table burnt (n int)');
    await sql(
      `do $$ begin for i in 1..3000 loop begin insert into burnt values (1); exception when others then null; end; end loop; end $$`,
    );
    await count(tasker);
    await slow.query('commit');
    await count(tasker);
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(1);
  });

  it('are counted in small passes when a load starts, even after an idle period with many other transactions', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
    const { taskUuid } = await tasker.createTask(DEMO);
    await sql('create table public.burnt (n int)');
    const burn = (count: number) =>
      sql(
        `do $$ begin for i in 1..${count} loop begin insert into public.burnt values (1); exception when others then null; end; end loop; end $$`,
      );
    const { analytics } = tasker.engine;
    await burn(20_000);
    await analytics.flush();
    await burn(5);
    await analytics.flush();
    const load = async (recordings: number) => {
      for (let i = 0; i < recordings; i++) {
        await sql(
          `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
           select $1, 0, $2::int * 1000 + n, 1, 'completed', 'complete', now(), 5 from generate_series(1, 400) n`,
          [taskUuid, attempt++],
        );
      }
    };
    let attempt = 1;
    await load(100);
    const turns: number[] = [];
    for (let complete = false; !complete; ) {
      const turn = (await analytics.count({ olderMs: 0 }))!;
      turns.push(turn.attempts);
      complete = turn.complete;
    }
    expect(turns.reduce((sum, one) => sum + one, 0)).toBe(40_000);
    expect(Math.max(...turns)).toBeLessThanOrEqual(16_000);
    expect(await attemptsIn(sql)).toBe(40_000);
  });

  it('do not count an attempt that was rolled back', async () => {
    const { tasker, sql, url } = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
    const { taskUuid } = await tasker.createTask(DEMO);
    const slow = await openSession(url);
    await slow.query('begin');
    await slow.query(ATTEMPT, [taskUuid, 1]);
    await count(tasker);
    await slow.query('rollback');
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(0);
  });

  it('are the same with small passes, and when several processes count at the same time', async () => {
    const options = {
      templates: template({ a: [], b: RETRIED }),
      handlers: HANDLERS,
      logger: silentLogger,
      ...BY_HAND,
    };
    const { tasker, sql, another } = await setup(options);
    await keepJournal(sql);
    const others = [await another({ worker: false }), await another({ worker: false })];
    for (let i = 0; i < 5; i++) {
      const tasks = await tasker.createTasks(Array.from({ length: 10 }, () => DEMO));
      await Promise.all([endStates(tasker, tasks), ...others.map(count)]);
    }
    await endStates(tasker, await tasker.createTasks(Array.from({ length: 10 }, () => DEMO)));
    // A few transactions at a time.
    const small = new AttemptCounter(tasker.engine.database, silentLogger, { transactions: 3 });
    let turns = 0;
    for (;;) {
      const counted = await small.count({ olderMs: 0 });
      turns += 1;
      if (counted?.complete) break;
    }
    await Promise.all([...others, tasker].map(count));
    expect(turns).toBeGreaterThan(1);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 180, ends: 60 });
  });

  it('include nothing from a counting pass whose session was terminated, and are complete once the next pass ends', async () => {
    const { tasker, sql, url } = await setup({
      templates: template({ a: [] }),
      handlers: HANDLERS,
      logger: silentLogger,
      ...BY_HAND,
    });
    await keepJournal(sql);
    await endStates(tasker, await tasker.createTasks([DEMO, DEMO, DEMO]));
    // The pass waits for a row of the statistics while its session is terminated.
    const session = await openSession(url);
    await session.query('begin');
    await session.query('lock table tasker.analytics in exclusive mode');
    const turn = count(tasker).then(
      () => 'counted',
      () => 'failed',
    );
    await until(
      () =>
        sql(`select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and wait_event_type = 'Lock' and query like '%analytics%'`),
      (ended) => ended.length > 0,
    );
    expect(await turn).toBe('failed');
    await session.query('rollback');
    await count(tasker);
    await compareWithJournal(sql);
  });

  it('count the ends that operators cause, by state', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
    await keepJournal(sql);
    const [one, two, three] = await tasker.createTasks([DEMO, DEMO, DEMO]);
    await tasker.cancelTask(one!.taskUuid);
    await tasker.resolveTask(two!.taskUuid);
    await tasker.completeStep(three!.taskUuid, 'a', { result: {} });
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 0, ends: 3 });
    const { tasks } = await tasker.analytics({});
    expect(tasks).toMatchObject({ ended: 3, cancelled: 1, resolvedManually: 1, completed: 1, failed: 0 });
  });

  it('count both ends of a task that ran again, whether or not the first end was counted before the rerun', async () => {
    const { tasker, sql } = await setup({
      templates: template({ a: [], d: ['a'] }),
      handlers: [...HANDLERS, defineHandler('d', {}, () => ({}))],
      ...BY_HAND,
    });
    await keepJournal(sql);
    const tasks = await tasker.createTasks([DEMO, DEMO]);
    await endStates(tasker, tasks);
    await tasker.rerunTask(tasks[0]!.taskUuid, { from: 'd' });
    await endStates(tasker, tasks);
    await tasker.rerunTask(tasks[0]!.taskUuid, { from: 'a' });
    await endStates(tasker, tasks);
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 7, ends: 4 });
    await tasker.rerunTask(tasks[1]!.taskUuid, { from: 'd' });
    await count(tasker);
    await endStates(tasker, tasks);
    await count(tasker);
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 8, ends: 5 });
  });

  it('count an end that was undone by a rerun with the time since the start, if the task started later', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: HANDLERS, ...BY_HAND });
    await keepJournal(sql);
    const { taskUuid } = await tasker.createTask({ ...DEMO, delayMs: 300 });
    await tasker.waitForTask(taskUuid);
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await tasker.waitForTask(taskUuid);
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 2, ends: 2 });
  });

  it('count a task that ran again before its start with the time since the start', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: HANDLERS, ...BY_HAND });
    await keepJournal(sql);
    const { taskUuid } = await tasker.createTask({ ...DEMO, delayMs: 86_400_000 });
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await sql(
      `update tasker.task set created_at = created_at - interval '1 day', rerun_at = rerun_at - interval '1 day'`,
    );
    await tasker.startTaskNow(taskUuid);
    await tasker.waitForTask(taskUuid);
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await tasker.waitForTask(taskUuid);
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 2, ends: 2 });
  });

  it('count each attempt once even if its task is deleted before the attempt is counted', async () => {
    const { tasker, sql, another } = await setup({
      templates: template({ a: [], b: RETRIED }),
      handlers: HANDLERS,
      logger: silentLogger,
      ...BY_HAND,
    });
    await keepJournal(sql);
    const other = await another({ worker: false });
    const tasks = await tasker.createTasks(Array.from({ length: 30 }, () => DEMO));
    await endStates(tasker, tasks);
    for (const [i, { taskUuid }] of tasks.entries()) {
      if (i === 5) await count(tasker);
      if (i < 10) await tasker.deleteTask(taskUuid);
    }
    const more = await tasker.createTasks(Array.from({ length: 30 }, () => DEMO));
    await endStates(tasker, more);
    // Both processes count at the same time.
    await Promise.all([
      ...more.slice(0, 15).map(({ taskUuid }) => tasker.deleteTask(taskUuid)),
      ...more.slice(15).map(({ taskUuid }) => other.deleteTask(taskUuid)),
      count(other),
      count(tasker),
    ]);
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 180, ends: 60 });
    expect(await sql('select count(*)::int n from tasker.history')).toEqual([{ n: 60 }]);
  });

  it('count the end of a task that was rerun, cancelled and deleted before anything was counted', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: HANDLERS, ...BY_HAND });
    await keepJournal(sql);
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.waitForTask(taskUuid);
    await tasker.engine.pause({ namespace: 'test' });
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await tasker.cancelTask(taskUuid);
    await tasker.deleteTask(taskUuid);
    await count(tasker);
    expect(await compareWithJournal(sql)).toEqual({ attempts: 1, ends: 2 });
    expect(await sql('select count(*)::int n from tasker.earlier_end')).toEqual([{ n: 0 }]);
  });

  it('count lost and released attempts separately', async () => {
    const bench = await handWorker({ a: [], b: [], c: [] });
    await keepJournal(bench.sql);
    await bench.claim();
    await bench.record(bench.ended('a', 'released'), bench.failed('c'));
    await bench.die();
    await count(bench.tasker);
    await compareWithJournal(bench.sql);
    const { steps, slowSteps } = await bench.tasker.analytics();
    expect(steps).toMatchObject({
      attempts: 2,
      lost: 1,
      released: 1,
      failed: 1,
      retried: 1,
      gaveUp: 1,
      successRate: 0,
    });
    expect(slowSteps.find((one) => one.step === 'b')).toMatchObject({ lost: 1, retried: 1, gaveUp: 0 });
  });

  it('count the attempts that were open when the database was restored on a server with lower transaction numbers', async () => {
    const hand = await handWorker({ a: [], b: [], c: [], d: [] });
    const { tasker, sql } = hand;
    await hand.claim();
    await hand.record(hand.completed('a'));
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(1);
    await hand.record(hand.completed('b'));
    // Simulates a restore: the rows, and the snapshot up to which they are counted, have numbers of the other server.
    await sql('update tasker.history set tx = tx + 5000000000');
    await sql('update tasker.operator_action set tx = tx + 5000000000');
    await sql(`update tasker.analytics_state
                  set counted = concat_ws(':', x, x, '')::pg_snapshot from (
                    select pg_snapshot_xmax(counted)::text::bigint + 5000000000 x from tasker.analytics_state) y`);
    await hand.record(hand.completed('c'));
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(3);
    await hand.record(hand.completed('d'));
    await count(tasker);
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(4);
    const { tasks } = await tasker.analytics({ since: '1h' });
    expect(tasks.completed).toBe(1);
  });

  it('restart from the current time on a server with lower transaction numbers', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: HANDLERS, ...BY_HAND });
    await endStates(tasker, await tasker.createTasks([DEMO]));
    // Simulates a restore: all existing rows were written under transaction numbers of the other server.
    await sql('update tasker.history set tx = 5000000000');
    await sql(`update tasker.analytics_state set counted = '9999999999:9999999999:'`);
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(0);
    await sql(`update tasker.analytics_state set after = clock_timestamp()`);
    await endStates(tasker, await tasker.createTasks([DEMO, DEMO]));
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(2);
  });

  it('do not count tasks restored from an archive', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), worker: false, ...BY_HAND });
    const { taskUuid } = await tasker.createTask(DEMO);
    await sql(
      `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, duration_ms, tx)
               values ($1, 0, 1, 1, 'completed', 'complete', 5, null)`,
      [taskUuid],
    );
    await count(tasker);
    expect(await attemptsIn(sql)).toBe(0);
  });

  it('remove minutes after two days and hours after ninety days', async () => {
    const { tasker, sql } = await withOldAttempts([1, 87, 89]);
    await count(tasker);
    expect(await periodsIn(sql)).toEqual([
      { minutes: 1, n: 1 },
      { minutes: 60, n: 3 },
      { minutes: 1440, n: 3 },
    ]);
    // As two days later.
    await sql(`update tasker.analytics set at = at - interval '2 days' where minutes < 14400`);
    await sql(`update tasker.analytics_state set pruned_at = now() - interval '2 minutes'`);
    await count(tasker);
    expect(await periodsIn(sql)).toEqual([
      { minutes: 60, n: 2 },
      { minutes: 1440, n: 3 },
    ]);
  });

  it('have no minutes of attempts older than two days, and no hours of attempts older than ninety days', async () => {
    const { tasker, sql } = await withOldAttempts([1, 3, 89, 91]);
    await count(tasker);
    expect(await periodsIn(sql)).toEqual([
      { minutes: 1, n: 1 },
      { minutes: 60, n: 3 },
      { minutes: 1440, n: 4 },
    ]);
    const total = async (since: string) => (await tasker.analytics({ since })).steps.attempts;
    // There are no statistics from before the counting began.
    await sql(`update tasker.analytics_state set since = now() - interval '1 year'`);
    expect([await total('30h'), await total('4d'), await total('90d'), await total('200d')]).toEqual([1, 2, 3, 4]);
  });

  it('are not written by a process that has them turned off, but this process can still delete tasks', async () => {
    const { tasker, sql } = await setup({ templates: template({ a: [] }), handlers: HANDLERS, ...BY_HAND });
    await sql(`update tasker.analytics_state set counted_at = now() - interval '8 days'`);
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.waitForTask(taskUuid);
    await tasker.deleteTask(taskUuid);
    expect(await sql('select * from tasker.analytics')).toEqual([]);
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { PERCENTILE_ERROR } from '../../../src/model/duration-histogram.ts';
import { compareWithJournal, keepJournal } from '../../support/crash/attempt-journal.ts';
import { openSession, type Sql } from '../../support/database.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

const DAY_MS = 86_400_000;
/** The attempts of these tests ended in the last 130 days. */
const DAYS = 130;
const ATTEMPTS = 400;

/** Attempts `$2` to `$3` of the tasks `$1`, which ended at different times, at least `$4` days ago. */
const OLD_ATTEMPTS = `
  insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, ended_at, duration_ms)
  select ($1::uuid[])[1 + n % cardinality($1)], 0, n, 1,
         case when n % 5 = 0 then 'failed' else 'completed' end::tasker.outcome,
         case when n % 10 = 0 then 'error' else 'complete' end::tasker.step_state,
         now() - $4::int * interval '24 hours' - (n * 7919 % ((${DAYS} - $4::int) * 1440)) * interval '1 minute', 1 + n * 31 % 997
    from generate_series($2::int, $3::int) n`;

/** A database with old attempts of two templates. Their statistics have days, but no sums of ten days. */
async function bench() {
  const templates = [template({ a: [] }), template({ a: [] }, { name: 'other' })];
  const made = await setup({ templates, worker: false, analyticsEnabled: false });
  const { tasker, sql } = made;
  await keepJournal(sql);
  // The pass that comes once a minute is due only in sumNext.
  await sql(`
    update tasker.analytics_state
       set ten_days_until = null, since = now() - interval '2 years', pruned_at = now() + interval '1 day'`);
  const tasks = await tasker.createTasks([DEMO, DEMO, { ...DEMO, name: 'other' }]);
  const uuids = tasks.map(({ taskUuid }) => taskUuid);
  await sql(OLD_ATTEMPTS, [uuids, 1, ATTEMPTS, 0]);
  await tasker.engine.analytics.flush();
  return { ...made, uuids };
}

/** Runs the pass that comes once a minute. Returns the time up to which ten days are summed. */
async function sumNext(tasker: Tasker, sql: Sql): Promise<number> {
  await sql(`update tasker.analytics_state set pruned_at = now() - interval '2 minutes'`);
  await tasker.engine.analytics.flush();
  return summedUntil(sql);
}

async function summedUntil(sql: Sql): Promise<number> {
  const [row] = await sql<{ until: number | null }>(
    'select extract(epoch from ten_days_until)::float8 * 1000 until from tasker.analytics_state',
  );
  return row!.until ?? 0;
}

async function sumAll(tasker: Tasker, sql: Sql): Promise<number> {
  let until = await sumNext(tasker, sql);
  for (let before = 0; before < until; ) [before, until] = [until, await sumNext(tasker, sql)];
  return until;
}

/** Compares the statistics of random windows with the journal. */
async function compareWindows(tasker: Tasker, sql: Sql, windows = 12): Promise<void> {
  const now = Date.now();
  const anyWindow = fc.record({ ago: fc.nat(DAYS * 1440), minutes: fc.integer({ min: 1, max: DAYS * 1440 }) });
  for (const { ago, minutes } of [{ ago: 400 * 1440, minutes: 401 * 1440 }, ...fc.sample(anyWindow, windows)]) {
    const since = new Date(now - (ago + 1) * 60_000).toISOString();
    const until = new Date(Math.min(now, now + (minutes - ago) * 60_000)).toISOString();
    const { from, to, steps } = await tasker.analytics({ since, until });
    const rows = await sql<{ ms: number; task: string; failed: boolean }>(
      `select duration_ms ms, task_uuid task, outcome = 'failed' failed from public.attempt_journal
        where ended_at >= $1 and ended_at < $2 order by 1`,
      [from, to],
    );
    const all = rows.map(({ ms }) => ms);
    expect([steps.attempts, steps.failed], `${from} to ${to}`).toEqual([
      rows.length,
      rows.filter((one) => one.failed).length,
    ]);
    expect(steps.duration).toMatchObject({
      count: all.length,
      totalMs: all.reduce((a, b) => a + b, 0),
      minMs: all[0] ?? null,
      maxMs: all.at(-1) ?? null,
    });
    if (all.length === 0) continue;
    const exact = all[Math.ceil(all.length * 0.95) - 1]!;
    expect(Math.abs(steps.duration.p95Ms! - exact)).toBeLessThanOrEqual(exact * PERCENTILE_ERROR);
    expect(rows.filter(({ ms }) => ms === all.at(-1)).map(({ task }) => task)).toContain(steps.slowestTaskUuid);
  }
}

it('statistics of any window are the same before, while and after ten days are summed', async () => {
  const { tasker, sql } = await bench();
  await compareWindows(tasker, sql);
  for (let turn = 0; turn < 3; turn++) await sumNext(tasker, sql);
  await compareWindows(tasker, sql);
  const until = await sumAll(tasker, sql);
  await compareWindows(tasker, sql);
  expect(await compareWithJournal(sql, 1440)).toEqual({ attempts: ATTEMPTS, ends: 0 });
  expect(until % (10 * DAY_MS)).toBe(0);
  const [found] = await sql<{ n: number; last: number }>(
    `select count(distinct at)::int n, (extract(epoch from max(at)) * 1000)::float8 last from tasker.analytics where minutes = 14400`,
  );
  expect(found!.n).toBeGreaterThan(10);
  expect(found!.last).toBeLessThan(until);
  // Ten days are summed a day after their end.
  expect(until).toBeLessThanOrEqual(Date.now() - DAY_MS);
  expect(until).toBeGreaterThan(Date.now() - 11 * DAY_MS - 60_000);
});

it('a window reads sums of ten days where they exist, and days elsewhere', async () => {
  const { tasker, sql } = await bench();
  await sumAll(tasker, sql);
  await sql('alter table tasker.analytics disable trigger day_deleted');
  await sql('delete from tasker.analytics where minutes < 14400');
  const { steps } = await tasker.analytics({ since: '400d' });
  const [summed] = await sql<{ n: number }>(
    'select count(*)::int n from public.attempt_journal where ended_at < (select ten_days_until from tasker.analytics_state)',
  );
  expect(steps.attempts).toBe(summed!.n);
  await sql('update tasker.analytics_state set ten_days_until = null');
  expect((await tasker.analytics({ since: '400d' })).steps.attempts).toBe(0);
});

it('attempts that are counted after their ten days were summed are added to them', async () => {
  const { tasker, sql, url, uuids } = await bench();
  const late = await openSession(url);
  await late.query('begin');
  await late.query(OLD_ATTEMPTS, [uuids, ATTEMPTS + 1, ATTEMPTS + 100, 0]);
  await sumAll(tasker, sql);
  await late.query('commit');
  await tasker.engine.analytics.flush();
  expect(await compareWithJournal(sql, 1440)).toEqual({ attempts: ATTEMPTS + 100, ends: 0 });
  // These attempts end before the first day, as after a clock was set back.
  await sql(OLD_ATTEMPTS, [uuids, ATTEMPTS + 101, ATTEMPTS + 120, 129]);
  await sql(`update tasker.history set ended_at = ended_at - interval '200 days' where attempt > ${ATTEMPTS + 100}`);
  await sql(
    `update public.attempt_journal set ended_at = ended_at - interval '200 days' where attempt > ${ATTEMPTS + 100}`,
  );
  await tasker.engine.analytics.flush();
  expect(await compareWithJournal(sql, 1440)).toEqual({ attempts: ATTEMPTS + 120, ends: 0 });
  await compareWindows(tasker, sql);
});

it('tasks with old attempts that are deleted before they are counted are added to the ten days', async () => {
  const { tasker, sql, another, uuids } = await bench();
  const other = await another();
  await sumAll(tasker, sql);
  await sql(OLD_ATTEMPTS, [uuids, ATTEMPTS + 1, ATTEMPTS + 100, 20]);
  for (const taskUuid of uuids) await tasker.cancelTask(taskUuid);
  await Promise.all([
    ...uuids.map((taskUuid, i) => (i % 2 === 0 ? tasker : other).deleteTask(taskUuid)),
    tasker.engine.analytics.flush(),
    other.engine.analytics.flush(),
  ]);
  await tasker.engine.analytics.flush();
  expect((await compareWithJournal(sql, 1440)).attempts).toBe(ATTEMPTS + 100);
});

it('several processes that count at the same time sum ten days once', async () => {
  const { tasker, sql, another, uuids } = await bench();
  const all = [tasker, await another(), await another()];
  for (let turn = 1; turn <= 20; turn++) {
    await sql(OLD_ATTEMPTS, [uuids, ATTEMPTS + turn, ATTEMPTS + turn, 0]);
    await Promise.all(all.map((one) => sumNext(one, sql)));
  }
  await sumAll(tasker, sql);
  expect(await compareWithJournal(sql, 1440)).toEqual({ attempts: ATTEMPTS + 20, ends: 0 });
  await compareWindows(tasker, sql, 4);
});

it('days that an operator deletes are no longer in the sums of ten days', async () => {
  const { tasker, sql } = await bench();
  await sumAll(tasker, sql);
  const before = new Date(Math.floor(Date.now() / DAY_MS - 61) * DAY_MS).toISOString();
  await sql('delete from tasker.analytics where minutes < 14400 and at < $1', [before]);
  await sql('delete from public.attempt_journal where ended_at < $1', [before]);
  await compareWindows(tasker, sql);
  const left = await sql(`select at from tasker.analytics where minutes = 14400 and at + interval '240 hours' <= $1`, [
    before,
  ]);
  expect(left).toEqual([]);
});

it('statistics are counted and read while ten days cannot be summed', async () => {
  const { tasker, sql, uuids } = await bench();
  await sql(`
    create function public.refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;
    create trigger refuse before insert on tasker.analytics for each row when (new.minutes = 14400) execute function public.refuse();`);
  await sql(OLD_ATTEMPTS, [uuids, ATTEMPTS + 1, ATTEMPTS + 10, 0]);
  expect(await sumNext(tasker, sql)).toBe(0);
  await compareWindows(tasker, sql, 4);
  await sql('drop trigger refuse on tasker.analytics');
  expect(await sumNext(tasker, sql)).toBeGreaterThan(0);
  await compareWindows(tasker, sql, 4);
});

it('ten days are not summed before everything that ended in them is counted', async () => {
  const { tasker, sql, uuids } = await bench();
  const first = await sumNext(tasker, sql);
  await sql(`update tasker.analytics_state set counted_at = to_timestamp($1::float8 / 1000) + interval '10 days'`, [
    first,
  ]);
  // A pass that does not complete does not change the time.
  await sql(`create function public.keep() returns trigger language plpgsql as $$ begin new.counted_at = old.counted_at; return new; end $$;
    create trigger keep before update on tasker.analytics_state for each row execute function public.keep();`);
  expect(await sumNext(tasker, sql)).toBe(first);
  await sql('drop trigger keep on tasker.analytics_state');
  await sql(OLD_ATTEMPTS, [uuids, ATTEMPTS + 1, ATTEMPTS + 10, 0]);
  // While other tests commit many transactions, the first pass may be incomplete.
  await until(
    () => sumNext(tasker, sql),
    (summed) => summed > first,
  );
  await sumAll(tasker, sql);
  expect(await compareWithJournal(sql, 1440)).toEqual({ attempts: ATTEMPTS + 10, ends: 0 });
});

import { expect, inject, it } from 'vitest';
import { openJournal, startedTwice, startWorker, workTemplate } from '../support/crash/workers.ts';
import { DEMO, invariants, setup, until } from '../support/setup.ts';

const SEVEN = workTemplate({
  a: [],
  b: ['a'],
  c: ['a'],
  d: ['a'],
  e: ['b', 'c'],
  f: ['c', 'd'],
  g: ['e', 'f'],
});
const PROVE = process.env.PROVE === '1';
const TASKS = PROVE ? 20_000 : inject('postgres') === '18' ? 2_000 : 400;
const AT_ONCE = 500;

it(`eight workers in eight processes run every step of ${TASKS} tasks exactly once without a deadlock`, {
  timeout: PROVE ? 600_000 : 240_000,
}, async () => {
  const { tasker, sql, url } = await setup({ templates: SEVEN, worker: false });
  const journal = openJournal();
  const workers = await Promise.all(
    Array.from({ length: 8 }, () => startWorker({ databaseUrl: url, journal, poolSize: 6, concurrency: 50 })),
  );
  let created = 0;
  const create = async (count: number) => {
    created += (await tasker.createTasks(Array.from({ length: count }, () => DEMO))).length;
  };
  const allEnded = () =>
    until(
      async () => (await sql<{ n: number }>(`select count(*)::int n from tasker.task where done_at is null`))[0]!.n,
      (open) => open === 0,
      PROVE ? 500_000 : 50_000,
    );
  const atWork = () => new Set(journal.of('start').map((start) => start.pid)).size;
  while (created < TASKS) await create(Math.min(AT_ONCE, TASKS - created));
  await allEnded();
  // On two cores, some of the eight workers may get no step before the others have run them all.
  for (let more = 0; atWork() < 8 && more < 10; more++) {
    await create(AT_ONCE / 5);
    await allEnded();
  }
  expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual(workers.map(() => 0));

  expect(startedTwice(journal)).toEqual([]);
  expect(journal.of('start').length).toBe(created * 7);
  // Without steps for all workers, the test proves nothing.
  expect(atWork()).toBe(8);
  const [history] = await sql(
    `select count(*)::int attempts, count(distinct (task_uuid, idx))::int steps, count(distinct worker_id)::int workers
       from tasker.history where outcome = 'completed'`,
  );
  expect(history).toEqual({ attempts: created * 7, steps: created * 7, workers: 8 });
  await invariants(sql);
  // Statistics are written shortly after their sessions have ended.
  const [server] = await sql(`select deadlocks::int from pg_stat_database where datname = current_database()`);
  expect(server).toEqual({ deadlocks: 0 });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, it } from 'vitest';
import { openJournal, startWorker, workTemplate } from '../../support/crash/workers.ts';
import { invariants, setup, until } from '../../support/setup.ts';

const SECONDS = Number(process.env.TASKER_SCHEDULE_SECONDS ?? (process.env.PROVE === '1' ? 300 : 0));
const SCHEDULES = 50;
const WORKERS = 3;

// This takes long, so it runs only in the proofs: npm run prove.
it.runIf(SECONDS > 0 && inject('postgres') === '18')(
  'each due time gets one task under catch_up: all, although processes are killed and the clock of one of them jumps',
  async () => {
    const { tasker, sql, url } = await setup({ templates: workTemplate({ a: [] }), worker: false });
    const journal = openJournal();
    const start = (place: number) =>
      startWorker({
        databaseUrl: url,
        journal,
        leaseMs: 2_000,
        pollMs: 200,
        concurrency: 50,
        poolSize: 5,
        // The clock of the first process is set back and forward by up to an hour.
        ...(place === 0 && { env: { CLOCK_JUMPS: '1' } }),
      });
    for (let i = 0; i < SCHEDULES; i++) {
      await tasker.schedules.create({ name: `s${i}`, template: 'test/demo@1.0.0', every: 1, catchUp: 'all' });
    }
    const workers = await Promise.all(Array.from({ length: WORKERS }, (_, place) => start(place)));
    let kills = 0;
    const end = performance.now() + SECONDS * 1_000;
    while (performance.now() < end) {
      await sleep(500 + Math.random() * 2_000);
      const place = Math.floor(Math.random() * WORKERS);
      await workers[place]!.end('SIGKILL');
      kills++;
      workers[place] = await start(place);
    }
    // Waits until the processes have caught up on the due times that were missed while too few of them were running.
    await until(
      () =>
        sql<{ late: number }>(
          `select count(*)::int late from tasker.schedule where next_due < now() - interval '2 seconds'`,
        ),
      ([row]) => row!.late === 0,
      120_000,
    );
    for (let i = 0; i < SCHEDULES; i++) await tasker.schedules.pause(`s${i}`);
    await until(
      () => sql<{ n: number }>(`select count(*)::int n from tasker.task where done_at is null`),
      ([row]) => row!.n === 0,
      120_000,
    );
    const wrong = await sql(`
      select s.name, x.* from tasker.schedule s cross join lateral (
        select count(*)::int tasks, count(distinct t.due_at)::int dues, min(t.due_at) first, max(t.due_at) last,
               round(extract(epoch from s.passed_at - s.anchor))::int expected
          from tasker.scheduled_task t where t.schedule_id = s.schedule_id) x
       where x.tasks <> x.expected or x.dues <> x.expected or x.last <> s.passed_at
          or x.first <> s.anchor + interval '1 second'`);
    expect(wrong).toEqual([]);
    const [sums] = await sql<{ tasks: number; catch_ups: number; left_out: number }>(`
      select (select count(*)::int from tasker.scheduled_task) tasks,
             (select count(*)::int from tasker.scheduled_task where cause = 'catch_up') catch_ups,
             (select count(*)::int from tasker.schedule_firing where outcome <> 'created') left_out`);
    expect(sums!.left_out).toBe(0);
    console.log(`${sums!.tasks} due times in ${SECONDS} s, ${sums!.catch_ups} of them made up for; ${kills} kills`);
    expect(kills).toBeGreaterThanOrEqual(Math.min(3, SECONDS / 20));
    await invariants(sql);
  },
  SECONDS * 1_500 + 300_000,
);

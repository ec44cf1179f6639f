import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openJournal, startedTwice, startWorker } from '../support/crash/workers.ts';
import { DEMO, invariants, setup, template, until } from '../support/setup.ts';

const TEMPLATES = [
  template({ again: { retry: { max_attempts: 25, backoff: 'none' } } }, { name: 'again' }),
  template({ once: { retry: { retryable: false } } }, { name: 'once' }),
];
const TASKS = 2_000;

it('2,000 tasks whose handlers no worker has survive workers that start and stop, kill -9 and a pause', async () => {
  const { tasker, sql, url } = await setup({ templates: TEMPLATES, worker: false });
  const journal = openJournal();
  /** Starts a worker with these handlers. */
  const worker = (handlers: string) =>
    startWorker({
      databaseUrl: url,
      journal,
      leaseMs: 1_500,
      concurrency: 100,
      pollMs: 200,
      program: 'lacking-worker.mjs',
      handlerMissingGraceMs: 200,
      env: { HANDLERS: handlers },
    });
  const counts = async () => {
    const [row] = await sql<{ withheld: number; paused: number; open: number; failed: number }>(`
      select (count(*) filter (where q.namespace_id <= -536870912))::int withheld,
             (count(*) filter (where q.namespace_id between -536870911 and -1))::int paused,
             (select count(*)::int from tasker.task where done_at is null) open,
             (select count(*)::int from tasker.step where state = 'error') failed
        from tasker.queue q`);
    return row!;
  };
  const half = TASKS / 2;
  const requests = ['again', 'once'].flatMap((name) => Array.from({ length: half }, () => ({ ...DEMO, name })));
  await tasker.createTasks(requests);

  // Workers without the handlers start and stop. The steps of killed workers are reclaimed.
  for (let round = 0; round < 3; round++) {
    const workers = await Promise.all([worker('other'), worker('other'), worker('other')]);
    await sleep(150 + 250 * round);
    if (round === 1) await tasker.pause({ namespace: 'test' });
    await workers[0]!.end('SIGKILL');
    await sleep(100);
    await workers[1]!.end('SIGKILL');
    await workers[2]!.stop();
    if (round === 1) await tasker.resume({ namespace: 'test' });
  }
  const keeper = await worker('other');
  expect(await until(counts, ({ withheld }) => withheld === TASKS, 60_000)).toEqual({
    withheld: TASKS,
    paused: 0,
    open: TASKS,
    failed: 0,
  });
  expect(journal.of('start')).toEqual([]);
  await invariants(sql);

  // Workers with one of the handlers are killed while they run steps, which may run again.
  for (let round = 0; round < 2; round++) {
    const before = journal.of('start').length;
    const able = await worker('again');
    await until(
      () => journal.of('start').length,
      (starts) => starts > before + 50,
    );
    await able.end('SIGKILL');
  }
  await worker('again,once');
  expect(await until(counts, ({ open }) => open === 0, 60_000)).toMatchObject({ open: 0, failed: 0 });
  await keeper.stop();

  const states = await sql(`select state::text, count(*)::int from tasker.step group by 1`);
  expect(states).toEqual([{ state: 'complete', count: TASKS }]);
  expect(startedTwice(journal)).toEqual([]);
  const once = journal.of('start').filter(({ step }) => step === 'once');
  expect([once.length, new Set(once.map(({ task }) => task)).size]).toEqual([half, half]);
  await until(
    () => sql('select 1 from tasker.queue union all select 1 from tasker.missing_handler'),
    (rows) => rows.length === 0,
  );
  await invariants(sql);
});

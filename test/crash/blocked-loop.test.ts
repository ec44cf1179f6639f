import { expect, it } from 'vitest';
import { openJournal, startedTwice, startWorker, workTemplate } from '../support/crash/workers.ts';
import { DEMO, invariants, setup, until } from '../support/setup.ts';

const LEASE_MS = 3_000;

it('a worker whose event loop is blocked for longer than its lease keeps its steps, and nothing runs twice', async () => {
  const { tasker, sql, url } = await setup({ templates: workTemplate({ a: [], b: ['a'] }), worker: false });
  const journal = openJournal();
  const options = { databaseUrl: url, journal, leaseMs: LEASE_MS, pollMs: 100 };
  const slow = await startWorker(options);
  const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => ({ ...DEMO, context: { a: { ms: 500 } } })));
  await until(
    () => journal.of('start').length,
    (starts) => starts === 20,
  );
  const resume = slow.block();
  const other = await startWorker(options);
  const provenUntil = async () => {
    const [row] = await sql<{ ms: string }>(
      'select extract(epoch from lease_until) * 1000 ms from tasker.worker where pid = $1',
      [slow.pid],
    );
    return Number(row!.ms);
  };
  // After this wait, every heartbeat from before the block has expired.
  const from = await provenUntil();
  await until(provenUntil, (at) => at > from + 2 * LEASE_MS);
  expect(journal.of('start').filter((start) => start.pid === other.pid)).toEqual([]);
  resume();
  for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000, throwOnFailure: true });
  expect(startedTwice(journal)).toEqual([]);
  expect(await sql('select distinct attempts from tasker.step')).toEqual([{ attempts: 1 }]);
  expect(journal.of('abort')).toEqual([]);
  await invariants(sql);
  expect(await slow.stop()).toBe(0);
});

it('a worker whose event loop stays blocked beyond the limit loses its steps when the lease expires, and notices it', async () => {
  const { tasker, sql, url } = await setup({ templates: workTemplate({ a: [] }), worker: false });
  const journal = openJournal();
  const options = { databaseUrl: url, journal, leaseMs: LEASE_MS, pollMs: 100 };
  const slow = await startWorker({ ...options, blockedLoopBoundMs: 2 * LEASE_MS });
  const { taskUuid } = await tasker.createTask({ ...DEMO, context: { a: { late: true } } });
  await until(
    () => journal.of('start').length,
    (starts) => starts === 1,
  );
  const resume = slow.block();
  const other = await startWorker(options);
  await tasker.waitForTask(taskUuid, { timeoutMs: 40_000, throwOnFailure: true });
  expect(journal.of('start').map((start) => start.pid)).toEqual([slow.pid, other.pid]);
  resume();
  await until(
    () => journal.of('log').map(({ message }) => message),
    (messages) => messages.some((message) => /blocked for longer than blockedLoopBoundMs/.test(message!)),
  );
  await until(
    () => journal.of('abort').length,
    (aborts) => aborts === 1,
  );
  await invariants(sql);
});

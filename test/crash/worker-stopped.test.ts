import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { openJournal, startWorker, workTemplate } from '../support/crash/workers.ts';
import { openSession } from '../support/database.ts';
import { DEMO, deferred, invariants, itOnce, setup, states, template, until } from '../support/setup.ts';
import { leastOf } from '../support/suite/measure.ts';

describe('SIGTERM', () => {
  it('handlers finish or are released within the drain time, and other workers continue immediately', async () => {
    const DRAIN_MS = 1_500;
    const { tasker, sql, url } = await setup({ templates: workTemplate({ a: [] }), worker: false });
    /** Stops a worker with running steps. Returns the time until another worker has started the released steps. */
    const round = async () => {
      const journal = openJournal();
      const options = { databaseUrl: url, journal, drainTimeoutMs: DRAIN_MS };
      const first = await startWorker(options);
      const request = (ms: number) => ({ ...DEMO, context: { a: { ms, deaf: true } } });
      const short = await tasker.createTasks(Array.from({ length: 30 }, () => request(1_000)));
      const long = await tasker.createTasks(Array.from({ length: 30 }, () => request(60_000)));
      await until(
        () => journal.of('start').length,
        (starts) => starts === 60,
      );
      // This worker polls only once a minute, so it must be notified of released steps.
      const second = await startWorker({ ...options, pollMs: 60_000 });
      const from = performance.now();
      const ended = first.end('SIGTERM');
      await until(
        () => journal.of('start').filter((start) => start.pid === second.pid).length,
        (starts) => starts === 30,
      );
      const took = performance.now() - from;
      expect(await ended).toBe(0);
      for (const { taskUuid } of short) expect((await tasker.getTask(taskUuid)).status).toBe('complete');
      expect(journal.of('abort').length).toBe(30);
      // Released steps have used up no attempt.
      const rows = await sql(
        `select s.attempts, s.spared, h.outcome::text, count(*)::int from tasker.step s join tasker.history h using (task_uuid, idx)
          where s.task_uuid = any ($1) group by 1, 2, 3`,
        [long.map((task) => task.taskUuid)],
      );
      expect(rows).toEqual([{ attempts: 2, spared: 1, outcome: 'released', count: 30 }]);
      await invariants(sql);
      await second.end('SIGKILL');
      for (const { taskUuid } of long) await tasker.cancelTask(taskUuid);
      return took;
    };
    expect(await leastOf(DRAIN_MS + 8_000, round, 3)).toBeLessThan(DRAIN_MS + 8_000);
  });
});

describe('stopping a worker', () => {
  it('a result that is still being sent when the drain time ends is kept', async () => {
    const settled = deferred();
    const handlers = [
      defineHandler('paid', {}, () => settled.promise.then(() => ({ paid: true }))),
      defineHandler('endless', {}, () => new Promise<void>(() => {})),
    ];
    const steps = { paid: { retry: { retryable: false } }, endless: [] };
    const { tasker, sql, url, another } = await setup({
      templates: template(steps),
      worker: false,
      logger: silentLogger,
    });
    const worker = await another({ worker: true, handlers });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => worker.stats?.running,
      (running) => running === 2,
    );
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task where task_uuid = $1 for update', [taskUuid]);
    settled.resolve();
    const stopped = worker.stop({ drainTimeoutMs: 300 });
    // The result waits for the lock of its task until the drain time has ended and the rest was released.
    await until(
      () => worker.stats?.unrecorded,
      (unrecorded) => unrecorded === 2,
    );
    await session.query('commit');
    await stopped;
    expect(await states(tasker, taskUuid)).toEqual({ paid: 'complete', endless: 'enqueued' });
    await invariants(sql);
  });

  itOnce('the process ends even while the database is down, and nothing is lost', async () => {
    const LEASE_MS = 1_500;
    const { tasker, sql, url } = await setup({ templates: workTemplate({ a: [], b: ['a'] }), worker: false });
    const proxy = await startProxy(url);
    const journal = openJournal();
    const options = { journal, drainTimeoutMs: 3_000, leaseMs: LEASE_MS, pollMs: 100 };
    const worker = await startWorker({ databaseUrl: proxy.url, ...options });
    const context = { a: { ms: 500 } };
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => ({ ...DEMO, context })));
    await until(
      () => journal.of('start').length,
      (starts) => starts === 20,
    );
    proxy.close();
    const from = performance.now();
    expect(await worker.end('SIGTERM')).toBe(0);
    // Results are sent for at least five seconds.
    expect(performance.now() - from).toBeLessThan(30_000);
    expect(journal.of('end').length).toBe(20);
    await startWorker({ databaseUrl: url, ...options });
    for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000, throwOnFailure: true });
    await invariants(sql);
  });
});

import { describe, expect, it } from 'vitest';
import {
  type Behaviour,
  type Journal,
  openJournal,
  startWorker,
  type WorkerSetup,
  workTemplate,
} from '../support/crash/workers.ts';
import type { Sql } from '../support/database.ts';
import { DEMO, invariants, setup, until } from '../support/setup.ts';
import { leastOf } from '../support/suite/measure.ts';

const LEASE_MS = 1_500;
/** A heartbeat of another worker detects the expired lease, every third of a lease. A busy machine needs more time. */
const NOTICED_MS = LEASE_MS * (4 / 3) + 5_000;

/** Three steps: the first may run twice, the second must not, and the third depends on both. */
const TWO_KINDS = workTemplate({
  again: { retry: { max_attempts: 3, backoff: 'none' } },
  never: { retry: { retryable: false, max_attempts: 3 } },
  after: ['again', 'never'],
});

const worker = (url: string, journal: Journal, more: Partial<WorkerSetup> = {}) =>
  startWorker({ databaseUrl: url, journal, leaseMs: LEASE_MS, concurrency: 200, pollMs: 200, ...more });

const running = (sql: Sql) =>
  sql<{ n: number }>(`select count(*)::int n from tasker.step where state = 'in_progress'`).then(([row]) => row!.n);

describe('kill -9 of a worker with 200 running steps', () => {
  it('within the lease, retryable steps run again on another worker, and other steps are in error with the reason', async () => {
    const { tasker, sql, url } = await setup({ templates: TWO_KINDS, worker: false });
    /** Kills a worker with running steps. Returns the time until another one has taken them over. */
    const round = async () => {
      const journal = openJournal();
      const first = await worker(url, journal);
      // Ten tasks complete and are acknowledged before the worker is killed.
      const done = await tasker.createTasks(Array.from({ length: 10 }, () => DEMO));
      for (const { taskUuid } of done) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
      const context = { '*': { ms: 60_000 } };
      const lost = await tasker.createTasks(Array.from({ length: 100 }, () => ({ ...DEMO, context })));
      await until(
        () => journal.of('start').length,
        (starts) => starts === 230,
      );
      const second = await worker(url, journal);
      const killedAt = performance.now();
      await first.end('SIGKILL');

      // The other worker has taken over all steps: the retryable steps have started a second time.
      await until(
        () => journal.of('start').filter((start) => start.pid === second.pid).length,
        (starts) => starts === 100,
      );
      const took = performance.now() - killedAt;
      const starts = journal.of('start').filter((start) => start.pid === second.pid);
      expect(new Set(starts.map(({ step, attempt }) => `${step} ${attempt}`))).toEqual(new Set(['again 2']));

      const rows = await sql(
        `
        select m.name, s.state::text, s.attempts, h.outcome::text, h.state::text after, h.detail->'error'->>'error_type' type,
               h.detail->'error'->>'message' message, count(*)::int
          from tasker.step s join tasker.task t using (task_uuid) join tasker.template_step m using (template_id, idx)
          left join tasker.history h on h.task_uuid = s.task_uuid and h.idx = s.idx
         where s.task_uuid = any ($1) group by 1, 2, 3, 4, 5, 6, 7 order by 1`,
        [lost.map((task) => task.taskUuid)],
      );
      const worker_lost = { outcome: 'worker_lost', type: 'worker_lost', count: 100 };
      expect(rows).toEqual([
        {
          name: 'after',
          state: 'pending',
          attempts: 0,
          outcome: null,
          after: null,
          type: null,
          message: null,
          count: 100,
        },
        {
          name: 'again',
          state: 'in_progress',
          attempts: 2,
          after: 'enqueued',
          ...worker_lost,
          message: 'the worker was lost while the step ran; it runs again',
        },
        {
          name: 'never',
          state: 'error',
          attempts: 1,
          after: 'error',
          ...worker_lost,
          message:
            'the worker was lost while it held the step; the step is not retryable and may have run, so check its effect before you retry or resolve it',
        },
      ]);
      for (const { taskUuid } of done) expect((await tasker.getTask(taskUuid)).status).toBe('complete');
      await invariants(sql);
      await second.end('SIGKILL');
      for (const { taskUuid } of lost) await tasker.cancelTask(taskUuid);
      return took;
    };
    expect(await leastOf(LEASE_MS + NOTICED_MS, round, 3)).toBeLessThan(LEASE_MS + NOTICED_MS);
  });
});

describe('a worker that is slower than its lease', () => {
  const slowDown = {
    'stopped by a signal': (slow: Awaited<ReturnType<typeof worker>>) => {
      slow.signal('SIGSTOP');
      return () => slow.signal('SIGCONT');
    },
    'with its event loop blocked': (slow: Awaited<ReturnType<typeof worker>>) => slow.block(),
  };
  for (const [how, slow] of Object.entries(slowDown)) {
    it(`the signal of a handler fires, its late result is rejected, and the worker continues under a new id: ${how}`, async () => {
      const { tasker, sql, url } = await setup({
        templates: workTemplate({ a: { retry: { max_attempts: 3, backoff: 'none' } }, b: ['a'] }),
        worker: false,
      });
      const journal = openJournal();
      // A blocked event loop keeps its lease for this long.
      const first = await worker(url, journal, { blockedLoopBoundMs: LEASE_MS });
      const context: Behaviour = { a: { late: true } };
      const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => ({ ...DEMO, context })));
      await until(
        () => running(sql),
        (n) => n === 20,
      );
      const second = await worker(url, journal);
      const resume = slow(first);
      await until(
        () => journal.of('start').filter((start) => start.pid === second.pid && start.step === 'a').length,
        (starts) => starts === 20,
      );
      resume();
      await until(
        () => journal.of('abort'),
        (aborts) => aborts.length === 20,
      );
      expect(journal.of('abort')[0]).toMatchObject({
        pid: first.pid,
        step: 'a',
        attempt: 1,
        reason: expect.stringContaining('another worker may have it'),
      });
      // The handlers of the slow worker still complete, but their results are rejected.
      await until(
        () => journal.of('end').filter((end) => end.pid === first.pid && end.step === 'a').length,
        (ends) => ends === 20,
      );
      for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000, throwOnFailure: true });
      const results = await sql<{ pid: number }>(
        `select split_part(result->>'run', ':', 1)::int pid from tasker.step where idx = 0`,
      );
      expect(new Set(results.map((row) => row.pid))).toEqual(new Set([second.pid]));
      await invariants(sql);
      // The worker runs steps again under a new id.
      await second.stop();
      const { taskUuid } = await tasker.createTask(DEMO);
      await tasker.waitForTask(taskUuid, { timeoutMs: 20_000, throwOnFailure: true });
      expect(await first.stop()).toBe(0);
    });
  }
});

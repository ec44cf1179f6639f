import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { startServer } from '../support/crash/server.ts';
import {
  lostAcknowledgements,
  openJournal,
  startedTwice,
  startWorker,
  stopAll,
  TREE,
  workTemplate,
} from '../support/crash/workers.ts';
import { DEMO, endStates, invariants, setup, until } from '../support/setup.ts';

const ONCE = { retry: { retryable: false } };

async function creator(options: CreateTaskerOptions) {
  const tasker = await createTasker({ worker: false, logger: silentLogger, ...options });
  onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
  return tasker;
}

describe('pg_terminate_backend on all connections under load', () => {
  it('no acknowledged result is lost, no step runs twice, and workers recover on their own', async () => {
    const { tasker, sql, url } = await setup({ templates: TREE, worker: false, logger: silentLogger });
    const journal = openJournal();
    const options = { databaseUrl: url, journal, pollMs: 200, concurrency: 20 };
    const workers = [await startWorker(options), await startWorker(options)];
    const context = { '*': { ms: 20 } };
    const tasks = await tasker.createTasks(Array.from({ length: 400 }, () => ({ ...DEMO, context })));
    let terminated = 0;
    for (let round = 1; round <= 8; round++) {
      await until(
        () => journal.of('start').length,
        (starts) => starts > round * 150,
      );
      const [row] = await sql<{ n: number }>(
        `select count(pg_terminate_backend(pid))::int n from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`,
      );
      terminated += row!.n;
    }
    expect(terminated).toBeGreaterThan(20);
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(startedTwice(journal)).toEqual([]);
    expect(journal.of('start').length).toBe(1_600);
    expect(await lostAcknowledgements(journal, sql)).toEqual([]);
    await invariants(sql);
    await stopAll(workers);
  });
});

describe('a server that dies while a worker connects to it', () => {
  it('a worker whose URL has target_session_attrs keeps running and reconnects', async () => {
    const { tasker, sql, url } = await setup({ templates: TREE, worker: false, logger: silentLogger });
    const proxy = await startProxy(url);
    const journal = openJournal();
    const databaseUrl = `${proxy.url}${proxy.url.includes('?') ? '&' : '?'}target_session_attrs=read-write`;
    const worker = await startWorker({ databaseUrl, journal, pollMs: 200, concurrency: 20 });
    let opened = 0;
    // The first message of a connection has no type byte. The first connection only looks for the host.
    proxy.decide = (sent) => (sent[0] === 0 && ++opened > 1 && opened <= 5 ? 'ended' : undefined);
    proxy.cutAll();
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => DEMO));
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(proxy.counts.ended).toBe(4);
    expect(startedTwice(journal)).toEqual([]);
    await invariants(sql);
    await stopAll([worker]);
  });
});

// Starts an embedded server, because the other servers are shared by the suite and must not crash.
if (inject('postgres') === '18') {
  describe('an immediate stop and restart of PostgreSQL', () => {
    it('if claims were not on disk yet, steps that must not run twice run once, and other steps run at most twice', async () => {
      const { url, sql, crash } = await startServer({ wal_writer_delay: '10s' });
      const tasker = await creator({
        databaseUrl: url,
        templates: [
          workTemplate({ a: ONCE }, { name: 'once' }),
          workTemplate({ a: { retry: { max_attempts: 5 } } }, { name: 'again' }),
        ],
      });
      const journal = openJournal();
      const worker = await startWorker({ databaseUrl: url, journal, pollMs: 200 });
      const startsOf = (task: string) => journal.of('start').filter((start) => start.task === task);
      const startsDespiteCrash = async (name: string) => {
        const { taskUuid } = await tasker.createTask({ ...DEMO, name, context: { a: { ms: 1_500 } } });
        await until(
          () => startsOf(taskUuid).length,
          (starts) => starts === 1,
        );
        await crash();
        await tasker.waitForTask(taskUuid, { timeoutMs: 20_000, throwOnFailure: true });
        return startsOf(taskUuid).map((start) => start.attempt);
      };
      expect(await startsDespiteCrash('once')).toEqual([1]);
      // The crash undoes the claim, so the attempt has the same number and the earlier run is rejected. This fails only
      // if another session has flushed the WAL in between, including the claim.
      let starts = await startsDespiteCrash('again');
      for (let tries = 0; starts.length === 1 && tries < 9; tries++) starts = await startsDespiteCrash('again');
      expect(starts).toEqual([1, 1]);
      await invariants(sql);
      await stopAll([worker]);
    });
  });
}

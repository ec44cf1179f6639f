import { expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { Cluster } from '../support/crash/replication.ts';
import {
  lostAcknowledgements,
  openJournal,
  startedTwice,
  startWorker,
  workTemplate,
} from '../support/crash/workers.ts';
import { DEMO, invariants, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';

const PROVE = process.env.PROVE === '1';
const ROUNDS = PROVE ? 10 : 1;
const TASKS = PROVE ? 5_000 : 60;
const PATIENCE_MS = 100_000;
/** With PROVE=1, work continues within this time after the promotion. */
const CONTINUES_MS = 5_000;

const ONCE = { retry: { retryable: false } };
const TREE = workTemplate({
  root: ONCE,
  left: { ...ONCE, dependencies: ['root'] },
  right: { ...ONCE, dependencies: ['root'] },
  join: { ...ONCE, dependencies: ['left', 'right'] },
});

describeWith('pg_rewind', 'after a fail-over', () => {
  it('programs find the new primary, and no acknowledged step is lost or run twice', {
    timeout: ROUNDS * 600_000,
  }, async () => {
    const cluster = await Cluster.start();
    onTestFinished(() => cluster.stop());
    await cluster.sql('create database work');
    const databaseUrl = cluster.url('work');
    const tasker = await createTasker({ databaseUrl, templates: [TREE], worker: false, logger: silentLogger });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const journal = openJournal();
    const workers = [
      await startWorker({ databaseUrl, journal, concurrency: 20, leaseMs: 120_000 }),
      await startWorker({ databaseUrl, journal, concurrency: 20, leaseMs: 120_000 }),
    ];
    const starts = () => journal.of('start').length;
    const recorded = async () => (await cluster.sql<{ n: number }>('select count(*)::int n from tasker.history'))[0]!.n;
    for (let round = 0; round < ROUNDS; round++) {
      const context = { '*': { ms: 5 } };
      const tasks = [];
      for (let made = 0; made < TASKS; made += 500) {
        const count = Math.min(500, TASKS - made);
        tasks.push(...(await tasker.createTasks(Array.from({ length: count }, () => ({ ...DEMO, context })))));
      }
      const before = round * TASKS * 4;
      await until(recorded, (count) => count > before + TASKS, PATIENCE_MS);
      await cluster.failOver();
      const promotedAt = performance.now();
      const atPromotion = await recorded();
      if (PROVE) {
        await until(recorded, (count) => count > atPromotion, PATIENCE_MS);
        const tookMs = performance.now() - promotedAt;
        console.log(`round ${round + 1}: work continued ${Math.round(tookMs)} ms after the promotion`);
        expect(tookMs).toBeLessThan(CONTINUES_MS);
      }
      const ends = await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 500_000 })));
      for (const worker of workers) expect(worker.code).toBe(undefined);
      expect([...new Set(ends.map(({ status }) => status))]).toEqual(['complete']);
      expect(starts()).toBe(before + TASKS * 4);
      expect(startedTwice(journal)).toEqual([]);
      expect(await lostAcknowledgements(journal, (text, values) => cluster.sql(text, values) as never)).toEqual([]);
      if (PROVE) await cluster.rejoin();
    }
    const reader = await createTasker({
      databaseUrl,
      databaseReplicaUrl: cluster.standbys('work'),
      worker: false,
      logger: silentLogger,
    });
    onTestFinished(() => reader.stop({ drainTimeoutMs: 100 }));
    const last = await tasker.createTask({ ...DEMO, context: {} });
    const page = await until(
      () => reader.listTasks({}, { limit: 5 }),
      ({ tasks }) => tasks.some(({ taskUuid }) => taskUuid === last.taskUuid),
      PATIENCE_MS,
    );
    expect(page.lagMs).toBeGreaterThan(0);
    // Tasks are counted in the background.
    await until(
      () => reader.analytics({ since: '1h' }),
      ({ tasks }) => tasks.completed > 0,
      PATIENCE_MS,
    );
    await invariants((text, values) => cluster.sql(text, values) as never);
    for (const worker of workers) expect(worker.code).toBe(undefined);
    expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([0, 0]);
    await expect(
      createTasker({
        databaseUrl: cluster.standbys('work').replace('standby', 'read-write'),
        worker: false,
        logger: silentLogger,
      }),
    ).rejects.toThrow(/no host is read-write at the moment .*is a standby/);
  });
});

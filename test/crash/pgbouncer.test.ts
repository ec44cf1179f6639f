import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import { startPgbouncer } from '../support/crash/pgbouncer.ts';
import {
  lostAcknowledgements,
  openJournal,
  startedTwice,
  startWorker,
  workTemplate,
} from '../support/crash/workers.ts';
import { DEMO, endStates, invariants, setup, until } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';

const TREE = workTemplate({ root: [], left: ['root'], right: ['root'], join: ['left', 'right'] });
const LEASE_MS = 2_000;

describeWith('pgbouncer', 'through pgbouncer in transaction mode', () => {
  for (const direct of [true, false]) {
    const how = direct ? 'with DATABASE_DIRECT_URL' : 'without DATABASE_DIRECT_URL';
    it(`every task ends ${how} after sessions are terminated and a worker is killed`, async () => {
      const { tasker, sql, url } = await setup({ templates: TREE, worker: false, logger: silentLogger });
      const pooler = await startPgbouncer(url, { maxPreparedStatements: 200 });
      const journal = openJournal();
      const options = {
        databaseUrl: pooler.url,
        ...(direct && { databaseDirectUrl: url }),
        journal,
        leaseMs: LEASE_MS,
        concurrency: 20,
        // With LISTEN, notifications replace polling.
        ...(direct && { pollMs: 60_000 }),
      };
      const [first, second] = [await startWorker(options), await startWorker(options)];
      const context = { '*': { ms: 20 } };
      const tasks = await tasker.createTasks(Array.from({ length: 200 }, () => ({ ...DEMO, context })));
      for (const enough of [100, 300]) {
        await until(
          () => journal.of('start').length,
          (starts) => starts > enough,
        );
        const terminated = await sql(
          `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()`,
        );
        expect(terminated.length).toBeGreaterThan(2);
      }
      await first.end('SIGKILL');
      expect(await endStates(tasker, tasks)).toEqual(['complete']);
      expect(startedTwice(journal)).toEqual([]);
      expect(await lostAcknowledgements(journal, sql)).toEqual([]);
      await invariants(sql);

      // All workers are idle now. They are notified of this task, or find it with the next poll.
      const { taskUuid } = await tasker.createTask(DEMO);
      await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
      const deaf = () => journal.of('log').filter(({ message }) => /no notifications received/.test(message ?? ''));
      // The worker detects this only after some seconds without a notification.
      if (!direct) await until(deaf, (warnings) => warnings.length > 0);
      expect(await second.stop()).toBe(0);
      if (direct) expect(deaf()).toEqual([]);
    });
  }

  it('programs that start at the same time through the pooler on an empty database migrate it once', async () => {
    const { sql, url, another } = await setup({ worker: false, logger: silentLogger });
    const pooler = await startPgbouncer(url, { maxPreparedStatements: 200 });
    await sql('drop schema tasker cascade');
    await Promise.all(Array.from({ length: 4 }, () => another({ databaseUrl: pooler.url })));

    // Nothing stays locked in a session of the pooler after the abandoned sessions have ended.
    await until(
      () =>
        sql(
          `select pid from pg_locks l join pg_database d on d.oid = l.database
            where locktype = 'advisory' and datname = current_database()`,
        ),
      (locks) => locks.length === 0,
    );
  });

  it('the error names the setting if the pooler keeps no prepared statements (max_prepared_statements = 0)', async () => {
    const { url, another } = await setup({ worker: false, logger: silentLogger });
    const pooler = await startPgbouncer(url, { maxPreparedStatements: 0 });
    const pooled = await another({ databaseUrl: pooler.url });
    const other = new pg.Client({ connectionString: pooler.url });
    await other.connect();
    onTestFinished(() => other.end());
    // The open transaction occupies one session of the pooler, so the first `listTasks` prepares its statement in
    // another. The pooler reuses the session that was released last. After the commit, that is the session without the
    // statement. Other statements of the tasker may change the order, so this is repeated until it happens.
    const asked = async () => {
      for (let round = 0; round < 500; round++) {
        await other.query('begin');
        await pooled.listTasks();
        await other.query('commit');
        await pooled.listTasks();
      }
    };
    await expect(asked()).rejects.toThrow('set max_prepared_statements to 200');
  });
});

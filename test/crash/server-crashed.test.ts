import { expect, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startServer } from '../support/crash/server.ts';
import {
  lostAcknowledgements,
  openJournal,
  startedTwice,
  startWorker,
  stopAll,
  TREE,
} from '../support/crash/workers.ts';
import { DEMO, endStates, invariants, itOnce, until } from '../support/setup.ts';

// Starts an embedded server, because the other servers are shared by the suite and must not crash.
itOnce(
  'a crash and restart of PostgreSQL under load loses no acknowledged result and runs no step twice, and workers recover on their own',
  async () => {
    const { url, sql, crash } = await startServer();
    const tasker = await createTasker({ databaseUrl: url, templates: [TREE], worker: false, logger: silentLogger });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const journal = openJournal();
    const options = { databaseUrl: url, journal, pollMs: 200, concurrency: 20 };
    const workers = [await startWorker(options), await startWorker(options)];
    const context = { '*': { ms: 20 } };
    const tasks = await tasker.createTasks(Array.from({ length: 300 }, () => ({ ...DEMO, context })));
    for (const enough of [200, 700]) {
      await until(
        () => journal.of('start').length,
        (starts) => starts > enough,
      );
      await crash();
    }
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(startedTwice(journal)).toEqual([]);
    expect(await lostAcknowledgements(journal, sql)).toEqual([]);
    await invariants(sql);
    await stopAll(workers);
  },
);

import { expect, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startServer } from '../support/crash/server.ts';
import { openJournal, startWorker, stopAll } from '../support/crash/workers.ts';
import { DEMO, endStates, invariants, itOnce, template, until } from '../support/setup.ts';

const PARENTS = 1_000;
const WORK = { handler: 'work' };

const templates = [
  template({
    before: WORK,
    bill: { type: 'task', handler: undefined, template: 'inner', dependencies: ['before'] },
    after: { ...WORK, dependencies: ['bill'] },
  }),
  template({ sum: WORK }, { name: 'inner', output: { run: 'steps.sum.run' } }),
];

// Starts an embedded server, because the other servers are shared by the suite and must not crash.
itOnce(
  'each of 1,000 steps gets the output of exactly one child task, although workers are killed and the server crashes',
  { timeout: 300_000 },
  async () => {
    const { url, sql, crash } = await startServer();
    const tasker = await createTasker({ databaseUrl: url, templates, worker: false, logger: silentLogger });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const journal = openJournal();
    const start = () =>
      startWorker({ databaseUrl: url, journal, pollMs: 200, leaseMs: 1_500, concurrency: 20, retries: 100 });
    let workers = await Promise.all([start(), start()]);
    const tasks = await tasker.createTasks(Array.from({ length: PARENTS }, () => DEMO));
    for (const [i, share] of [0.1, 0.3, 0.5, 0.7, 0.9].entries()) {
      await until(
        () => journal.of('start').length,
        (starts) => starts > share * 3 * PARENTS,
      );
      if (i % 2 === 0) {
        await workers[0]!.end('SIGKILL');
        workers = [workers[1]!, await start()];
      } else await crash();
    }
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    const [counts] = await sql(`
      select count(*)::int children, count(distinct parent_uuid)::int parents, count(settled_at)::int settled,
             count(*) filter (where t.state = 'complete')::int complete
        from tasker.child_task c join tasker.task t on t.task_uuid = c.child_uuid`);
    expect(counts).toEqual({ children: PARENTS, parents: PARENTS, settled: PARENTS, complete: PARENTS });
    // The result of each step is the run of its own child.
    const wrong = await sql(`
      select c.parent_uuid from tasker.child_task c
        join tasker.step p on p.task_uuid = c.parent_uuid and p.idx = c.idx
        join tasker.step s on s.task_uuid = c.child_uuid and s.idx = 0
       where p.result ->> 'run' is distinct from s.result ->> 'run'`);
    expect(wrong).toEqual([]);
    await invariants(sql);
    await stopAll(workers);
  },
);

const FANS = 100;
const CHILDREN = 10;

itOnce(
  'each of 100 steps has exactly one child task for each of its ten keys, although workers are killed while it starts them',
  { timeout: 300_000 },
  async () => {
    const { url, sql, crash } = await startServer();
    const fan = template({
      fan: { ...WORK, retry: { max_attempts: 50, backoff: 'none' } },
      after: { ...WORK, dependencies: ['fan'] },
    });
    const tasker = await createTasker({
      databaseUrl: url,
      templates: [fan, templates[1]!],
      worker: false,
      logger: silentLogger,
    });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const journal = openJournal();
    const start = () =>
      startWorker({ databaseUrl: url, journal, pollMs: 200, leaseMs: 1_500, concurrency: 20, retries: 100 });
    let workers = await Promise.all([start(), start()]);
    const context = { fan: { children: CHILDREN, ms: 150 } };
    const tasks = await tasker.createTasks(Array.from({ length: FANS }, () => ({ ...DEMO, context })));
    for (const [i, share] of [0.1, 0.3, 0.5, 0.7, 0.9].entries()) {
      await until(
        () => journal.of('start').filter(({ step }) => step === 'fan').length,
        (starts) => starts > share * FANS,
      );
      if (i % 2 === 0) {
        await workers[0]!.end('SIGKILL');
        workers = [workers[1]!, await start()];
      } else await crash();
    }
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(journal.of('start').filter(({ step, attempt }) => step === 'fan' && attempt > 1).length).toBeGreaterThan(0);
    const [counts] = await sql(`
      select count(*)::int children, count(distinct (parent_uuid, key))::int keys, count(settled_at)::int settled,
             count(*) filter (where t.state = 'complete')::int complete, (select count(*)::int from tasker.task) tasks
        from tasker.child_task c join tasker.task t on t.task_uuid = c.child_uuid`);
    const all = FANS * CHILDREN;
    expect(counts).toEqual({ children: all, keys: all, settled: all, complete: all, tasks: all + FANS });
    // The results of each step are the runs of its own children, in the order of their keys.
    const wrong = await sql(`
      select c.parent_uuid, c.key from tasker.child_task c
        join tasker.step p on p.task_uuid = c.parent_uuid and p.idx = c.idx
        join tasker.step s on s.task_uuid = c.child_uuid and s.idx = 0
       where p.result -> 'result' -> substr(c.key, 7)::int ->> 'run' is distinct from s.result ->> 'run'`);
    expect(wrong).toEqual([]);
    await invariants(sql);
    await stopAll(workers);
  },
);

import { expect, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startServer } from '../support/crash/server.ts';
import { openJournal, startWorker, stopAll } from '../support/crash/workers.ts';
import { DEMO, endStates, invariants, itOnce, template, until } from '../support/setup.ts';
import { effort } from '../support/suite/effort.ts';

const TASKS = effort({ test: 20, rest: 100, prove: 1_000 });
const ELEMENTS = 100;
const WORK = { handler: 'work' };

const LIST = template({
  before: WORK,
  each: {
    type: 'for_each',
    handler: undefined,
    dependencies: ['before'],
    elements: 'context.lines',
    steps: [
      { name: 'label', ...WORK },
      { name: 'pack', ...WORK, dependencies: ['label'] },
    ],
    output: '[steps.before.run, steps.label.run, steps.pack.run]',
  },
  after: { ...WORK, dependencies: ['each'] },
});

itOnce(
  'each step of each element completes once and in order, although workers are killed and the server crashes',
  { timeout: 900_000 },
  async () => {
    const { url, sql, crash } = await startServer();
    const tasker = await createTasker({ databaseUrl: url, templates: [LIST], worker: false, logger: silentLogger });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const journal = openJournal();
    const start = () =>
      startWorker({ databaseUrl: url, journal, pollMs: 200, leaseMs: 1_500, concurrency: 100, retries: 100 });
    let workers = await Promise.all([start(), start()]);
    const context = { lines: Array.from({ length: ELEMENTS }, (_, i) => i) };
    const tasks = await tasker.createTasks(Array.from({ length: TASKS }, () => ({ ...DEMO, context })));
    const completed = async () =>
      (await sql<{ n: number }>(`select count(*)::int n from tasker.history where outcome = 'completed'`))[0]!.n;
    for (const [i, share] of [0.1, 0.3, 0.5, 0.7, 0.9].entries()) {
      await until(completed, (count) => count > share * 2 * ELEMENTS * TASKS, 600_000);
      if (i % 2 === 0) {
        await workers[0]!.end('SIGKILL');
        workers = [workers[1]!, await start()];
      } else await crash();
    }
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    const [counts] = await sql(`
      select count(*)::int steps, count(distinct s.task_uuid)::int tasks, count(*) filter (where s.state = 'complete')::int complete
        from tasker.step s where s.idx >= 131072`);
    expect(counts).toEqual({ steps: 2 * ELEMENTS * TASKS, tasks: TASKS, complete: 2 * ELEMENTS * TASKS });
    const repeated = await sql(`
      select task_uuid, idx from tasker.history where outcome = 'completed' group by 1, 2 having count(*) > 1`);
    expect(repeated).toEqual([]);
    // The output of each element is made of the results of its own steps, which started one after the other.
    const wrong = await sql(`
      select e.task_uuid, o.place from tasker.step e
       cross join jsonb_array_elements(e.result -> 'outputs') with ordinality o (value, place)
        join tasker.step b on b.task_uuid = e.task_uuid and b.idx = 0
        join tasker.step l on l.task_uuid = e.task_uuid and l.idx = (4 << 17) + o.place - 1
        join tasker.step p on p.task_uuid = e.task_uuid and p.idx = (5 << 17) + o.place - 1
       where e.idx = 1 and (o.value <> jsonb_build_array(b.result -> 'run', l.result -> 'run', p.result -> 'run')
          or l.done_at > p.started_at or p.done_at > e.done_at)`);
    expect(wrong).toEqual([]);
    const [results] = await sql(`
      select count(*)::int lists, min(jsonb_array_length(result -> 'outputs')) outputs, min((result ->> 'completed')::int) completed
        from tasker.step where idx = 1`);
    expect(results).toEqual({ lists: TASKS, outputs: ELEMENTS, completed: ELEMENTS });
    await invariants(sql);
    await stopAll(workers);
  },
);

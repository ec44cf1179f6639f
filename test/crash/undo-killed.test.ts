import { expect, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { TaskerError } from '../../src/errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startServer } from '../support/crash/server.ts';
import { openJournal, startWorker, stopAll } from '../support/crash/workers.ts';
import { randomOf } from '../support/rest/random-requests.ts';
import { DEMO, endStates, invariants, itOnce, template, until } from '../support/setup.ts';
import { effort, randomSeed } from '../support/suite/effort.ts';

const TASKS = effort({ test: 200, rest: 200, prove: 2_000 });
const WORK = { handler: 'work' };
const UNDO = { undo: WORK };

const STEPS = {
  a: { ...WORK, undo: { ...WORK, include: 'attempted' } },
  b: { ...WORK, ...UNDO, dependencies: ['a'] },
  c: { ...WORK, dependencies: ['a'] },
  d: { ...WORK, dependencies: ['b', 'c'], undo: { ...WORK, include: 'attempted' } },
  e: { ...WORK, ...UNDO, dependencies: ['d'] },
};
/** The steps that are undone before each, if they are undone. */
const AFTER: Record<string, readonly string[]> = { a: ['b', 'd', 'e'], b: ['d', 'e'], d: ['e'], e: [] };

/** Undoes a task, and returns the steps that this covers. */
async function undo(tasker: Tasker, taskUuid: string): Promise<string[] | undefined> {
  for (;;) {
    try {
      const { steps } = await tasker.undoTask(taskUuid);
      return steps.flatMap(({ step, undone }) => (undone ? [step] : [])).sort();
    } catch (error) {
      if (error instanceof TaskerError && error.code === 'illegal_transition') return undefined;
      await new Promise((resolve) => setTimeout(resolve, 50)); // the server has just crashed
    }
  }
}

itOnce(
  'each covered step of 200 tasks is undone once and in order, although workers are killed and the server crashes',
  { timeout: 600_000 },
  async () => {
    const { url, sql, crash } = await startServer();
    const tasker = await createTasker({
      databaseUrl: url,
      templates: [template(STEPS)],
      worker: false,
      logger: silentLogger,
    });
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
    const journal = openJournal();
    const start = () =>
      startWorker({ databaseUrl: url, journal, pollMs: 200, leaseMs: 1_500, concurrency: 20, retries: 100 });
    let workers = await Promise.all([start(), start()]);
    const random = randomOf(randomSeed());
    const tasks = await tasker.createTasks(Array.from({ length: TASKS }, () => DEMO));
    /** The steps that each undo covers. Undefined if the answer was lost. */
    const covered = new Map<string, string[] | undefined>();
    const waiting = [...tasks];
    const undoNext = async () => {
      const [task] = waiting.splice(Math.floor(random() * waiting.length), 1);
      const steps = await undo(tasker, task!.taskUuid);
      covered.set(task!.taskUuid, steps);
    };
    for (const [i, share] of [0.1, 0.3, 0.5, 0.7, 0.9].entries()) {
      await until(
        () => journal.of('start').length,
        (starts) => starts > share * 4 * TASKS,
      );
      while (covered.size < share * TASKS) await undoNext();
      if (i % 2 === 0) {
        await workers[0]!.end('SIGKILL');
        workers = [workers[1]!, await start()];
      } else await crash();
    }
    while (waiting.length > 0) await undoNext();
    expect(await endStates(tasker, tasks)).toEqual(['undone']);
    // Independent of the program: the steps that undo others and have a completed attempt.
    const undone = await sql<{ task: string; steps: string[]; doubled: number }>(`
      select h.task_uuid task, array_agg(substr(ts.name, 6) order by ts.name) steps, count(*)::int - count(distinct h.idx)::int doubled
        from tasker.history h join tasker.task t on t.task_uuid = h.task_uuid
        join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = h.idx and ts.name like 'undo:%'
       where h.outcome = 'completed' group by 1`);
    expect(undone.filter(({ doubled }) => doubled > 0)).toEqual([]);
    const recorded = new Map(undone.map(({ task, steps }) => [task, steps]));
    for (const [taskUuid, steps] of covered) if (steps) expect(recorded.get(taskUuid) ?? []).toEqual(steps);
    expect([...covered.values()].filter((steps) => steps === undefined).length).toBeLessThan(TASKS / 10);
    const early = await sql(`
      select s.task_uuid, ts.name from tasker.step s join tasker.task t on t.task_uuid = s.task_uuid
        join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = s.idx
        join tasker.step x on x.task_uuid = s.task_uuid and x.idx > s.idx
        join tasker.template_step xs on xs.template_id = t.template_id and xs.idx = x.idx and xs.name like 'undo:%'
       where ts.name like 'undo:%' and s.started_at < x.done_at
         and (${Object.entries(AFTER)
           .map(
             ([step, after]) =>
               `(ts.name = 'undo:${step}' and xs.name = any ('{${after.map((one) => `undo:${one}`).join(',')}}'))`,
           )
           .join(' or ')})`);
    expect(early).toEqual([]);
    await invariants(sql);
    await stopAll(workers);
  },
);

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isTaskerError } from '../../../src/errors.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { untilTasksEnd } from '../../../src/handlers/later.ts';
import { invariants, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { effort } from '../../support/suite/effort.ts';

const ROUNDS = effort({ test: 2, rest: 4, prove: 40 });
const PARENTS = 8;
const shared = sharedDatabase();

/** Takes a few turns of the event loop, and fails in every third task. */
const work = defineHandler('work', {}, async ({ context }) => {
  const turn = Number.parseInt(context.taskUuid.slice(-3), 16);
  for (let i = 0; i < turn % 7; i++) await new Promise((resolve) => setImmediate(resolve));
  if (turn % 3 === 0) throw new PermanentError('no money');
  return { done: true };
});

/** Undoes the work. A failure would block the task, and every task above it that is undone. */
const unwork = defineHandler('unwork', {}, () => ({}));

/** Waits for three child tasks. Every second attempt fails before that, and starts no others when it is repeated. */
const fan = defineHandler('fan', {}, async ({ context }) => {
  const keys = ['a', 'b', 'c'];
  const tasks = await Promise.all(keys.map((key) => context.startTask('leaf', {}, { key })));
  if (context.attempt % 2 === 1) throw new Error('again');
  return untilTasksEnd(tasks, { onFailure: context.rerun % 2 === 0 ? 'continue' : 'fail' });
});

const ENDS = { lifecycle: { on_blocked: 'error' } };
const child = (name: string, more: object = {}) => ({ type: 'task', handler: undefined, template: name, ...more });
const top = {
  first: { handler: 'work' },
  one: child('middle'),
  two: child('middle', { on_failure: 'continue', on_cancel: 'abandon', dependencies: ['first'] }),
  fan: { handler: 'fan', retry: { backoff: 'none' } },
  last: { handler: 'work', dependencies: ['one', 'two', 'fan'], run_if: 'ended' },
};
const middle = { inner: child('leaf'), other: { handler: 'work', dependencies: ['inner'], run_if: 'ended' } };
const leaf = { work: { handler: 'work', undo: { handler: 'unwork', include: 'attempted' } } };

const ACTS = ['cancel', 'resolve', 'rerun', 'retry', 'reset', 'complete', 'undo'] as const;
const acts = fc.array(
  fc.record({
    act: fc.constantFrom(...ACTS),
    task: fc.nat(),
    step: fc.nat(),
    pauseMs: fc.integer({ min: 0, max: 15 }),
  }),
  { minLength: 20, maxLength: 40 },
);

it('random actions of operators on parent and child tasks leave no end undelivered, and no open child that no step waits for', {
  timeout: 120_000 + ROUNDS * 10_000,
}, async () => {
  const { tasker, demo } = await shared.setup(top as never, { handlers: [work, unwork, fan] });
  const { namespace } = demo;
  await tasker.registerTemplates([
    template(middle as never, { name: 'middle', namespace, ...ENDS }),
    template(leaf as never, { name: 'leaf', namespace, ...ENDS }),
  ]);
  let done = 0;
  const run = async (list: readonly { act: (typeof ACTS)[number]; task: number; step: number; pauseMs: number }[]) => {
    await tasker.createTasks(Array.from({ length: PARENTS }, () => demo));
    for (const { act, task, step, pauseMs } of list) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const { tasks } = await tasker.listTasks({ namespace }, { limit: 100 });
      const one = tasks[task % tasks.length];
      if (!one) continue;
      const { taskUuid } = one;
      const steps = await tasker.getSteps(taskUuid);
      const { name } = steps[step % steps.length]!;
      try {
        if (act === 'cancel') await tasker.cancelTask(taskUuid);
        if (act === 'resolve') await tasker.resolveStep(taskUuid, name);
        if (act === 'rerun') await tasker.rerunTask(taskUuid, { from: name });
        if (act === 'retry') await tasker.retryTask(taskUuid);
        if (act === 'reset') await tasker.resetStep(taskUuid, name);
        if (act === 'complete') await tasker.completeStep(taskUuid, name, { result: { by: 'hand' } });
        if (act === 'undo') await tasker.undoTask(taskUuid);
        done++;
      } catch (error) {
        // The step may be in a state that does not allow the act.
        if (!isTaskerError(error)) throw error;
      }
    }
    const unsettled = () =>
      shared.sql(
        `select c.child_uuid, t.state::text, c.abandoned, w.idx is not null awaited from tasker.child_task c
             join tasker.task t on t.task_uuid = c.child_uuid
             left join tasker.wait w on w.task_uuid = c.parent_uuid and w.ended_at is null and w.idx = coalesce(c.undo_idx, c.idx)
                                    and w.attempt = coalesce(c.undo_attempt, c.attempt)
            where c.settled_at is null and (t.done_at is not null or w.idx is null)`,
      );
    await until(unsettled, (rows) => rows.length === 0);
    // Everything ends: failures end the tasks below, and the routes of the tasks above run.
    await until(
      () => shared.sql(`select task_uuid from tasker.task where n_active > 0 or n_retry > 0 or n_wait > 0`),
      (rows) => rows.length === 0,
    );
    const orphans = await shared.sql(
      `select c.child_uuid from tasker.child_task c join tasker.task t on t.task_uuid = c.child_uuid
          where t.done_at is null and not c.abandoned and c.settled_at is not null`,
    );
    return orphans;
  };
  await fc.assert(
    fc.asyncProperty(acts, async (list) => {
      const orphans = await run(list);
      // A rerun or retry of a child that was settled lets it run by itself, and it may be blocked.
      for (const { child_uuid: id } of orphans) {
        const history = await tasker.getHistory(String(id));
        expect(history.some(({ kind }) => kind === 'operator')).toBe(true);
      }
      await invariants(shared.sql);
    }),
    { numRuns: ROUNDS },
  );
  expect(done).toBeGreaterThanOrEqual(ROUNDS);
});

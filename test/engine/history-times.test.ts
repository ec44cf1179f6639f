import { expect, it } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { openSession } from '../support/database.ts';
import { DEMO, deferred, setup, template, until } from '../support/setup.ts';

const acts = {
  'is cancelled': (tasker: Tasker, taskUuid: string) => tasker.cancelTask(taskUuid),
  'is completed by hand': (tasker: Tasker, taskUuid: string) => tasker.completeStep(taskUuid, 'a', { result: {} }),
};
for (const [what, act] of Object.entries(acts)) {
  it(`an attempt that ${what} does not end before it started, even if the operator had to wait for the task`, async () => {
    const { tasker, url, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task for update');
    const acted = act(tasker, taskUuid);
    await until(
      () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
      (waiting) => waiting.length === 1,
    );
    // Claims do not wait for locked tasks.
    const started = deferred();
    const handler = defineHandler('a', {}, ({ signal }) => {
      started.resolve();
      return new Promise((_, stop) => signal.addEventListener('abort', () => stop(signal.reason), { once: true }));
    });
    await another({ worker: true, handlers: [handler] });
    await started.promise;
    await session.query('commit');
    await acted;
    const [attempt] = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
    expect(attempt).toMatchObject({ what: 'cancelled', attempt: 1 });
    expect(attempt!.at >= attempt!.startedAt!).toBe(true);
    const step = await tasker.getStep(taskUuid, 'a');
    expect((step.completedAt ?? step.updatedAt) >= step.lastAttemptedAt!).toBe(true);
  });
}

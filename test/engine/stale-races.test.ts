import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { opening } from '../../src/db/opening.ts';
import { Engine } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { claimSteps } from '../../src/store/claim-steps.ts';
import { age, checkForStale, taskUnderLimit } from '../support/lifecycle.ts';
import { DEMO, invariants, setup, template, until } from '../support/setup.ts';

it('the newest checkpoint of a task is its last progress', async () => {
  const { tasker, sql, taskUuid } = await taskUnderLimit('max_steps_in_process_minutes', {});
  await age(sql, 21, taskUuid);
  await sql(
    `insert into tasker.checkpoint (task_uuid, idx, attempt, data, saved_at)
     values ($1, 0, 1, '{}', now() - interval '21 minutes'), ($1, 1, 1, '{}', now())`,
    [taskUuid],
  );
  expect((await checkForStale(tasker)).noted).toEqual([]);
});

it('tasks that were deleted by hand are not checked again', async () => {
  const templates = [template({ a: [] }, { lifecycle: { max_duration_minutes: 20 } })];
  const { tasker, sql } = await setup({ templates, worker: false });
  await tasker.createTasks([DEMO, DEMO, DEMO]);
  for (const table of ['queue', 'step', 'task']) await sql(`delete from tasker.${table}`);
  await age(sql, 21);
  expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
  expect(await sql('select * from tasker.task_watch')).toEqual([]);
});

it('a stale task is ended after a concurrent claim of its step, and that attempt is cancelled', async () => {
  const lifecycle = { max_duration_minutes: 20, staleness_action: 'error' };
  const { tasker, url, sql } = await setup({ templates: [template({ a: [] }, { lifecycle })], worker: false });
  const { taskUuid } = await tasker.createTask(DEMO);
  await age(sql, 21, taskUuid);
  const database = await Database.connect({ url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  const engine = new Engine(database, silentLogger);
  const identity = { name: 'w', host: 'h', pid: 1, namespaces: [], callables: [], concurrency: 1, leaseMs: 600_000 };
  const workerId = await engine.registerWorker(identity);
  const namespaceIds = await engine.namespaceIds(['test']);
  const { checking } = await database.transaction(opening(), async (tx) => {
    const claim = { limit: 1, token: workerId * 2 ** 24 + 1, workerId, namespaceIds, excluded: [] };
    expect((await claimSteps(tx, claim)).taken).toBe(1);
    const checking = checkForStale(tasker);
    await until(
      () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
      (waiting) => waiting.length === 1,
    );
    return { checking };
  });
  expect((await checking).ended).toMatchObject([{ taskUuid }]);
  const attempts = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
  expect(attempts).toMatchObject([{ step: 'a', attempt: 1, what: 'cancelled' }]);
  const metrics = await tasker.metrics.json();
  expect(metrics['tasker_tasks_failures_total{state="error"}']?.value).toBe(1);
  await invariants(sql);
});

import { expect, it } from 'vitest';
import { opening } from '../../src/db/opening.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { compactQueue } from '../../src/store/queue.ts';
import { freshDatabase, openSession } from '../support/database.ts';
import { DEMO, invariants, setup, template } from '../support/setup.ts';

const LAY_DEAD_ROWS = `
  with gone as (insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
    select 0, 0, gen_random_uuid(), 0, 0 from generate_series(1, 30000) returning id)
  select count(*) from gone`;

/** Autovacuum may run at any moment, and would read or shrink the queue. */
const NO_AUTOVACUUM = 'alter table tasker.queue set (autovacuum_enabled = off)';

const size = `select pg_relation_size('tasker.queue')::int bytes`;

it('a queue full of dead rows that an old transaction keeps is rewritten without losing a step', async () => {
  const { tasker, sql, url, another } = await setup({ templates: template({ a: [] }), worker: false }, freshDatabase);
  const tasks = await tasker.createTasks(Array.from({ length: 100 }, (_, i) => ({ ...DEMO, priority: i % 3 })));
  await sql(NO_AUTOVACUUM);
  const old = await openSession(url);
  await old.query('begin isolation level repeatable read');
  await old.query('select count(*) from tasker.worker');
  await sql(LAY_DEAD_ROWS);
  await sql('delete from tasker.queue where namespace_id = 0');
  await sql('select pg_stat_force_next_flush()');
  await sql('select 1');
  const before = await sql(size);

  expect(await tasker.engine.tidyQueue()).toBe(true);

  expect(Number((await sql(size))[0]?.bytes)).toBeLessThan(Number(before[0]?.bytes) / 10);
  expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 100 }]);
  await another({ worker: true, handlers: [defineHandler('a', {}, () => ({}))] });
  for (const { taskUuid } of tasks)
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await old.query('rollback');
  await invariants(sql);
});

it('a queue that another transaction reads, such as a backup, is not compacted', async () => {
  const { tasker, sql, url } = await setup({ templates: template({ a: [] }), worker: false }, freshDatabase);
  await sql(NO_AUTOVACUUM);
  await sql(LAY_DEAD_ROWS);
  await sql('delete from tasker.queue where namespace_id = 0');
  await sql('select pg_stat_force_next_flush()');
  await sql('select 1');
  const backup = await openSession(url);
  await backup.query('begin isolation level repeatable read');
  await backup.query('select count(*) from tasker.queue');
  expect(await tasker.engine.tidyQueue()).toBe(false);
  await backup.query('rollback');
  expect(await tasker.engine.tidyQueue()).toBe(true);
});

it('a compacted queue keeps its order, wherever its rows are in the table', async () => {
  const { tasker, sql } = await setup({ templates: template({ a: [] }), worker: false }, freshDatabase);
  await sql(NO_AUTOVACUUM);
  const create = async () => (await tasker.createTasks(Array.from({ length: 20 }, () => DEMO))).map((t) => t.taskUuid);
  await sql(LAY_DEAD_ROWS);
  const early = await create();
  // New rows reuse the space of the dead rows, which is before the oldest rows.
  await sql('delete from tasker.queue where namespace_id = 0');
  await sql('vacuum tasker.queue');
  const late = await create();
  const queued = () => sql<{ task_uuid: string }>('select id, task_uuid from tasker.queue order by rank, id');
  const inTable = await sql<{ task_uuid: string }>('select task_uuid from tasker.queue order by ctid');
  expect(
    inTable
      .slice(0, 20)
      .map((row) => row.task_uuid)
      .sort(),
  ).toEqual([...late].sort());
  const before = await queued();

  await tasker.engine.database.transaction(opening(), compactQueue);

  expect(await queued()).toEqual(before);
  const last = await create();
  expect((await queued()).map((row) => row.task_uuid)).toEqual([...before.map((row) => row.task_uuid), ...last]);
  expect(
    before
      .slice(0, 20)
      .map((row) => row.task_uuid)
      .sort(),
  ).toEqual([...early].sort());
});

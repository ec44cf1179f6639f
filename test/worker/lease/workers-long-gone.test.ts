import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

it('workers that ended a day ago are deleted, and the history still names them', async () => {
  const handlers = [defineHandler('a', {}, () => ({}))];
  const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false, logger: silentLogger });
  const old = await another({ worker: true, handlers, name: 'old' });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const before = { steps: await tasker.getSteps(taskUuid), history: await tasker.getHistory(taskUuid) };
  expect(before.history).toMatchObject([{ who: 'old' }]);
  expect(before.steps[0]!.results!.metadata.worker_hostname).toEqual(expect.any(String));
  await old.stop();
  const add = `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, state, lease_until)
    select $1 || i, 'h', 1, '{}', '{}', 1, $2::tasker.worker_state, now() - $3::interval from generate_series(1, $4) i`;
  await sql(add, ['buried', 'buried', '25 hours', 999]);
  await sql(add, ['fresh', 'stopped', '23 hours', 2]);
  await sql(add, ['dead', 'dead', '25 hours', 1]);
  await sql(`update tasker.worker set lease_until = now() - interval '25 hours' where name = 'old'`);

  expect((await tasker.engine.listWorkers()).map(({ name, state, living }) => [name, state, living])).toEqual([
    ['dead1', 'dead', false],
  ]);
  await Promise.all([tasker.engine.forgetWorkers(), tasker.engine.forgetWorkers()]);
  const names = async () =>
    (await sql<{ name: string }>('select name from tasker.worker order by 1')).map((row) => row.name);
  expect(await names()).toEqual(['dead1', 'fresh1', 'fresh2']);
  expect(await sql('select count(*)::int n from tasker.past_worker')).toEqual([{ n: 1_000 }]);
  expect(await tasker.getSteps(taskUuid)).toEqual(before.steps);
  expect(await tasker.getHistory(taskUuid)).toEqual(before.history);
});

it('the workers that ended first are deleted first', async () => {
  const { tasker, sql } = await setup({ templates: template({ a: [] }), worker: false, logger: silentLogger });
  await sql(`insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, state, lease_until)
    select 'old' || i, 'h', 1, '{}', '{}', 1, 'stopped', now() - interval '25 hours' - i * interval '1 second'
      from generate_series(1, 1002) i`);
  await tasker.engine.forgetWorkers();
  expect(await sql('select name from tasker.worker order by id')).toEqual([{ name: 'old1' }, { name: 'old2' }]);
});

it('a worker that starts deletes workers that ended a day ago', async () => {
  const { sql, another } = await setup({ templates: template({ a: [] }), worker: false, logger: silentLogger });
  await sql(`insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, state, lease_until)
    values ('old', 'h', 1, '{}', '{}', 1, 'stopped', now() - interval '2 days')`);
  await another({ worker: true, handlers: [defineHandler('a', {}, () => ({}))] });
  await until(
    () => sql('select name from tasker.past_worker'),
    (rows) => rows.length === 1,
  );
});

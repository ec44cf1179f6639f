import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';
import { projectWith } from '../../support/config-folder.ts';
import { completed, endedAgo, endTurn, temporaryFolder } from '../../support/retention.ts';
import { until } from '../../support/setup.ts';

/** The configuration of a file with this text. */
function configured(toml: string): LoadedConfig {
  return loadConfig({ cwd: projectWith({ 'tasker.toml': toml }), env: {} });
}

const left = async (sql: Awaited<ReturnType<typeof completed>>['sql']) =>
  (await sql<{ n: number }>('select count(*)::int n from tasker.task'))[0]!.n;

it('without a policy, workers prune nothing', async () => {
  const { tasker, sql, taskUuids, another } = await completed(2);
  await endedAgo(sql, '23 hours', taskUuids);
  await another({ config: configured('retention.days = 0') });
  // A worker checks whether a prune is due whenever it polls.
  const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'demo' });
  await tasker.waitForTask(taskUuid);
  expect(await left(sql)).toBe(3);
  expect(await sql('select 1 from tasker.prune')).toEqual([]);
});

it('a worker prunes by the first matching rule of the policy', async () => {
  const { sql, taskUuids, another, tasker } = await completed(6);
  await endedAgo(sql, '2 hours', taskUuids.slice(0, 4));
  await sql(`update tasker.task set verdict = 'cancelled' where task_uuid = any ($1)`, [taskUuids.slice(0, 2)]);
  const folder = temporaryFolder();
  const config = configured(`
    [retention]
    days = ${1 / 24}
    archive_folder = "${folder}"
    rules = [{ status = "cancelled", days = 0 }, { namespace = "other", days = 0.00001 }]`);
  await another({ config, name: 'keeper' });
  await until(
    () => left(sql),
    (n) => n === 4,
  );
  await until(
    () => readdirSync(folder),
    (names) => names.length === 1 && !names[0]!.endsWith('.part'),
  );
  const { entries } = await tasker.audit({ action: 'prune' });
  expect(entries).toMatchObject([
    { actor: 'retention', door: 'policy', details: { policy: true, deleted: 2, archive: folder } },
  ]);
  expect(await sql('select state from tasker.task where verdict is not null')).toHaveLength(2);
  // The next prune by the policy is due after an hour, whichever worker runs it.
  await until(
    () => sql(`select 1 from tasker.prune_turn where holder is null and due_at > now() + interval '50 minutes'`),
    (rows) => rows.length === 1,
  );
});

it('a policy with an archive folder that does not exist deletes nothing', async () => {
  const { sql, taskUuids, another } = await completed(1);
  await endedAgo(sql, '2 hours', taskUuids);
  const folder = path.join(temporaryFolder(), 'not-mounted');
  const toml = `
    [retention]
    days = 0.01
    archive_folder = "${folder}"`;
  const worker = await another({ config: configured(toml) });
  await until(
    () => sql('select 1 from tasker.prune_turn where due_at > now()'),
    (rows) => rows.length === 1,
  );
  expect(await left(sql)).toBe(1);
  await worker.stop();
  mkdirSync(folder);
  await endTurn(sql);
  await another({ config: configured(toml) });
  await until(
    () => left(sql),
    (n) => n === 0,
  );
});

it('a prune by an operator does not wait for a prune by the policy', async () => {
  const { tasker, sql, taskUuids } = await completed(3);
  await sql(
    `update tasker.prune_turn set holder = gen_random_uuid(), by_policy = true, held_until = now() + interval '1 minute'`,
  );
  expect(await tasker.prune({ olderThan: '0s' }).result()).toMatchObject({ deleted: taskUuids.length });
});

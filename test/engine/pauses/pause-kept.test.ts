import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { age, checkForStale } from '../../support/lifecycle.ts';
import { queued, targets } from '../../support/pauses.ts';
import { DEMO, endStates, invariants, itOnce, setup, states, template, until } from '../../support/setup.ts';

const a = defineHandler('a', {}, () => ({}));
/** Simulates a process that died after it had moved only some of the steps. */
const HALF_WAY = `
  with moved as (delete from tasker.queue returning namespace_id, rank, id, task_uuid, idx, template_id)
  insert into tasker.queue overriding system value select -namespace_id, rank, id, task_uuid, idx, template_id from moved
   where id % 2 = 0 union all select namespace_id, rank, id, task_uuid, idx, template_id from moved where id % 2 = 1`;
const DIED = `update tasker.pause set settled = false, paused_at = paused_at - interval '1 minute',
  resumed_at = resumed_at - interval '1 minute'`;

describe('if a process dies halfway', () => {
  it.each(['pause', 'resume'] as const)('a %s is completed by the next call', async (verb) => {
    const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => DEMO));
    await tasker.pause({ namespace: 'test' });
    if (verb === 'resume') await tasker.resume({ namespace: 'test' });
    await sql(HALF_WAY);
    await sql(DIED);
    expect(await queued(sql)).toEqual({ ready: 10, paused: 10 });
    expect(await tasker[verb]({ namespace: 'test' })).toMatchObject({ changed: false, steps: 10 });
    expect(await queued(sql)).toEqual(verb === 'pause' ? { ready: 0, paused: 20 } : { ready: 20, paused: 0 });
    await invariants(sql);
    if (verb === 'pause') await tasker.resume({ namespace: 'test' });
    await another({ worker: true, handlers: [a] });
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
  });

  it.each(['pause', 'resume'] as const)('a %s is completed by any worker', async (verb) => {
    const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => DEMO));
    await tasker.pause({ template: 'test/demo' });
    if (verb === 'resume') await tasker.resume({ template: 'test/demo' });
    await sql(HALF_WAY);
    await sql(DIED);
    await another({ worker: true, handlers: [], namespaces: ['nothing'] });
    await until(
      () => sql('select 1 from tasker.pause where not settled'),
      (rows) => rows.length === 0,
    );
    expect(await queued(sql)).toEqual(verb === 'pause' ? { ready: 0, paused: 20 } : { ready: 20, paused: 0 });
    await tasker.resume({ template: 'test/demo' });
    await another({ worker: true, handlers: [a] });
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
  });
});

it('paused steps that are missing from the queue are queued in its paused part', async () => {
  const { tasker, sql } = await setup({ templates: template({ a: [] }), worker: false });
  const tasks = await tasker.createTasks([DEMO, DEMO, DEMO]);
  const identity = { name: 'w', host: 'h', pid: 1, namespaces: ['test'], callables: ['a'], concurrency: 1 };
  const workerId = await tasker.engine.registerWorker({ ...identity, leaseMs: 600_000 });
  const check = async () => (await tasker.engine.checkQueue({ workerIds: [workerId] }))!.requeued.length;
  await tasker.pause({ task: tasks[0]!.taskUuid });
  expect(await check()).toBe(0);
  await sql('truncate tasker.queue');
  expect(await check()).toBe(3);
  expect(await queued(sql)).toEqual({ ready: 2, paused: 1 });
  await tasker.pause({ namespace: 'test' });
  expect(await check()).toBe(0);
  await sql('truncate tasker.queue');
  expect(await check()).toBe(3);
  expect(await queued(sql)).toEqual({ ready: 0, paused: 3 });
  await invariants(sql);
});

describe('the limits of a lifecycle', () => {
  const limited = (lifecycle: Record<string, unknown>) => template({ a: [] }, { lifecycle });
  const backdate = `update tasker.pause set paused_at = paused_at - $1 * interval '1 minute',
    resumed_at = resumed_at - $2 * interval '1 minute'`;

  it.each(['task', 'template', 'namespace'] as const)('exclude the time in which the %s was paused', async (kind) => {
    for (const limit of ['max_duration_minutes', 'max_waiting_for_dependencies_minutes']) {
      const { tasker, sql } = await setup({
        templates: limited({ [limit]: 20, staleness_action: 'error' }),
        worker: false,
      });
      const { taskUuid } = await tasker.createTask(DEMO);
      const target = targets(taskUuid)[kind];
      await tasker.pause(target);
      // 25 minutes old, and paused for the last 10.
      await age(sql, 25, taskUuid);
      await sql(backdate, [10, 0]);
      expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
      // Another hour passes, and then the pause ends.
      await age(sql, 60, taskUuid);
      await sql(backdate, [60, 0]);
      expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
      await tasker.resume(target);
      await sql('update tasker.task_watch set check_at = now()');
      expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
      // 15 minutes had passed before the pause. Six more minutes exceed the limit by one.
      await age(sql, 6, taskUuid);
      await sql(backdate, [6, 6]);
      const { ended } = await checkForStale(tasker);
      expect(ended).toMatchObject([
        { taskUuid, reason: expect.stringMatching(/ 21 minutes.*, without (69|70) in which it was paused$/) },
      ]);
    }
  });

  it('exclude the time of overlapping pauses only once', async () => {
    const { tasker, sql } = await setup({
      templates: limited({ max_duration_minutes: 20, staleness_action: 'error' }),
      worker: false,
    });
    const { taskUuid } = await tasker.createTask(DEMO);
    const all = Object.values(targets(taskUuid));
    for (const target of all) await tasker.pause(target);
    for (const target of all) await tasker.resume(target);
    await age(sql, 40, taskUuid);
    // Four pauses, from 30 to 20 minutes ago: 30 minutes count.
    await sql(
      `update tasker.pause set paused_at = now() - interval '30 minutes', resumed_at = now() - interval '20 minutes'`,
    );
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid }]);
  });

  it('are checked rarely while the task is paused, even if little time is left', async () => {
    const { tasker, sql } = await setup({ templates: limited({ max_duration_minutes: 20 }), worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.pause({ task: taskUuid });
    await age(sql, 20, taskUuid);
    await sql(`update tasker.task set created_at = created_at + interval '10 ms'`);
    await checkForStale(tasker);
    const [watch] = await sql("select check_at > now() + interval '4 minutes' later from tasker.task_watch");
    expect(watch).toEqual({ later: true });
  });
});

it('a role with only read privileges is rejected, and nothing is paused', async () => {
  const { tasker, sql, url, another } = await setup({ templates: template({ a: [] }), worker: false });
  const { taskUuid } = await tasker.createTask(DEMO);
  const role = `reader_${taskUuid.replaceAll('-', '')}`;
  await sql(`create role ${role} login password 'x'`);
  try {
    await sql(`grant usage on schema tasker to ${role}; grant select on all tables in schema tasker to ${role}`);
    const as = new URL(url);
    as.username = role;
    as.password = 'x';
    const reader = await another({ databaseUrl: as.toString(), templates: [], worker: false });
    for (const target of [{ task: taskUuid }, { template: 'test/demo' }, { namespace: 'test' }]) {
      await expect(reader.pause(target)).rejects.toThrow(/permission denied/);
    }
    expect(await reader.pauses()).toEqual([]);
    expect(await queued(sql)).toEqual({ ready: 1, paused: 0 });
    await reader.stop();
  } finally {
    await sql(`drop owned by ${role}; drop role ${role}`);
  }
});

itOnce('a claim does not read the 20,000 paused steps of the highest priority', async () => {
  const { tasker, sql, url } = await setup({
    templates: [template({ a: [] }), template({ a: [] }, { name: 'busy' })],
    worker: false,
  });
  // The snapshot of an automatic analysis would keep the moved rows, and a claim would read over all of them.
  await sql(
    'alter table tasker.step set (autovacuum_enabled = off); alter table tasker.queue set (autovacuum_enabled = off)',
  );
  const [first] = await tasker.createTasks(Array.from({ length: 100 }, () => ({ ...DEMO, name: 'busy' })));
  const held = await tasker.createTask({ ...DEMO, priority: 100 });
  await sql(
    `insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
    select $1, g, 'enqueued', 0, 3, true from generate_series(1, 20000) g`,
    [held.taskUuid],
  );
  await sql(
    `insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
    select namespace_id, rank, task_uuid, g, template_id from tasker.queue, generate_series(1, 20000) g
     where task_uuid = $1`,
    [held.taskUuid],
  );
  expect((await tasker.pause({ template: 'test/demo' })).steps).toBe(20_001);
  expect(await queued(sql)).toEqual({ ready: 100, paused: 20_001 });

  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const identity = { name: 'w', host: 'h', pid: 1, namespaces: ['test'], callables: ['a'], concurrency: 50 };
    const workerId = await tasker.engine.registerWorker({ ...identity, leaseMs: 600_000 });
    const namespaceIds = await tasker.engine.namespaceIds(['test']);
    const text = readFileSync('statements/claim_steps.sql', 'utf8').replace(/^(?:--.*\r?\n)+/, '');
    const claim = async () => {
      await client.query(`begin; set local enable_seqscan = off; set local enable_sort = off`);
      const { rows } = await client.query(`explain (analyze, buffers, format json) ${text}`, [
        50,
        workerId * 2 ** 24 + 1,
        workerId,
        `{${namespaceIds}}`,
        '{}',
      ]);
      const [{ Plan }] = rows[0]['QUERY PLAN'] as [{ Plan: Record<string, number> }];
      const blocks = Plan['Shared Hit Blocks']! + Plan['Shared Read Blocks']!;
      await client.query(blocks < 2_000 ? 'commit' : 'rollback');
      return blocks;
    };
    // The moved rows remain readable until the last snapshot from before the pause ends.
    await until(claim, (blocks) => blocks < 2_000);
  } finally {
    await client.end();
  }
  expect((await states(tasker, first!.taskUuid)).a).toBe('in_progress');
  expect((await tasker.resume({ template: 'test/demo' })).steps).toBe(20_001);
  expect(await queued(sql)).toEqual({ ready: 20_051, paused: 0 });
});

it('every statement that inserts into the queue determines the part of the queue that the step belongs to', () => {
  const texts = ['src/store', 'statements'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|sql)$/.test(name))
      .flatMap((name) =>
        readFileSync(path.join(folder, name), 'utf8')
          .split(/(?=insert into tasker\.queue\b)/)
          .slice(1),
      ),
  );
  expect(texts.length).toBeGreaterThan(10);
  for (const text of texts) {
    // A copy of rows in the right part of the queue, or in the opposite part.
    if (/^insert into tasker\.queue [^;`]{0,90}overriding system value/.test(text)) continue;
    expect(text.slice(0, 700)).toMatch(/queue_id|queueIdOf|placeOf/);
  }
});

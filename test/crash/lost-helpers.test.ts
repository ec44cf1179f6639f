import { describe, expect, it, onTestFinished } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { Database } from '../../src/db/database.ts';
import { Engine } from '../../src/engine/engine.ts';
import { sweep } from '../../src/engine/sweep.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { claimSteps } from '../../src/store/claim-steps.ts';
import { declareDead } from '../../src/store/sweep.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { startProxy } from '../support/crash/proxy.ts';
import type { Sql } from '../support/database.ts';
import { DEMO, invariants, setup, template, until } from '../support/setup.ts';

const AGAIN = { retry: { max_attempts: 3, backoff: 'none' } };
const FOUR = template({ a: AGAIN, b: AGAIN, never: { retry: { retryable: false } }, last: ['a', 'b', 'never'] });
const TASKS = 60;

async function connect(url: string): Promise<{ database: Database; engine: Engine }> {
  const database = await Database.connect({ url, poolSize: 4, logger: silentLogger });
  onTestFinished(() => database.close());
  return { database, engine: new Engine(database, silentLogger) };
}

/** Creates tasks whose steps are all held by two dead workers, whose leases have expired. */
async function deadWorkers(tasker: Tasker, url: string, sql: Sql) {
  await tasker.createTasks(Array.from({ length: TASKS }, () => DEMO));
  const { database, engine } = await connect(url);
  const namespaceIds = await engine.namespaceIds(['test']);
  for (const name of ['first', 'second']) {
    const identity = {
      name,
      host: 'gone',
      pid: 1,
      namespaces: ['test'],
      callables: [],
      concurrency: 90,
      leaseMs: 60_000,
    };
    const workerId = await engine.registerWorker(identity);
    await claimSteps(database, { limit: 90, token: workerId * 2 ** 24 + 1, workerId, namespaceIds, excluded: [] });
  }
  expect(await running(sql)).toBe(3 * TASKS);
  await sql(`update tasker.worker set lease_until = now() - interval '1 s'`);
}

async function running(sql: Sql): Promise<number> {
  return (await sql(`select 1 from tasker.step where state = 'in_progress'`)).length;
}

/**
 * Checks that every step was taken back once: each step has one attempt in the history, and the state that its retry
 * policy requires.
 */
async function takenBackOnce(sql: Sql): Promise<void> {
  const states = await sql(`select state::text, count(*)::int from tasker.step where idx < 3 group by 1 order by 1`);
  expect(states).toEqual([
    { state: 'enqueued', count: 2 * TASKS },
    { state: 'error', count: TASKS },
  ]);
  expect((await sql(`select 1 from tasker.history where outcome = 'worker_lost'`)).length).toBe(3 * TASKS);
  expect((await sql(`select 1 from tasker.queue`)).length).toBe(2 * TASKS);
  const workers = await sql(`select distinct state::text from tasker.worker where host = 'gone'`);
  expect(workers).toEqual([{ state: 'buried' }]);
  await invariants(sql);
}

describe('a sweep', () => {
  it('the next sweeper finishes the work of a sweeper that died after it declared workers dead', async () => {
    const { tasker, url, sql } = await setup({ templates: FOUR, worker: false });
    await deadWorkers(tasker, url, sql);
    const { database, engine } = await connect(url);
    expect((await declareDead(database, 0)).length).toBe(2);
    await sweep(engine, 0);
    await takenBackOnce(sql);
  });

  it('a worker that continues the sweep of another reports the names of the lost workers', async () => {
    const { tasker, url, sql, another } = await setup({ templates: FOUR, worker: false });
    await deadWorkers(tasker, url, sql);
    const { database } = await connect(url);
    const dead = await declareDead(database, 0);
    const { logger, lines } = collectingLogger();
    await another({ worker: true, handlers: [defineHandler('elsewhere', {}, () => ({}))], logger });
    const line = await until(
      () => lines.find(({ message }) => message.startsWith('workers lost')),
      (found) => found !== undefined,
    );
    expect(line).toMatchObject({
      level: 'warn',
      fields: {
        dead_workers: dead.map(({ id }) => id).sort((a, b) => a - b),
        names: ['first', 'second'],
        steps: 3 * TASKS,
      },
    });
  });

  it('a sweep that dies while it takes steps takes all of them or none, and the next sweep continues', async () => {
    const { tasker, url, sql } = await setup({ templates: FOUR, worker: false });
    await deadWorkers(tasker, url, sql);
    const dying = await connect(url);
    // The sweep has its tasks and waits for one of their steps when its session is terminated.
    await sql('begin');
    await sql(`select 1 from tasker.step where state = 'in_progress' order by task_uuid desc limit 1 for update`);
    const swept = sweep(dying.engine, 0).catch((error: Error) => error);
    const other = await connect(url);
    const waiting = {
      name: 'test_waiting',
      text: `
      select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    };
    await until(
      () => other.database.query(waiting),
      ({ rows }) => rows.length > 0,
    );
    expect(await swept).toBeInstanceOf(Error);
    await sql('commit');
    expect(await running(sql)).toBe(3 * TASKS);
    await sweep(other.engine, 0);
    await takenBackOnce(sql);
  });

  it('concurrent sweeps take every step once', async () => {
    const { tasker, url, sql } = await setup({ templates: FOUR, worker: false });
    await deadWorkers(tasker, url, sql);
    const sweepers = await Promise.all(Array.from({ length: 4 }, () => connect(url)));
    await Promise.all(sweepers.map(({ engine }) => sweep(engine, 0)));
    await takenBackOnce(sql);
  });

  it('a sweep takes no steps until the server has been up for a lease', async () => {
    const { tasker, url, sql } = await setup({ templates: FOUR, worker: false });
    await deadWorkers(tasker, url, sql);
    const { engine } = await connect(url);
    const sinceStart = `select extract(epoch from now() - pg_postmaster_start_time()) * 1000 ms`;
    const [up] = await sql<{ ms: string }>(sinceStart);
    expect((await sweep(engine, Number(up!.ms) + 60_000)).dead).toEqual([]);
    expect(await running(sql)).toBe(3 * TASKS);
    expect((await sweep(engine, Number(up!.ms) - 1)).dead.length).toBe(2);
    await takenBackOnce(sql);
  });

  it('a sweep takes no steps of a worker whose heartbeat came in time', async () => {
    const { tasker, url, sql } = await setup({ templates: FOUR, worker: false });
    await deadWorkers(tasker, url, sql);
    await sql(`update tasker.worker set lease_until = now() + interval '1 min' where name = 'second'`);
    const { engine } = await connect(url);
    await sweep(engine, 0);
    expect(await running(sql)).toBe(90);
    await invariants(sql);
  });
});

describe('without a notification', () => {
  const handlers = [defineHandler('a', {}, () => ({}))];

  it('a task is found by the next poll', async () => {
    const { tasker, url, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
    const proxy = await startProxy(url);
    let [polls, pollsAtClaim] = [0, 0];
    proxy.decide = (sent) => {
      if (sent.includes('peek\0')) polls++;
      if (sent.includes('claim_steps')) pollsAtClaim = polls;
      return undefined;
    };
    await another({ databaseUrl: proxy.url, worker: true, handlers, pollMs: 300 });
    const { engine } = await connect(url);
    for (let i = 0; i < 3; i++) {
      // Simulates a caller that dies before it notifies: the operation of the engine only writes.
      const [created] = await engine.createTasks([DEMO]);
      const before = polls;
      await until(
        async () => (await tasker.getTask(created!.taskUuid)).status,
        (status) => status === 'complete',
      );
      // One poll finds the task. Another one may have been in progress when the task was created.
      expect(pollsAtClaim - before).toBeLessThanOrEqual(2);
    }
    await invariants(sql);
  });

  it('a worker that starts before its namespace exists finds its templates', async () => {
    const { sql, another } = await setup({ worker: false });
    await another({ worker: true, handlers, namespaces: ['test'], pollMs: 100 });
    const later = await another({ templates: template({ a: [] }), worker: false });
    const { taskUuid } = await later.createTask(DEMO);
    await later.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await invariants(sql);
  });
});

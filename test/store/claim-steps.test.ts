import { describe, expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { opening } from '../../src/db/opening.ts';
import { Engine } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { claimSteps } from '../../src/store/claim-steps.ts';
import { endTask } from '../../src/store/operator-actions.ts';
import { KIND } from '../../src/store/record-steps.ts';
import { declareDead, takeBack } from '../../src/store/sweep.ts';
import { lockTasks } from '../../src/store/tasks.ts';
import { DEMO, deferred, setup, template, until } from '../support/setup.ts';

const NAMESPACES = Array.from({ length: 50 }, (_, i) => `n${i}`);
const URGENT = 5;

/** Twenty ready steps in each of 50 namespaces, urgent in the last one, and two workers driven by hand. */
async function backlog() {
  const templates = NAMESPACES.map((namespace) => template({ a: [] }, { namespace }));
  const { tasker, url, sql } = await setup({ templates, worker: false });
  const requests = NAMESPACES.flatMap((namespace) =>
    Array.from({ length: 20 }, () => ({
      namespace,
      name: 'demo',
      version: '1.0.0',
      priority: namespace === NAMESPACES.at(-1) ? URGENT : 0,
    })),
  );
  await tasker.createTasks(requests);
  const database = await Database.connect({ url, poolSize: 3, logger: silentLogger });
  onTestFinished(() => database.close());
  const engine = new Engine(database, silentLogger);
  const namespaceIds = await engine.namespaceIds(NAMESPACES);
  const worker = async () => {
    const identity = { name: 'w', host: 'h', pid: 1, namespaces: [], callables: [], concurrency: 1, leaseMs: 600_000 };
    const workerId = await engine.registerWorker(identity);
    let claims = 0;
    return (limit: number) => ({ limit, token: workerId * 2 ** 24 + ++claims, workerId, namespaceIds, excluded: [] });
  };
  return { sql, database, engine, one: await worker(), two: await worker() };
}

it('a claim reads only the tasks of its steps even after ANALYZE has seen a long queue', async () => {
  const { sql, database, one, two } = await backlog();
  // Only one namespace has ready steps, in 50,000 tasks.
  await sql('delete from tasker.queue');
  await sql(`
    with t as (
      insert into tasker.task (task_uuid, template_id, n_open, n_active, context)
      select lpad(to_hex(i), 32, '0')::uuid, (select min(id) from tasker.template), 1, 1, '{}' from generate_series(1, 50000) i
      returning task_uuid, template_id),
    s as (
      insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
      select task_uuid, 0, 'enqueued', 0, 3, true from t)
    insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
    select (select namespace_id from tasker.template m where m.id = t.template_id), 0, task_uuid, 0, template_id from t`);
  await sql('analyze');
  // Only the session that claims is counted, because other sessions, such as the housekeeping, read tasks as well.
  const text = `
    select (select seq_tup_read from pg_stat_xact_user_tables where relid = 'tasker.task'::regclass)::int
      + (select sum(pg_stat_get_xact_tuples_returned(indexrelid)) from pg_index
         where indrelid = 'tasker.task'::regclass)::int rows`;
  await database.transaction(opening(), async (tx) => {
    const read = async () => (await tx.query<{ rows: number }>({ name: 'test_read', text }, [])).rows[0]!.rows;
    const before = await read();
    for (const claim of [one, two]) {
      for (const stepsToClaim of [claim(5), { ...claim(5), namespaceIds: claim(1).namespaceIds.slice(0, 1) }]) {
        expect((await claimSteps(tx, stepsToClaim)).steps).toHaveLength(5);
      }
    }
    const rows = (await read()) - before;
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThan(1_000);
  });
});

it('an attempt does not start before the previous attempt ended even if its claim began earlier', async () => {
  const { sql, database, engine, one, two } = await backlog();
  await sql(`delete from tasker.queue where (task_uuid, idx) <> (select task_uuid, idx from tasker.queue limit 1)`);
  await database.transaction(opening(), async (tx) => {
    // A statement before the first attempt sets the time of this transaction.
    await tx.query({ name: 'test_now', text: 'select now()' }, []);
    const first = one(1);
    const { steps } = await engine.claim(first, { timeoutMs: 10_000 });
    const ended = steps.map((step) => ({
      taskUuid: step.taskUuid,
      idx: step.idx,
      claim: first.token,
      kind: KIND.retryable,
      delayMs: 0,
      templateId: step.templateId,
      rank: step.rank,
      durationMs: 0,
      result: 'null',
      detail: 'null',
    }));
    const { refused } = await engine.record(ended, { freeSlots: 0, token: 0, lastRank: -101 });
    expect(refused).toEqual([]);
    expect((await claimSteps(tx, two(1))).taken).toBe(1);
  });
  const times = `select s.attempts, s.started_at >= h.ended_at and h.ended_at >= h.started_at ordered
    from tasker.history h join tasker.step s using (task_uuid, idx)`;
  expect(await sql(times)).toEqual([{ attempts: 2, ordered: true }]);
});

it('an attempt of a lost worker does not end before it starts even if the sweep began earlier', async () => {
  const { sql, database, engine, one } = await backlog();
  await database.transaction(opening(), async (tx) => {
    await tx.query({ name: 'test_now', text: 'select now()' }, []);
    const claim = one(1);
    const tasks = (await engine.claim(claim, { timeoutMs: 10_000 })).steps.map((step) => step.taskUuid);
    await lockTasks(tx, tasks);
    expect(await takeBack(tx, { tasks, workerIds: [claim.workerId], missed: [] })).toHaveLength(1);
  });
  const times = `select h.ended_at >= h.started_at and s.done_at >= h.started_at ordered
    from tasker.history h join tasker.step s using (task_uuid, idx)`;
  expect(await sql(times)).toEqual([{ ordered: true }]);
});

describe('a claim from many namespaces', () => {
  it('a claim locks no more rows than it takes, so that another worker gets the rest', async () => {
    const { sql, database, engine, one, two } = await backlog();
    const [open, done] = [deferred(), deferred()];
    const holding = database.transaction(opening(), async (tx) => {
      const { taken } = await claimSteps(tx, one(100));
      open.resolve();
      await done.promise;
      return taken;
    });
    await open.promise;
    // This claim takes all steps that the open claim does not hold.
    const meanwhile = await engine.claim(two(1_000), { timeoutMs: 10_000 }).finally(() => done.resolve());
    expect(await holding).toBe(100);
    expect(meanwhile).toMatchObject({ taken: 900, passedOver: true });
    expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 0 }]);
    const byWorker = await sql(`select count(*)::int n from tasker.step where state = 'in_progress' group by claim`);
    expect(byWorker.map((row) => row.n).sort()).toEqual([100, 900]);
  });

  it('a claim takes the highest priority of all namespaces first, and then the oldest step', async () => {
    const { sql, engine, one } = await backlog();
    const first = await engine.claim(one(30), { timeoutMs: 10_000 });
    expect(first.steps.map((step) => step.rank)).toEqual([...Array(20).fill(-URGENT), ...Array(10).fill(0)]);
    expect(first).toMatchObject({ taken: 30, passedOver: false });
    const left =
      await sql(`select n.name, count(*)::int from tasker.queue q join tasker.namespace n on n.id = q.namespace_id
      where n.name in ('n0', 'n49') group by 1`);
    expect(left).toEqual([{ name: 'n0', count: 10 }]);
  });

  it('a claim writes WAL for the rows that it takes, not for the rows that it only reads', async () => {
    const { sql, engine, one } = await backlog();
    const walOf = async (claiming: () => Promise<unknown>) => {
      const [before] = await sql<{ lsn: string }>('select pg_current_wal_insert_lsn()::text lsn');
      await claiming();
      const [wal] = await sql<{ n: number }>('select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)::int n', [
        before!.lsn,
      ]);
      return wal!.n;
    };
    await engine.claim(one(1), { timeoutMs: 10_000 });
    await sql('checkpoint');
    const claiming = () => engine.claim(one(10), { timeoutMs: 10_000 });
    // The first claim after a checkpoint writes whole pages, so the second claim is measured.
    await claiming();
    // Other tests write WAL on the same server, so repeat until no other test writes during a claim.
    let least = await walOf(claiming);
    for (let tries = 0; least >= 40_000 && tries < 50; tries++) least = Math.min(least, await walOf(claiming));
    expect(least).toBeLessThan(40_000);
  });
});

/** Two ready tasks of one step each, and a worker driven by hand that claims from one or two namespaces. */
async function twoTasks(namespaces: readonly string[]) {
  const { tasker, url, sql } = await setup({ templates: template({ a: [] }), worker: false });
  await tasker.registerTemplates([template({ a: [] }, { namespace: 'other' })]);
  const tasks = await tasker.createTasks([DEMO, DEMO]);
  const [first, second] = tasks.map(({ taskUuid }) => taskUuid);
  const database = await Database.connect({ url, poolSize: 3, logger: silentLogger });
  onTestFinished(() => database.close());
  const engine = new Engine(database, silentLogger);
  const identity = { name: 'w', host: 'h', pid: 1, namespaces: [], callables: [], concurrency: 1, leaseMs: 600_000 };
  const workerId = await engine.registerWorker(identity);
  const namespaceIds = await engine.namespaceIds(namespaces);
  let claims = 0;
  const claim = () => ({ limit: 9, token: workerId * 2 ** 24 + ++claims, workerId, namespaceIds, excluded: [] });
  /** Runs `work` in a transaction that stays open until the returned function is called. */
  const open = async (work: (tx: Parameters<typeof lockTasks>[0]) => Promise<unknown>) => {
    const [ready, done] = [deferred(), deferred()];
    const ended = database.transaction(opening(), async (tx) => {
      await work(tx);
      ready.resolve();
      await done.promise;
    });
    // If the work fails, the transaction ends.
    await Promise.race([ready.promise, ended]);
    return async () => {
      done.resolve();
      await ended;
    };
  };
  return { sql, database, engine, workerId, first: first!, second: second!, claim, open };
}

describe.each([
  ['one namespace', ['test']],
  ['several namespaces', ['test', 'other']],
])('a claim from %s during a cancellation that has not committed', (_, namespaces) => {
  it('the claim skips the step that is being cancelled and takes the other step', async () => {
    const { sql, engine, first, second, claim, open } = await twoTasks(namespaces);
    const commit = await open(async (tx) => {
      await lockTasks(tx, [first]);
      await endTask(
        tx,
        { taskUuid: first, action: 'cancel' },
        { actor: 'operator', reason: null, door: 'library', bulkId: null },
      );
    });
    // A claim that waited for the cancellation would time out and take nothing.
    const { steps } = await engine.claim(claim(), { timeoutMs: 2_000 }).finally(commit);
    expect(steps.map((step) => step.taskUuid)).toEqual([second]);
    expect((await engine.claim(claim(), { timeoutMs: 10_000 })).steps).toEqual([]);
    expect(await sql('select state::text from tasker.step where task_uuid = $1', [first])).toEqual([
      { state: 'cancelled' },
    ]);
  });
});

describe('a claim of a worker whose lease has expired', () => {
  const expired = `update tasker.worker set lease_until = now() - interval '1 minute'`;

  it('the claim takes nothing if the worker is declared dead during the claim', async () => {
    const { sql, database, engine, workerId, claim, open } = await twoTasks(['test']);
    await sql(expired);
    const commit = await open(async (tx) => {
      expect(await declareDead(tx, 0)).toMatchObject([{ id: workerId }]);
    });
    let settled = false;
    const claiming = engine.claim(claim(), { timeoutMs: 20_000 }).finally(() => {
      settled = true;
    });
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(
      async () => settled || (await sql(waiting)).length > 0,
      (either) => either,
    );
    await commit();
    expect(await claiming).toMatchObject({ steps: [], taken: 0 });
    expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 2 }]);
    expect(await declareDead(database, 0)).toEqual([]);
  });

  it('the worker is not declared dead before the claim has committed', async () => {
    const { sql, database, workerId, claim, open } = await twoTasks(['test']);
    await sql(expired);
    const commit = await open(async (tx) => {
      expect((await claimSteps(tx, claim())).taken).toBe(2);
    });
    expect(await declareDead(database, 0).finally(commit)).toEqual([]);
    expect(await declareDead(database, 0)).toMatchObject([{ id: workerId }]);
  });
});

it.each([
  ['one namespace', 'n49'],
  ['several namespaces', 'n48', 'n49'],
])('a claim from %s takes several steps that must not run twice', async (_, ...namespaces) => {
  const { sql, engine, one } = await backlog();
  await sql('update tasker.step set retryable = false');
  const claim = { ...one(5), namespaceIds: await engine.namespaceIds(namespaces) };
  expect((await engine.claim(claim, { timeoutMs: 10_000 })).steps).toHaveLength(5);
});

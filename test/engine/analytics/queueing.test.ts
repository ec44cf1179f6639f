import { describe, expect, it } from 'vitest';
import type { Sql } from '../../support/database.ts';
import { choosing, handBench, handWorker, partsFor, workers } from '../../support/hand-worker.ts';
import { until } from '../../support/setup.ts';

type Bench = Awaited<ReturnType<typeof handWorker>>;

/** Time between two actions of a test, so that their times differ by more than the clock's resolution. */
const PAUSE_MS = 15;
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

async function queueing(bench: Bench, step: string) {
  await bench.tasker.engine.analytics.flush();
  const { templates } = await bench.tasker.analytics();
  const own = (await bench.tasker.getTask(bench.taskUuid)).namespace;
  const { slowSteps } = await bench.tasker.analytics({ namespace: own, step });
  expect(templates.length).toBeGreaterThan(0);
  return slowSteps[0]!.queueing;
}

/** Milliseconds between two times of the database, computed independently of the statistics. */
async function ms(sql: Sql, from: string, to: string, values: unknown[]): Promise<number> {
  const [row] = await sql<{ ms: number }>(`select (extract(epoch from (${to}) - (${from})) * 1000)::float8 ms`, values);
  return row!.ms;
}

const START = (idx: number, attempt: number) =>
  `select started_at from tasker.history where task_uuid = $1 and idx = ${idx} and attempt = ${attempt}`;
const END = (idx: number, attempt: number) =>
  `select ended_at from tasker.history where task_uuid = $1 and idx = ${idx} and attempt = ${attempt}`;
const CREATED = 'select created_at from tasker.task where task_uuid = $1';

describe('queueing time', () => {
  it('starts at the creation of the task for a first step, and at the end of the last parent for a child', async () => {
    const bench = await handWorker({ a: [], b: [], c: ['a', 'b'] });
    const { sql, taskUuid } = bench;
    await pause();
    await bench.claim();
    await bench.record(bench.completed('a'));
    // It does not matter which pass counts an attempt: one parent is counted here, the other together with the child.
    await bench.tasker.engine.analytics.flush();
    await pause();
    await bench.record(bench.completed('b'));
    await pause();
    await bench.claim();
    await bench.record(bench.completed('c'));
    const a = await queueing(bench, 'a');
    expect(a).toMatchObject({ count: 1 });
    expect(a.totalMs).toBeCloseTo(await ms(sql, CREATED, START(0, 1), [taskUuid]), 2);
    const c = await queueing(bench, 'c');
    expect(c.totalMs).toBeCloseTo(await ms(sql, END(1, 1), START(2, 1), [taskUuid]), 2);
    expect(c.totalMs).toBeGreaterThan(PAUSE_MS - 5);
    expect(c).toMatchObject({ count: 1, minMs: c.totalMs, maxMs: c.totalMs });
  });

  it('is the same whether it is counted in one pass or in two', async () => {
    const bench = await handWorker({ a: [], b: [], c: ['a', 'b'] });
    await bench.claim();
    await bench.record(bench.completed('a'));
    await pause();
    await bench.record(bench.completed('b'));
    await pause();
    await bench.claim();
    await bench.record(bench.completed('c'));
    const c = await queueing(bench, 'c');
    expect(c.totalMs).toBeCloseTo(await ms(bench.sql, END(1, 1), START(2, 1), [bench.taskUuid]), 2);
  });

  it('starts at the due time for a retry, at the failure for an immediate retry, and at the action for a reset', async () => {
    const bench = await handWorker({ a: { retry: { max_attempts: 3 } } });
    const { sql, taskUuid, tasker } = bench;
    await bench.claim();
    await bench.record({
      ...bench.ended('a', 'retryable'),
      delayMs: 30,
      detail: '{"error":{"message":"broken"},"retry_delay_ms":30}',
    });
    await until(
      () => tasker.engine.promoteDue(),
      (promoted) => promoted === 1,
    );
    await pause();
    await bench.claim();
    await bench.record(bench.ended('a', 'retryable'));
    await pause();
    await bench.claim();
    await bench.record(bench.failed('a'));
    await pause();
    await tasker.resetStep(taskUuid, 'a');
    await pause();
    await bench.claim();
    await bench.record(bench.completed('a'));
    const expected = [
      await ms(sql, CREATED, START(0, 1), [taskUuid]),
      await ms(sql, `(${END(0, 1)}) + interval '30 ms'`, START(0, 2), [taskUuid]),
      await ms(sql, END(0, 2), START(0, 3), [taskUuid]),
      await ms(sql, `select max(at) from tasker.operator_action where task_uuid = $1`, START(0, 4), [taskUuid]),
    ];
    const found = await queueing(bench, 'a');
    expect(found.count).toBe(4);
    expect(found.totalMs).toBeCloseTo(
      expected.reduce((a, b) => a + b, 0),
      1,
    );
    expect(found.maxMs).toBeCloseTo(Math.max(...expected), 2);
    expect(found.minMs).toBeCloseTo(Math.min(...expected), 2);
  });

  it('starts at the rerun for the first step of a rerun, and at the end of the parent for its child', async () => {
    const bench = await handWorker({ a: [], b: ['a'] });
    const { sql, taskUuid, tasker } = bench;
    for (const step of ['a', 'b']) {
      await bench.claim();
      await bench.record(bench.completed(step));
    }
    await pause();
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await pause();
    for (const step of ['a', 'b']) {
      await bench.claim();
      await bench.record(bench.completed(step));
    }
    const rerun = `select at from tasker.operator_action where task_uuid = $1 and action = 'rerun'`;
    const a = (await ms(sql, CREATED, START(0, 1), [taskUuid])) + (await ms(sql, rerun, START(0, 2), [taskUuid]));
    const b = (await ms(sql, END(0, 1), START(1, 1), [taskUuid])) + (await ms(sql, END(0, 2), START(1, 2), [taskUuid]));
    expect((await queueing(bench, 'a')).totalMs).toBeCloseTo(a, 1);
    expect((await queueing(bench, 'b')).totalMs).toBeCloseTo(b, 1);
  });

  it('starts at the redrive for the steps of a task that was cancelled', async () => {
    const redriven = async (claimed: boolean) => {
      const bench = await handWorker({ a: [] });
      if (claimed) await bench.claim();
      await bench.tasker.cancelTask(bench.taskUuid);
      await bench.tasker.deadLetters.add(bench.taskUuid, { reason: 'was that right?' });
      await pause();
      await bench.tasker.deadLetters.redrive(bench.taskUuid);
      await pause();
      await bench.claim();
      await bench.record(bench.completed('a'));
      return bench;
    };
    const rerun = `select at from tasker.operator_action where task_uuid = $1 and details ->> 'how' = 'reopened'`;
    const never = await redriven(false);
    const a = await ms(never.sql, rerun, START(0, 1), [never.taskUuid]);
    expect(await queueing(never, 'a')).toMatchObject({ count: 1, totalMs: expect.closeTo(a, 1) });
    const { taskUuid, sql, ...before } = await redriven(true);
    const b = (await ms(sql, CREATED, START(0, 1), [taskUuid])) + (await ms(sql, rerun, START(0, 2), [taskUuid]));
    expect(await queueing({ taskUuid, sql, ...before }, 'a')).toMatchObject({
      count: 2,
      totalMs: expect.closeTo(b, 1),
    });
  });

  it('starts at the action for a child whose parent was settled by hand', async () => {
    const bench = await handWorker({ a: [], b: ['a'] });
    const { sql, taskUuid, tasker } = bench;
    await pause();
    await tasker.completeStep(taskUuid, 'a', { result: {} });
    await pause();
    await bench.claim();
    await bench.record(bench.completed('b'));
    const act = 'select at from tasker.operator_action where task_uuid = $1';
    expect((await queueing(bench, 'b')).totalMs).toBeCloseTo(await ms(sql, act, START(1, 1), [taskUuid]), 2);
  });

  it('starts at the end of the analyzer for batch workers, and at the end of the last worker for the joining step', async () => {
    const bench = await handWorker(
      {
        split: { type: 'batchable', dependencies: [] },
        work: workers(['split']),
        join: { type: 'deferred_convergence', dependencies: ['work'] },
      },
      await handBench(),
    );
    const { sql, taskUuid } = bench;
    await bench.claim();
    await bench.record(bench.completed('split', partsFor('work', '001', '002')));
    await pause();
    const names = await bench.claim();
    expect(names).toHaveLength(2);
    await bench.record(bench.completed(names[0]!));
    await bench.tasker.engine.analytics.flush();
    await pause();
    await bench.record(bench.completed(names[1]!));
    await pause();
    await bench.claim();
    await bench.record(bench.completed('join'));
    const worked = await queueing(bench, 'work');
    const starts = `select sum(extract(epoch from started_at - (${END(0, 1)})) * 1000)::float8 ms from tasker.history where task_uuid = $1 and idx >= 131072`;
    const [all] = await sql<{ ms: number }>(starts, [taskUuid]);
    expect(worked).toMatchObject({ count: 2 });
    expect(worked.totalMs).toBeCloseTo(all!.ms, 2);
    const joined = await queueing(bench, 'join');
    const last = 'select max(ended_at) from tasker.history where task_uuid = $1 and idx >= 131072';
    expect(joined.totalMs).toBeCloseTo(await ms(sql, last, START(2, 1), [taskUuid]), 2);
  });

  it('starts at the end of the last created parent for a step after a decision', async () => {
    const bench = await handWorker({
      begin: [],
      choose: { type: 'decision', dependencies: ['begin'] },
      left: ['choose'],
      right: ['choose'],
      join: { type: 'deferred_convergence', dependencies: ['left', 'right'] },
    });
    const { sql, taskUuid } = bench;
    await bench.claim();
    await bench.record(bench.completed('begin'));
    await bench.claim();
    await bench.record(bench.completed('choose', choosing('left')));
    await pause();
    await bench.claim();
    await bench.record(bench.completed('left'));
    await pause();
    await bench.claim();
    await bench.record(bench.completed('join'));
    expect((await queueing(bench, 'left')).totalMs).toBeCloseTo(await ms(sql, END(1, 1), START(2, 1), [taskUuid]), 2);
    expect((await queueing(bench, 'join')).totalMs).toBeCloseTo(await ms(sql, END(2, 1), START(4, 1), [taskUuid]), 2);
  });
});

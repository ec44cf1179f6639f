import { expect, it } from 'vitest';
import type { StepTemplate } from '../../../src/template/task-template.ts';
import { openSession, type Sql } from '../../support/database.ts';
import { invariants, until } from '../../support/setup.ts';
import { waitingBench } from '../../support/waits/waiting.ts';

const STEPS = { pay: [], ship: ['pay'] };
const NO_STEP = 'none of its steps meets the conditions now';
const CHANGED = 'it has changed since it was selected';

/** Two tasks: the first has not begun, and the second runs its first step. */
async function night(steps: Record<string, readonly string[] | Partial<StepTemplate>> = STEPS) {
  const bench = await waitingBench(steps);
  const running = await bench.create();
  const batch = await bench.claim();
  const fresh = await bench.create();
  await bench.engine.search.flush();
  const [{ now }] = (await bench.sql<{ now: string }>('select clock_timestamp()::text now')) as [{ now: string }];
  const status = async (taskUuid: string) => (await bench.tasker.getTask(taskUuid)).status;
  return { ...bench, running, fresh, batch, now, status, finish: () => bench.record(batch) };
}

/** The results of steps that failed permanently. */
const failed = <Claimed>(batch: readonly Claimed[]) =>
  batch.map((one) => ({
    ...one,
    kind: 2,
    detail: JSON.stringify({ error: { error_type: 'down', message: 'down' } }),
  }));

const waitsForLock = (sql: Sql) =>
  until(
    () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
    (waiting) => waiting.length === 1,
  );

it('a task whose step is no longer pending is not cancelled by a filter for pending steps', async () => {
  const { tasker, sql, running, fresh, finish, status } = await night();
  const act = tasker.bulk.cancel({ step: 'ship', stepState: 'pending' });
  expect(await act.preview()).toMatchObject({ matched: 2 });
  await finish();
  expect(await act.result()).toMatchObject({ done: 1, skipped: [{ taskUuid: running, why: NO_STEP }] });
  expect(await Promise.all([running, fresh].map(status))).toEqual(['steps_in_process', 'cancelled']);
  await invariants(sql);
});

it('a task whose step is still complete is cancelled by a filter for complete steps', async () => {
  const { tasker, running, finish, status } = await night();
  await finish();
  await tasker.engine.search.flush();
  expect(await tasker.bulk.cancel({ step: 'pay', stepState: 'complete' }).result()).toMatchObject({
    matched: 1,
    done: 1,
  });
  expect(await status(running)).toBe('cancelled');
});

it('a task that ran again, and completed its cancelled step, is not deleted by a filter for cancelled steps', async () => {
  const { tasker, running, fresh, work, status } = await night();
  await tasker.bulk.cancel({ ids: [running, fresh] }).result();
  await tasker.engine.search.flush();
  const act = tasker.bulk.delete({ step: 'ship', stepState: 'cancelled' });
  expect(await act.preview()).toMatchObject({ matched: 2 });
  await tasker.rerunTask(running, { from: 'pay' });
  await work();
  expect(await act.result()).toMatchObject({ done: 1, skipped: [{ taskUuid: running }] });
  expect(await status(running)).toBe('complete');
});

it('a task that a worker is claiming at this moment is not cancelled by a filter for enqueued steps', async () => {
  const { tasker, url, sql, fresh, status } = await night();
  const act = tasker.bulk.cancel({ step: 'pay', stepState: 'enqueued' });
  expect(await act.preview()).toMatchObject({ matched: 1 });
  const session = await openSession(url);
  await session.query('begin');
  await claimBy(session, fresh);
  const acted = act.result();
  await waitsForLock(sql);
  await session.query('commit');
  expect(await acted).toMatchObject({ done: 0, skipped: [{ taskUuid: fresh }] });
  expect(await status(fresh)).toBe('steps_in_process');
});

it('a task that changed after the selection is not cancelled by a filter for the last change', async () => {
  const { tasker, sql, now, running, fresh, finish, status } = await night();
  const act = tasker.bulk.cancel({ updatedBefore: now });
  expect(await act.preview()).toMatchObject({ matched: 2 });
  await finish();
  expect(await act.result()).toMatchObject({ done: 1, skipped: [{ taskUuid: running, why: CHANGED }] });
  expect(await Promise.all([running, fresh].map(status))).toEqual(['steps_in_process', 'cancelled']);
  await invariants(sql);
});

it('a task that changed after the selection still meets a filter for changes after a time', async () => {
  const { tasker, finish } = await night();
  const act = tasker.bulk.cancel({ updatedAfter: '1h' });
  await act.preview();
  await finish();
  expect(await act.result()).toMatchObject({ done: 2, skipped: [] });
});

it('a task that a worker is claiming at this moment is not cancelled by a filter for the last change', async () => {
  const { tasker, url, sql, now, fresh, running, status } = await night();
  const act = tasker.bulk.cancel({ updatedBefore: now });
  await act.preview();
  const session = await openSession(url);
  await session.query('begin');
  await claimBy(session, fresh);
  const acted = act.result();
  await waitsForLock(sql);
  await session.query('commit');
  expect(await acted).toMatchObject({ done: 1, skipped: [{ taskUuid: fresh, why: CHANGED }] });
  expect(await Promise.all([running, fresh].map(status))).toEqual(['cancelled', 'steps_in_process']);
});

it('a resumed act measures ages from its selection', async () => {
  const { tasker, sql, running, fresh } = await night();
  await sql(`update tasker.task set created_at = created_at - interval '1 hour' where task_uuid = $1`, [fresh]);
  await sql(`update tasker.step set started_at = started_at - interval '1 hour' where task_uuid = $1`, [running]);
  await sql(`update tasker.task set created_at = created_at - interval '1 hour' where task_uuid = $1`, [running]);
  await sql(
    `update tasker.task_search set updated_at = updated_at - interval '1 hour', created_at = created_at - interval '1 hour'`,
  );
  const iterator = tasker.bulk.cancel({ updatedBefore: '30m' })[Symbol.asyncIterator]();
  const { value } = await iterator.next();
  await iterator.return!();
  expect(value).toMatchObject({ matched: 2 });
  const { id } = value as { id: number };
  await sql(`update tasker.bulk set created_at = created_at - interval '2 hours' where id = $1`, [id]);
  expect(await tasker.bulk.resume(id).result()).toMatchObject({ done: 0, skippedCount: 2 });
});

it('a task whose failed step was completed is not retried by a filter for this step', async () => {
  const { tasker, sql, claim, record, status } = await night({ pay: [], notify: [] });
  const batch = await claim();
  await record(failed(batch));
  await tasker.engine.search.flush();
  const act = tasker.bulk.retry({ step: 'pay', errorType: 'down' });
  expect(await act.preview()).toMatchObject({ matched: 1, steps: 2 });
  const { taskUuid } = batch[0]!;
  await tasker.completeStep(taskUuid, 'pay', { result: {} });
  expect(await act.result()).toMatchObject({ done: 0, skipped: [{ taskUuid, why: NO_STEP }] });
  expect(await status(taskUuid)).toBe('blocked_by_failures');
  await invariants(sql);
});

it('all failed steps of a task are retried, although the first of them change its state', async () => {
  const names = Array.from({ length: 150 }, (_, i) => `s${i}`);
  const { tasker, sql, claim, record, work, create } = await waitingBench(
    Object.fromEntries(names.map((name) => [name, []])),
  );
  await create();
  const batch = await claim();
  await record(failed(batch));
  await tasker.engine.search.flush();
  const act = tasker.bulk.retrySteps({ status: 'blocked_by_failures', updatedBefore: '2100-01-01T00:00:00Z' });
  expect(await act.result()).toMatchObject({ matched: 150, done: 150, skipped: [] });
  await work();
  await invariants(sql);
});

/** Does what a claim does, in a transaction that is still open. */
async function claimBy(session: Awaited<ReturnType<typeof openSession>>, taskUuid: string): Promise<void> {
  await session.query('delete from tasker.queue where task_uuid = $1', [taskUuid]);
  await session.query(
    `update tasker.step set state = 'in_progress', attempts = attempts + 1, claim = 1 << 24, started_at = clock_timestamp()
      where task_uuid = $1 and idx = 0`,
    [taskUuid],
  );
}

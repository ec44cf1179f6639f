import { describe, expect, it } from 'vitest';
import { age, checkForStale } from '../../support/lifecycle.ts';
import { setup, template } from '../../support/setup.ts';
import { letStartLater, letWait } from '../../support/waits/waits.ts';

const PAY = { namespace: 'test', name: 'pay' };

async function waiting(lifecycle: Record<string, unknown> | undefined, { start = false } = {}) {
  const templates = template({ pay: [], ship: ['pay'] }, { name: 'pay', ...(lifecycle && { lifecycle }) });
  const { tasker, sql } = await setup({ templates, worker: false });
  const { taskUuid } = await tasker.createTask(PAY);
  if (start) await letStartLater(sql, taskUuid, 86_400);
  else await letWait(sql, { taskUuid, idx: 0, kind: 'signal', settings: { name: 'paid' } });
  const check = async (minutes: number) => {
    await age(sql, minutes);
    await sql(`update tasker.task_watch set check_at = now()`);
    return checkForStale(tasker);
  };
  return { tasker, sql, taskUuid, check };
}

/** Expects that a task that just started is late after the 20 minutes of its `max_duration_minutes`, and no earlier. */
async function expectLateAfterStart({
  tasker,
  taskUuid,
  check,
}: Pick<Awaited<ReturnType<typeof waiting>>, 'tasker' | 'taskUuid' | 'check'>) {
  expect(await check(19)).toEqual({ noted: [], ended: [] });
  expect((await check(2)).noted).toMatchObject([
    { taskUuid, reason: expect.stringContaining('not done 21 minutes after its start') },
  ]);
  expect((await tasker.why(taskUuid)).summary).toContain('not done 20 minutes after its start (max_duration_minutes)');
  expect((await tasker.deadLetters.list()).entries).toMatchObject([{ hasMovedOn: false }]);
}

describe('the limits of a lifecycle', () => {
  it('max_waiting_minutes marks a task that waits for longer as stale until the wait ends', async () => {
    const { tasker, sql, taskUuid, check } = await waiting({ max_waiting_minutes: 20 });
    expect((await check(19)).noted).toEqual([]);
    expect((await check(2)).noted).toMatchObject([
      {
        taskUuid,
        reason: expect.stringMatching(/^max_waiting_minutes of test\/pay@1\.0\.0 is 20: no progress for 21 min/),
      },
    ]);
    expect((await tasker.getTask(taskUuid)).stale).toMatchObject({ rule: 'max_waiting_minutes', minutes: 20 });
    expect(await tasker.deadLetters.list()).toMatchObject({ entries: [{ taskUuid, originalState: 'waiting' }] });
    await sql(`update tasker.wait set ended_at = now(), ended_by = 'signal'`);
    await sql('update tasker.task set n_wait = 0, n_active = 1');
    await sql(`update tasker.step set state = 'in_progress', claim = 1, started_at = now() where idx = 0`);
    expect((await tasker.getTask(taskUuid)).stale).toBeNull();
  });

  it('with staleness_action: error, end the task and its steps', async () => {
    const { tasker, taskUuid, check, sql } = await waiting({ max_waiting_minutes: 20, staleness_action: 'error' });
    expect((await check(21)).ended).toMatchObject([{ taskUuid }]);
    expect(await tasker.getTask(taskUuid)).toMatchObject({ status: 'error', waitingSteps: 0 });
    expect((await tasker.getSteps(taskUuid)).map((step) => step.currentState)).toEqual(['cancelled', 'cancelled']);
    expect(await sql('select ended_by, n_wait from tasker.wait join tasker.task using (task_uuid)')).toEqual([
      { ended_by: 'cancel', n_wait: 0 },
    ]);
    expect(await tasker.getHistory(taskUuid)).toMatchObject([
      { step: 'pay', what: 'cancelled', attempt: 1 },
      { what: 'fail', toState: 'error', who: 'lifecycle' },
    ]);
  });

  it('for other states do not apply while a task waits', async () => {
    const { tasker, taskUuid, check } = await waiting({
      max_waiting_for_dependencies_minutes: 20,
      max_steps_in_process_minutes: 20,
      max_waiting_for_retry_minutes: 20,
    });
    expect(await check(10_000)).toEqual({ noted: [], ended: [] });
    expect((await tasker.getTask(taskUuid)).status).toBe('waiting');
    expect(await tasker.deadLetters.staleness()).toMatchObject({ length: 0 });
  });

  it('for blocked tasks apply to a waiting task in which a step has failed', async () => {
    const { sql, taskUuid, check } = await waiting({ max_waiting_for_dependencies_minutes: 20 });
    await sql(`update tasker.step set state = 'error', remaining = 0, done_at = now() where idx = 1`);
    await sql('update tasker.task set n_error = 1');
    expect((await check(21)).noted).toMatchObject([{ taskUuid }]);
  });

  it('max_duration_minutes counts the time of waits', async () => {
    const { taskUuid, check } = await waiting({ max_duration_minutes: 20 });
    expect((await check(21)).noted).toMatchObject([{ taskUuid }]);
  });

  it('count from the start of a task that starts later', async () => {
    const { tasker, sql, taskUuid, check } = await waiting({ max_duration_minutes: 20 }, { start: true });
    expect(await check(10_000)).toEqual({ noted: [], ended: [] });
    await sql(`update tasker.wait set ended_at = now(), ended_by = 'elapsed'`);
    await sql('update tasker.task set n_wait = 0, n_active = 1');
    await sql(`update tasker.step set state = 'enqueued' where idx = 0`);
    await expectLateAfterStart({ tasker, taskUuid, check });
  });

  it('count from the start of a task that ran again before its start', async () => {
    const templates = template({ pay: [] }, { name: 'pay', lifecycle: { max_duration_minutes: 20 } });
    const { tasker, sql } = await setup({ templates, worker: false });
    const { taskUuid } = await tasker.createTask({ ...PAY, delayMs: 86_400_000 });
    await tasker.rerunTask(taskUuid, { from: 'pay' });
    const check = async (minutes: number) => {
      await age(sql, minutes);
      await sql(`update tasker.task set rerun_at = rerun_at - $1 * interval '1 minute'`, [minutes]);
      await sql(`update tasker.task_watch set check_at = now()`);
      return checkForStale(tasker);
    };
    expect(await check(10_000)).toEqual({ noted: [], ended: [] });
    await tasker.startTaskNow(taskUuid);
    await expectLateAfterStart({ tasker, taskUuid, check });
  });
});

it('the configured threshold for the lifetime of tasks does not include waiting time', async () => {
  const { sql, tasker, taskUuid, check } = await waiting(undefined);
  const watched = [];
  const minutes = { waitingForDependencies: 20, waitingForRetry: 20, stepsInProcess: 20 };
  await sql(`update tasker.task set created_at = now() - interval '1 day'`);
  const thresholds = { lifetime: 60, ...minutes, leastMs: 0, renew: false };
  for await (const count of tasker.engine.watchOpenTasks(thresholds)) watched.push(count);
  expect(watched).toEqual([1]);
  await sql(`update tasker.wait set since = now() - interval '1 day'`);
  expect(await check(0)).toEqual({ noted: [], ended: [] });
  await sql(`update tasker.wait set since = now()`);
  expect((await check(0)).noted).toMatchObject([{ taskUuid }]);
});

it('a task with limits starts even if the configured thresholds were applied before its start, and keeps them', async () => {
  const templates = template({ pay: [] }, { name: 'pay', lifecycle: { max_waiting_minutes: 20 } });
  const { tasker, sql } = await setup({ templates, worker: false });
  const { taskUuid } = await tasker.createTask({ ...PAY, delayMs: 86_400_000 });
  await sql(`update tasker.task set created_at = created_at - interval '1 day'`);
  const minutes = { lifetime: 60, waitingForDependencies: null, waitingForRetry: null, stepsInProcess: null };
  for await (const count of tasker.engine.watchOpenTasks({ ...minutes, leastMs: 0, renew: false }))
    expect(count).toBe(1);
  await tasker.startTaskNow(taskUuid);
  expect((await tasker.getTask(taskUuid)).startsAt).toBeNull();
  expect(await sql('select thresholds from tasker.task_watch')).toEqual([{ thresholds: [60, null, null, null] }]);
});

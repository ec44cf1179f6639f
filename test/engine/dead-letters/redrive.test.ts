import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { openSession } from '../../support/database.ts';
import { BLOCKING, blockedTasks, blockingTasker, look, untilIn } from '../../support/dead-letters.ts';
import { age, checkForStale } from '../../support/lifecycle.ts';
import { DEMO, deferred, invariants, setup, states, template, until } from '../../support/setup.ts';

const BY = { actor: 'anna', reason: 'the bank is back' };

describe('redriving a dead letter', () => {
  it('retries the failed steps of an open task with a full set of attempts, and closes the entry', async () => {
    const { tasker, repair, sql } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    const { dlqEntryUuid } = await tasker.deadLetters.get(taskUuid!);
    repair();
    expect(await tasker.deadLetters.redrive(dlqEntryUuid, BY)).toEqual({
      taskUuid,
      dlqEntryUuid,
      how: 'retried',
      steps: ['charge'],
      statusBefore: 'blocked_by_failures',
      status: 'steps_in_process',
    });
    expect((await tasker.waitForTask(taskUuid!, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await tasker.deadLetters.get(taskUuid!)).toMatchObject({
      resolutionStatus: 'manually_resolved',
      resolvedBy: 'anna',
      resolutionNotes: 'redriven: the bank is back',
    });
    expect((await look(tasker)).closed).toEqual([]);
    const acts = (await tasker.audit({ task: taskUuid! })).entries.map(({ action }) => action);
    expect(acts.filter((action) => action.startsWith('dlq_')).sort()).toEqual([
      'dlq_add',
      'dlq_redrive',
      'dlq_resolve',
    ]);
    await invariants(sql);
  });

  it.each(['cancel', 'resolve'] as const)('reopens a task that was ended by %s', async (act) => {
    const { tasker, repair, sql } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await (act === 'cancel' ? tasker.cancelTask(taskUuid!) : tasker.resolveTask(taskUuid!));
    await tasker.deadLetters.add(taskUuid!, { reason: 'was that right?' });
    repair();
    const done = await tasker.deadLetters.redrive(taskUuid!, BY);
    expect(done).toMatchObject({ how: 'reopened', steps: ['charge', 'ship'], status: 'steps_in_process' });
    const task = await tasker.waitForTask(taskUuid!, { timeoutMs: 20_000 });
    expect(task).toMatchObject({ status: 'complete', reruns: 1 });
    expect(await states(tasker, taskUuid!)).toEqual({ charge: 'complete', ship: 'complete' });
    expect((await tasker.getStep(taskUuid!, 'charge')).attempts).toBe(1);
    await invariants(sql);
  });

  it('reopens a task that its lifecycle ended, and the limits of the task start again', async () => {
    const lifecycle = { max_duration_minutes: 20, staleness_action: 'error' };
    const { tasker, sql } = await setup({ templates: [template({ a: [] }, { lifecycle })], worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    await age(sql, 21);
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid }]);
    await tasker.deadLetters.add(taskUuid);
    expect(await tasker.deadLetters.redrive(taskUuid)).toMatchObject({ how: 'reopened', statusBefore: 'error' });
    expect((await checkForStale(tasker)).ended).toEqual([]);
    expect((await tasker.getTask(taskUuid)).completedAt).toBeNull();
    await age(sql, 21);
    await sql(`update tasker.task set rerun_at = rerun_at - interval '21 minutes'`);
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid }]);
    await invariants(sql);
  });

  it('starts a step that waits for a retry immediately', async () => {
    const later = defineHandler('later', {}, () =>
      StepHandlerResult.failure({ message: 'closed', retryAfter: 36_000 }),
    );
    const { tasker } = await setup({ templates: [template({ later: [] })], handlers: [later], logger: silentLogger });
    const { taskUuid } = await tasker.createTask(DEMO);
    await untilIn(tasker, [taskUuid], 'waiting_for_retry');
    await tasker.deadLetters.add(taskUuid);
    expect(await tasker.deadLetters.redrive(taskUuid)).toMatchObject({ how: 'retried', steps: ['later'] });
    await until(
      () => tasker.getStep(taskUuid, 'later'),
      ({ attempts }) => attempts === 2,
    );
  });

  it('is rejected with nothing_failed if the task makes progress, waits for a worker, or is complete', async () => {
    const gate = deferred();
    const busy = defineHandler('busy', {}, () => gate.promise);
    const { tasker } = await setup({ templates: [template({ busy: [] })], handlers: [busy], logger: silentLogger });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => states(tasker, taskUuid),
      ({ busy: state }) => state === 'in_progress',
    );
    await tasker.deadLetters.add(taskUuid);
    await expect(tasker.deadLetters.redrive(taskUuid)).rejects.toMatchObject({
      code: 'nothing_failed',
      message: expect.stringContaining('it is in steps_in_process, and nothing failed'),
      details: { task_uuid: taskUuid, status: 'steps_in_process' },
    });
    expect((await tasker.deadLetters.get(taskUuid)).resolutionStatus).toBe('pending');
    gate.resolve();
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await expect(tasker.deadLetters.redrive(taskUuid)).rejects.toMatchObject({
      code: 'nothing_failed',
      message: expect.stringContaining('it is complete'),
    });
    await expect(tasker.deadLetters.redrive('0198aaaa-0000-7000-8000-000000000000')).rejects.toMatchObject({
      code: 'dead_letter_not_found',
    });
  });

  it('runs the task once if two operators do it concurrently', async () => {
    const { tasker, another, sql } = await blockingTasker();
    const other = await another({ worker: false });
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    await tasker.stop();
    const outcomes = await Promise.allSettled([
      other.deadLetters.redrive(taskUuid!),
      other.deadLetters.redrive(taskUuid!),
      other.rerunTask(taskUuid!, { from: 'charge' }),
    ]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1);
    expect(await states(other, taskUuid!)).toEqual({ charge: 'enqueued', ship: 'pending' });
    expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 1 }]);
    await invariants(sql);
  });

  it('waits while the task is paused, and runs when the pause ends', async () => {
    const { tasker, repair } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    repair();
    await tasker.pause({ task: taskUuid! });
    await tasker.deadLetters.redrive(taskUuid!);
    expect(await states(tasker, taskUuid!)).toEqual({ charge: 'enqueued', ship: 'pending' });
    await tasker.resume({ task: taskUuid! });
    expect((await tasker.waitForTask(taskUuid!, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('causes no deadlock and no wrong counter if it races with checks, reruns and cancellations', async () => {
    const { tasker, another, sql } = await blockingTasker();
    const others = [await another({ worker: false }), await another({ worker: false })];
    const ids = await blockedTasks(tasker, 40);
    await look(tasker);
    const acts = ids.flatMap((taskUuid, i) => [
      others[i % 2]!.deadLetters.redrive(taskUuid),
      others[(i + 1) % 2]!.rerunTask(taskUuid, { from: 'charge' }),
      i % 4 === 0 ? tasker.cancelTask(taskUuid) : tasker.deadLetters.assign(taskUuid, 'ann'),
    ]);
    const looks = Array.from({ length: 6 }, (_, i) => look(others[i % 2]!));
    const outcomes = await Promise.allSettled([...acts, ...looks]);
    const refused = outcomes.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as { code: string }).code] : [],
    );
    expect(refused.filter((code) => !['nothing_failed', 'illegal_transition'].includes(code))).toEqual([]);
    await until(
      async () => (await tasker.engine.getTasks(ids)).map((task) => task.status),
      (seen) => seen.every((status) => status === 'blocked_by_failures' || status === 'cancelled'),
    );
    await invariants(sql);
    const twice = await sql(
      `select task_uuid from tasker.dead_letter where status = 'pending' group by 1 having count(*) > 1`,
    );
    expect(twice).toEqual([]);
  });
});

describe('redriving many dead letters', () => {
  it('by a filter is a bulk action with a preview, and closes the entries', async () => {
    const other = { ...BLOCKING, name: 'other' };
    const { tasker, repair, sql } = await blockingTasker({ templates: [BLOCKING, other] });
    const ids = await blockedTasks(tasker, 6);
    const others = await blockedTasks(tasker, 2, 'other');
    await look(tasker);
    await tasker.deadLetters.assign(ids[0]!, 'payments');
    repair();
    const act = tasker.deadLetters.redriveAll({ name: 'demo', unassigned: true }, BY);
    expect(await act.preview()).toMatchObject({ action: 'task_redrive', matched: 5, steps: 5, notRetryable: 0 });
    const report = await act.result();
    expect(report).toMatchObject({ action: 'task_redrive', matched: 5, done: 5, skipped: [], failed: [] });
    for (const taskUuid of ids.slice(1)) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    }
    const { entries } = await tasker.deadLetters.list();
    expect(entries.map((entry) => entry.taskUuid).sort()).toEqual([ids[0]!, ...others].sort());
    const closed = (await tasker.deadLetters.list({ status: 'manually_resolved' })).entries;
    expect(new Set(closed.map((entry) => entry.resolutionNotes))).toEqual(new Set(['redriven: the bank is back']));
    expect((await tasker.audit({ bulk: report.id, action: 'dlq_redrive' })).entries).toHaveLength(5);
    await invariants(sql);
  });

  it('accepts conditions on tasks, such as an error type', async () => {
    const { tasker } = await blockingTasker();
    await blockedTasks(tasker, 3);
    await look(tasker);
    const matched = async (filter: Parameters<typeof tasker.deadLetters.redriveAll>[0]) => {
      const act = tasker.deadLetters.redriveAll(filter);
      const { matched: count } = await act.preview();
      await act.discard();
      return count;
    };
    expect(await matched({ errorType: 'card_unknown' })).toBe(3);
    expect(await matched({ errorType: 'timeout' })).toBe(0);
    expect(await matched({ all: true })).toBe(3);
    expect(await matched({ dlqReason: 'manual_dlq' })).toBe(0);
    expect(await matched({ namespace: 'nowhere' })).toBe(0);
    expect(await matched({ addedBefore: '1h' })).toBe(0);
    await expect(matched({})).rejects.toMatchObject({ code: 'bad_request' });
    await expect(matched({ errorTyp: 'x' } as never)).rejects.toMatchObject({ message: /did you mean errorType/ });
  });

  it('skips tasks whose entry got another assignee after the selection', async () => {
    const { tasker } = await blockingTasker();
    const [kept, moved] = await blockedTasks(tasker, 2);
    await look(tasker);
    for (const id of [kept!, moved!]) await tasker.deadLetters.assign(id, 'anna');
    const act = tasker.deadLetters.redriveAll({ assignee: 'anna' }, BY);
    expect(await act.preview()).toMatchObject({ matched: 2 });
    await tasker.deadLetters.assign(moved!, 'ben');
    expect(await act.result()).toMatchObject({ done: 1, skipped: [{ taskUuid: moved }] });
  });

  it('by id skips tasks without an open entry and tasks that make progress', async () => {
    const { tasker, repair, another, sql } = await blockingTasker();
    const [blocked, resolved, cancelled, waiting] = await blockedTasks(tasker, 4);
    await look(tasker);
    await tasker.deadLetters.resolve(resolved!);
    await tasker.cancelTask(cancelled!);
    await tasker.deadLetters.add(cancelled!);
    await tasker.stop();
    const other = await another({ worker: false });
    await other.retryTask(waiting!);
    await look(other);
    await other.deadLetters.add(waiting!);
    const ids = [blocked!, resolved!, cancelled!, waiting!];
    const { done, skipped, failed } = await other.deadLetters.redriveAll({ ids }, BY).result();
    expect({ done, failed }).toEqual({ done: 2, failed: [] });
    expect(Object.fromEntries(skipped.map(({ taskUuid, why }) => [taskUuid, why]))).toEqual({
      [resolved!]: 'it has no open dead letter that meets the conditions now',
      [waiting!]: expect.stringContaining('it is in steps_in_process, and nothing failed'),
    });
    expect(await states(other, blocked!)).toMatchObject({ charge: 'enqueued' });
    expect(await other.getTask(cancelled!)).toMatchObject({ status: 'steps_in_process', reruns: 1 });
    repair();
    await invariants(sql);
  });

  it('continues after a kill, and redrives no task twice', async () => {
    const { tasker, another, sql } = await blockingTasker();
    await blockedTasks(tasker, 250);
    await look(tasker);
    await tasker.stop();
    const other = await another({ worker: false });
    const act = other.deadLetters.redriveAll({ all: true });
    const { id } = await act.preview();
    for await (const { done } of act) if (done > 0) break;
    const before = await sql<{ n: number }>(
      `select count(*)::int n from tasker.operator_action where action = 'dlq_redrive'`,
    );
    expect(before[0]!.n).toBeGreaterThan(0);
    const report = await other.bulk.resume(id).result();
    expect(report).toMatchObject({ done: 250, skippedCount: 0, failedCount: 0 });
    expect(
      await sql(
        `select count(*)::int n, count(distinct task_uuid)::int m from tasker.operator_action where action = 'dlq_redrive'`,
      ),
    ).toEqual([{ n: 250, m: 250 }]);
    await invariants(sql);
  });

  it('retries a locked task later', async () => {
    const { tasker, url } = await blockingTasker();
    const ids = await blockedTasks(tasker, 2);
    await look(tasker);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task where task_uuid = $1 for update', [ids[0]]);
    const result = tasker.deadLetters.redriveAll({ ids }).result();
    await until(
      () => tasker.deadLetters.get(ids[1]!),
      ({ resolutionStatus }) => resolutionStatus === 'manually_resolved',
    );
    await session.query('rollback');
    expect(await result).toMatchObject({ done: 2 });
  });
});

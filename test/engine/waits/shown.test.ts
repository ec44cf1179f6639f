import { describe, expect, it, onTestFinished } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { look } from '../../support/dead-letters.ts';
import { deferred, invariants, setup, template, until } from '../../support/setup.ts';
import { letStartLater, letWait } from '../../support/waits/waits.ts';

const PAY = { namespace: 'test', name: 'pay' };
const TEMPLATES = template({ pay: [], ship: ['pay'] }, { name: 'pay' });
const FAILING = template(
  { pay: [], charge: [], ship: ['pay', 'charge'] },
  { name: 'charging', lifecycle: { on_blocked: 'dlq' } },
);

async function waiting(wait: Partial<Parameters<typeof letWait>[1]> = {}) {
  const { tasker, sql, another } = await setup({ templates: TEMPLATES, worker: false });
  const { taskUuid } = await tasker.createTask(PAY);
  const settings = { name: 'payment_received', count: 1 };
  await letWait(sql, { taskUuid, idx: 0, kind: 'signal', forSeconds: 7 * 86_400, settings, ...wait });
  await refresh(tasker);
  return { tasker, sql, taskUuid, another };
}

/** Writes the search tables, which do not reflect changes that a test made with SQL. */
function refresh(tasker: Tasker): Promise<number> {
  return tasker.engine.search.keeper.compare(new Date(0), 0);
}

/** A task with a failed step and a waiting step. */
async function failedBeside() {
  const charge = defineHandler('charge', {}, () => {
    throw new PermanentError('card declined');
  });
  const gate = deferred();
  onTestFinished(() => gate.resolve());
  const pay = defineHandler('pay', {}, () => gate.promise);
  const { tasker, sql } = await setup({ templates: FAILING, handlers: [charge, pay], logger: silentLogger });
  const { taskUuid } = await tasker.createTask({ ...PAY, name: 'charging' });
  await until(
    () => tasker.getStep(taskUuid, 'charge'),
    (step) => step.currentState === 'error',
  );
  await until(
    () => tasker.getStep(taskUuid, 'pay'),
    (step) => step.currentState === 'in_progress',
  );
  await letWait(sql, { taskUuid, idx: 0, kind: 'signal', settings: { name: 'payment_received' } });
  await refresh(tasker);
  return { tasker, sql, taskUuid };
}

describe('a task whose only open step waits', () => {
  it('is in waiting, and its step shows the wait', async () => {
    const { tasker, taskUuid, sql } = await waiting();
    expect(await tasker.getTask(taskUuid)).toMatchObject({
      status: 'waiting',
      executionStatus: 'processing',
      recommendedAction: 'wait_for_completion',
      healthStatus: 'healthy',
      totalSteps: 2,
      pendingSteps: 1,
      inProgressSteps: 0,
      waitingSteps: 1,
      startsAt: null,
    });
    const [pay, ship] = await tasker.getSteps(taskUuid);
    expect(pay).toMatchObject({
      currentState: 'waiting',
      wait: { kind: 'signal', calls: 0, settings: { name: 'payment_received', count: 1 }, progress: {} },
    });
    expect(Date.parse(pay!.wait!.until!) - Date.parse(pay!.wait!.since)).toBe(7 * 86_400_000);
    expect(pay!.wait!.dueAt).toBe(pay!.wait!.until);
    expect(ship).toMatchObject({ currentState: 'pending', wait: null });
    await expect(invariants(sql)).resolves.toBeUndefined();
  });

  it('is found by its state, by the state of its step, and by no other state', async () => {
    const { tasker, taskUuid } = await waiting();
    const found = async (filter: Parameters<Tasker['listTasks']>[0]) =>
      (await tasker.listTasks(filter as object, {})).tasks.map((task) => task.taskUuid);
    expect(await found({ status: 'waiting' })).toEqual([taskUuid]);
    expect(await found({ stepState: 'waiting' } as object)).toEqual([taskUuid]);
    expect(await found({ open: true } as object)).toEqual([taskUuid]);
    for (const status of ['pending', 'steps_in_process', 'waiting_for_retry', 'blocked_by_failures']) {
      expect(await found({ status })).toEqual([]);
    }
    expect((await tasker.listTasks({ status: 'waiting' })).map((task) => task.taskUuid)).toEqual([taskUuid]);
    const { steps } = await tasker.listSteps({ stepState: 'waiting' });
    const { wait } = await tasker.getStep(taskUuid, 'pay');
    expect(steps).toMatchObject([{ taskUuid, name: 'pay', currentState: 'waiting', since: wait!.since, worker: null }]);
  });

  it('has the same state in the search tables, so a comparison finds no difference', async () => {
    const { tasker, sql, taskUuid } = await waiting();
    expect(await refresh(tasker)).toBe(0);
    await sql(`update tasker.wait set ended_at = now(), ended_by = 'signal'`);
    await sql(`update tasker.task set n_wait = 0, n_active = 1`);
    await sql(`update tasker.step set state = 'enqueued' where state = 'waiting'`);
    expect(await refresh(tasker)).toBe(1);
    expect((await tasker.listTasks({ status: 'steps_in_process' }, {})).tasks).toMatchObject([{ taskUuid }]);
    expect((await tasker.listSteps({ stepState: 'waiting' })).steps).toEqual([]);
  });

  it('is counted as waiting in the status, the summary, the statistics and the metrics', async () => {
    const { tasker, sql } = await waiting();
    const status = await tasker.status();
    expect(status).toMatchObject({ open: { waiting: 1 }, attention: { blocked: 0, lateTimers: 0 } });
    expect(status.waits).toEqual([
      { kind: 'signal', count: 1, countIsExact: true, oldestSince: expect.stringMatching(/^2/) },
    ]);
    expect((await tasker.summarizeTasks({})).states).toEqual({ waiting: 1 });
    expect((await tasker.analytics({})).open).toEqual({
      total: 1,
      totalIsExact: true,
      blocked: 0,
      waitingForRetry: 0,
      waiting: 1,
    });
    const text = await tasker.metrics.text();
    expect(text).toContain('tasker_tasks_open{namespace="test",state="waiting"} 1');
    expect(text).toContain('tasker_waiting_steps{kind="signal"} 1');
    expect(text).toContain('tasker_waiting_steps{kind="timer"} 0');
    expect(text).toContain('tasker_late_timers 0');
    await sql(`update tasker.wait set since = now() - interval '1 hour', due_at = now() - interval '6 seconds'`);
    expect(await tasker.status()).toMatchObject({ attention: { lateTimers: 1 } });
  });

  it('is not at rest, so waitForTask and watchTask continue', async () => {
    const { tasker, taskUuid } = await waiting();
    await expect(tasker.waitForTask(taskUuid, { timeoutMs: 1_300 })).rejects.toMatchObject({ code: 'timeout' });
    const snapshots = [];
    for await (const snapshot of tasker.watchTask(taskUuid, { signal: AbortSignal.timeout(700) }))
      snapshots.push(snapshot);
    expect(snapshots.map(({ task }) => task.status)).toEqual(['waiting']);
  });
});

describe('why explains a wait', () => {
  it.each([
    [
      { kind: 'signal', settings: { name: 'payment_received' }, forSeconds: 6.5 * 86_400 },
      /^has waited \d+ (ms|s) for signal payment_received, times out in 6 d 12 h; send it: `tasker signal send TASK payment_received`$/,
    ],
    [
      { kind: 'signal', settings: { name: "it's paid", count: 3 }, progress: { signals: 1 }, forSeconds: null },
      /^has waited .* for 3 signals it's paid \(1 received\), without a timeout; send it: `tasker signal send TASK 'it'\\''s paid'`$/,
    ],
    [
      { kind: 'signal', settings: { name: 'paid', on_timeout: 'complete' }, forSeconds: 7_200 },
      /, completes with its default in 2 h; send it/,
    ],
    [
      { kind: 'timer', settings: { due: 'for 3d' }, forSeconds: 3 * 86_400 + 60 },
      /^has waited .* for its time \(for 3d\), due in 3 d; fire it now: `tasker timer fire TASK pay`$/,
    ],
    [
      {
        kind: 'approval',
        settings: { title: 'Ship it?', assignees: ['ann', 'ops'], quorum: 2 },
        forSeconds: 3_700,
      },
      /^has waited .* for the approval "Ship it\?", times out in 1 h 2 min; needs 2 approvals of ann, ops; vote: `tasker approval approve TASK pay --by NAME --role ROLE`, where NAME or ROLE is an assignee$/,
    ],
    [
      { kind: 'completion', forSeconds: 90 },
      /^has waited .* for its completion by another system, times out in 1 min; its token completes it; complete it by hand: `tasker step complete TASK pay`$/,
    ],
    [
      { kind: 'call', forSeconds: 90 },
      /^has waited .* for its next call \(0 so far\), called again in 1 min; complete it by hand: `tasker step complete TASK pay`$/,
    ],
    [
      { kind: 'timer', forSeconds: -60 },
      /due now, 1 min late; no running worker serves its namespace: start one; fire/,
    ],
  ])('why explains the wait %j', async (wait, sentence) => {
    const { tasker, taskUuid } = await waiting({ settings: {}, ...wait } as object);
    const { summary, steps } = await tasker.why(taskUuid);
    const why = steps[0]!.why.replaceAll(taskUuid, 'TASK');
    expect(why).toMatch(sentence);
    expect(summary.replaceAll(taskUuid, 'TASK')).toBe(`pay ${why}`);
    expect(steps[0]).toMatchObject({ state: 'waiting', heldBy: null, wait: { kind: wait.kind } });
    expect(steps[1]!.why).toBe('waits for pay');
  });
});

describe('a task with a wait and a failed step', () => {
  it('is in waiting, but is listed among the tasks that need a person', async () => {
    const { tasker, taskUuid } = await failedBeside();
    expect(await tasker.getTask(taskUuid)).toMatchObject({
      status: 'waiting',
      executionStatus: 'blocked_by_failures',
      recommendedAction: 'handle_failures',
      healthStatus: 'blocked',
    });
    expect(await tasker.status()).toMatchObject({
      open: { waiting: 1 },
      attention: { blocked: 1 },
    });
    const { tasks } = await tasker.listTasks({ stepState: 'error' }, {});
    expect(tasks).toMatchObject([{ taskUuid, firstError: { step: 'charge', message: 'card declined' } }]);
    expect((await tasker.why(taskUuid)).summary).toMatch(
      /^pay has waited .* for signal .*; charge failed permanently: an operator must act on it/,
    );
    expect((await tasker.summarizeTasks({})).failed).toMatchObject({ steps: 1 });
  });

  it('becomes a dead letter with its state if its template has on_blocked: dlq', async () => {
    const { tasker, taskUuid, sql } = await failedBeside();
    // The worker may have checked the task before.
    await look(tasker);
    const { entries } = await tasker.deadLetters.list();
    expect(entries).toMatchObject([{ taskUuid, originalState: 'waiting', currentState: 'waiting', hasMovedOn: false }]);
    expect((await look(tasker)).added).toEqual([]);
    await sql(`update tasker.wait set ended_at = now(), ended_by = 'operator'`);
    await look(tasker);
    expect((await tasker.deadLetters.list()).entries).toEqual([]);
    const { resolutionStatus } = await tasker.deadLetters.get(entries[0]!.dlqEntryUuid);
    expect(resolutionStatus).not.toBe('pending');
  });
});

describe('a task that waits for its start', () => {
  it('is pending, shows when it starts, and is found as pending', async () => {
    const { tasker, sql } = await setup({ templates: TEMPLATES, worker: false });
    const { taskUuid } = await tasker.createTask(PAY);
    await letStartLater(sql, taskUuid, 3 * 86_400 + 60);
    await refresh(tasker);
    expect(await refresh(tasker)).toBe(0);
    const task = await tasker.getTask(taskUuid);
    expect(task).toMatchObject({ status: 'pending', executionStatus: 'waiting_for_dependencies', waitingSteps: 0 });
    expect(Date.parse(task.startsAt!) - Date.now()).toBeGreaterThan(3 * 86_400_000);
    const of = async (status: string) => (await tasker.listTasks({ status }, {})).tasks.length;
    expect([await of('pending'), await of('steps_in_process'), await of('waiting')]).toEqual([1, 0, 0]);
    expect(await tasker.listTasks({ status: 'pending' })).toHaveLength(1);
    expect(await tasker.status()).toMatchObject({ open: { pending: 1 }, waits: [{ kind: 'start', count: 1 }] });
    const { summary, steps } = await tasker.why(taskUuid);
    expect(summary).toBe(
      `starts in 3 d, at ${task.startsAt!.slice(0, 19)}Z; start it now: \`tasker task start-now ${taskUuid}\``,
    );
    expect(steps.map((step) => step.why)).toEqual([
      `waits for the start of its task, at ${task.startsAt!.slice(0, 19)}Z`,
      'waits for pay',
    ]);
    await sql(`update tasker.wait set until = now() - interval '1 minute'`);
    expect((await tasker.why(taskUuid)).summary).toMatch(/^was due to start 1 min ago, at /);
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import {
  age,
  checkForStale,
  firstCheck,
  LIMITS,
  type Limit,
  OPEN_STATES,
  tasksUnderLimits,
} from '../support/lifecycle.ts';
import { DEMO, deferred, invariants, setup, states, template } from '../support/setup.ts';
import { sharedWaitingBenches } from '../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();
const taskUnderLimit = tasksUnderLimits(waitingBench);

const reasonOf = (limit: Limit, minutes: number, namespace = 'test') =>
  limit === 'max_duration_minutes'
    ? `${limit} of ${namespace}/demo@1.0.0 is 20: not done ${minutes} minutes after its creation`
    : expect.stringMatching(`^${limit} of ${namespace}/demo@1.0.0 is 20: no progress for ${minutes} minutes, since 20`);

describe.each(LIMITS)('a task with the limit %s', (limit) => {
  it('a task below the limit is neither ended nor noted', async () => {
    const { tasker, sql, taskUuid, state } = await taskUnderLimit(limit, { staleness_action: 'error' });
    await age(sql, 19, taskUuid);
    expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
    expect(await tasker.getTask(taskUuid)).toMatchObject({ status: state, stale: null });
  });

  it('with staleness_action error, a task over the limit ends in error, and its open steps are cancelled', async () => {
    const { tasker, sql, namespace, taskUuid, state } = await taskUnderLimit(limit, { staleness_action: 'error' });
    const waiting = tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await age(sql, 21, taskUuid);
    const { ended, noted } = await checkForStale(tasker);
    expect(ended).toEqual([{ taskUuid, reason: reasonOf(limit, 21, namespace) }]);
    expect(noted).toEqual([]);
    if (state !== 'blocked_by_failures') expect((await waiting).status).toBe('error');
    expect(await tasker.getTask(taskUuid)).toMatchObject({
      status: 'error',
      completedAt: expect.stringMatching(/^20/),
      stale: null,
    });
    expect(await states(tasker, taskUuid)).toEqual({ first: 'cancelled', next: 'cancelled' });
    expect((await tasker.getHistory(taskUuid)).at(-1)).toMatchObject({
      step: null,
      kind: 'operator',
      what: 'fail',
      toState: 'error',
      who: 'lifecycle',
      why: reasonOf(limit, 21, namespace),
    });
    expect((await tasker.why(taskUuid)).summary).toMatch(
      `was ended by its lifecycle: ${limit} of ${namespace}/demo@1.0.0`,
    );
    expect(await sql('select * from tasker.task_watch')).toEqual([]);
    await invariants(sql);
  });

  it.each([{}, { staleness_action: 'dlq' }, { staleness_action: 'none', auto_dlq_on_timeout: true }])(
    'with %j, a task over the limit is noted once and continues',
    async (lifecycle) => {
      const { tasker, sql, namespace, taskUuid, state } = await taskUnderLimit(limit, lifecycle);
      expect(await tasker.listTasks({ stale: true })).toEqual([]);
      await age(sql, 25, taskUuid);
      expect(await checkForStale(tasker)).toEqual({
        ended: [],
        noted: [{ taskUuid, reason: reasonOf(limit, 25, namespace) }],
      });
      const stale = {
        rule: limit,
        minutes: 20,
        since: expect.stringMatching(/^20/),
        at: expect.stringMatching(/^20/),
      };
      expect(await tasker.getTask(taskUuid)).toMatchObject({ status: state, stale });
      expect(await tasker.listTasks({ stale: true })).toMatchObject([{ taskUuid, stale }]);
      expect((await tasker.why(taskUuid)).summary).toMatch(
        new RegExp(
          `; it is stale: .*\\(${limit}\\); it is in the dead letters \\(\\w+\\) since .*, and has no assignee$`,
        ),
      );

      await age(sql, 90, taskUuid);
      expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
      const notes = (await tasker.getHistory(taskUuid)).filter((entry) => entry.what === 'note');
      expect(notes).toMatchObject([{ who: 'lifecycle', toState: OPEN_STATES[limit].state }]);
    },
  );

  it('with staleness_action none, a task over the limit is neither ended nor noted', async () => {
    const { tasker, sql, taskUuid, state } = await taskUnderLimit(limit, { staleness_action: 'none' });
    await age(sql, 10_000, taskUuid);
    expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
    expect(await tasker.getTask(taskUuid)).toMatchObject({ status: state, stale: null });
    expect(await sql('select * from tasker.task_watch')).toEqual([]);
  });
});

describe('the switches of a lifecycle', () => {
  it.each([
    [{ auto_fail_on_timeout: true }, 'error'],
    [{ auto_fail_on_timeout: true, auto_dlq_on_timeout: true }, 'error'],
    [{ staleness_action: 'none', auto_fail_on_timeout: true }, 'error'],
    [{ staleness_action: 'error', auto_fail_on_timeout: false, auto_dlq_on_timeout: true }, 'noted'],
    [{ staleness_action: 'error', auto_fail_on_timeout: false }, 'nothing'],
    [{ staleness_action: 'dlq', auto_dlq_on_timeout: false }, 'nothing'],
  ])('with the switches %j, the outcome of a task over its limit is: %s', async (lifecycle, outcome) => {
    const limited = { lifecycle: { max_duration_minutes: 5, ...lifecycle } };
    const { tasker, sql, create } = await waitingBench({ a: [] }, limited);
    await create();
    await age(sql, 6);
    const { ended, noted } = await checkForStale(tasker);
    expect(ended.length > 0 ? 'error' : noted.length > 0 ? 'noted' : 'nothing').toBe(outcome);
  });
});

it('a task whose handler saves checkpoints is not stale', async () => {
  const limit = 'max_steps_in_process_minutes';
  const [started, next, saved, gate] = [deferred(), deferred(), deferred(), deferred()];
  onTestFinished(() => gate.resolve());
  const first = defineHandler('first', {}, async ({ context }) => {
    started.resolve();
    await next.promise;
    await context.checkpoint({ cursor: 1 });
    saved.resolve();
    await gate.promise;
  });
  const { tasker, sql } = await setup({
    templates: [template({ first: [] }, { lifecycle: { [limit]: 20, staleness_action: 'error' } })],
    handlers: [first],
  });
  await firstCheck(tasker);
  const { taskUuid } = await tasker.createTask(DEMO);
  await started.promise;
  await age(sql, 19, taskUuid);
  next.resolve();
  await saved.promise;
  await age(sql, 19, taskUuid);
  expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
  await age(sql, 2, taskUuid);
  expect((await checkForStale(tasker)).ended).toEqual([{ taskUuid, reason: reasonOf(limit, 21) }]);
});

import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { blockedTasks, blockingTasker, look } from '../../support/dead-letters.ts';
import {
  age,
  checkForStale,
  firstCheck,
  LIMITS,
  taskUnderLimit as taskOfWorker,
  tasksUnderLimits,
} from '../../support/lifecycle.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';
import { sharedWaitingBenches } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();
const taskUnderLimit = tasksUnderLimits(waitingBench);

describe.each(LIMITS)('a task that exceeds %s', (limit) => {
  it('becomes a dead letter once with the limit as its cause, and its progress closes the entry', async () => {
    const { tasker, sql, namespace, taskUuid, state } = await taskUnderLimit(limit, {});
    await age(sql, 19, taskUuid);
    await checkForStale(tasker);
    expect((await tasker.deadLetters.list()).entries).toEqual([]);
    await age(sql, 6, taskUuid);
    await checkForStale(tasker);
    const { entries } = await tasker.deadLetters.list();
    expect(entries).toMatchObject([
      {
        taskUuid,
        dlqReason: 'staleness_timeout',
        originalState: state,
        cause: expect.stringContaining(`${limit} of ${namespace}/demo`),
      },
    ]);
    const { taskSnapshot } = await tasker.deadLetters.get(taskUuid);
    expect(taskSnapshot).toMatchObject({ threshold_minutes: 20, current_state: state, time_in_state_minutes: 25 });
    await checkForStale(tasker);
    expect((await look(tasker)).closed).toEqual([]);
    await tasker.cancelTask(taskUuid);
    expect((await look(tasker)).closed).toEqual([taskUuid]);
  });

  it('is not added again for the same standstill after an operator closed its entry', async () => {
    const { tasker, sql, taskUuid } = await taskUnderLimit(limit, {});
    await age(sql, 25, taskUuid);
    await checkForStale(tasker);
    await tasker.deadLetters.resolve(taskUuid);
    await sql(`update tasker.task_watch set check_at = now()`);
    await checkForStale(tasker);
    expect((await tasker.deadLetters.list()).entries).toEqual([]);
  });
});

it('a task that exceeds its duration keeps its entry while its steps run, until it ends', async () => {
  const { tasker, sql, taskUuid } = await taskUnderLimit('max_duration_minutes', {});
  await age(sql, 25, taskUuid);
  await checkForStale(tasker);
  await sql('update tasker.step set started_at = now()');
  expect((await look(tasker)).closed).toEqual([]);
  await tasker.cancelTask(taskUuid);
  expect((await look(tasker)).closed).toEqual([taskUuid]);
});

it.each([{ staleness_action: 'none' }, { staleness_action: 'error' }, { auto_dlq_on_timeout: false }])(
  'with %j, a task over a limit does not become a dead letter',
  async (lifecycle) => {
    const { tasker, sql, taskUuid } = await taskUnderLimit('max_waiting_for_retry_minutes', lifecycle);
    await age(sql, 25, taskUuid);
    await checkForStale(tasker);
    expect((await tasker.deadLetters.list()).entries).toEqual([]);
  },
);

it('a stale task without an entry gets one at the next check', async () => {
  const { tasker, sql, taskUuid } = await taskUnderLimit('max_waiting_for_retry_minutes', {});
  await age(sql, 25, taskUuid);
  await checkForStale(tasker);
  await sql('delete from tasker.dead_letter');
  await sql('update tasker.task_watch set check_at = now()');
  expect((await checkForStale(tasker)).noted).toEqual([]);
  expect((await tasker.deadLetters.list()).entries).toMatchObject([{ taskUuid }]);
});

it('a task that is blocked and then exceeds a limit has one entry', async () => {
  const both = template(
    { charge: { handler: 'broken' } },
    { lifecycle: { on_blocked: 'dlq', max_waiting_for_dependencies_minutes: 20 } },
  );
  const { tasker, sql } = await blockingTasker({ templates: [both] });
  const [taskUuid] = await blockedTasks(tasker, 1);
  await look(tasker);
  await age(sql, 25, taskUuid!);
  await sql(`update tasker.dead_letter set moved_at = moved_at - interval '25 minutes'`);
  expect((await checkForStale(tasker)).noted).toMatchObject([{ taskUuid }]);
  expect((await tasker.deadLetters.list({ status: 'all' })).entries).toMatchObject([
    { dlqReason: 'max_retries_exceeded' },
  ]);
});

it('the time in which a task is paused does not count towards its limits', async () => {
  const { tasker, sql, taskUuid } = await taskOfWorker('max_waiting_for_retry_minutes', {});
  await tasker.pause({ task: taskUuid });
  await age(sql, 25, taskUuid);
  await sql(`update tasker.pause set paused_at = paused_at - interval '25 minutes'`);
  await checkForStale(tasker);
  expect((await tasker.deadLetters.list()).entries).toEqual([]);
  const [task] = await tasker.deadLetters.staleness();
  expect(task).toMatchObject({ taskUuid, healthStatus: 'healthy', timeInStateMinutes: 0 });
});

describe('a ready step that no live worker can run', () => {
  const limits = { max_waiting_for_dependencies_minutes: 20, max_steps_in_process_minutes: 20 };

  it('makes its task a dead letter with worker_unavailable when the limit is exceeded', async () => {
    const { tasker, sql, create } = await waitingBench({ a: [] }, { lifecycle: limits });
    await sql('delete from tasker.worker');
    const taskUuid = await create();
    await age(sql, 21);
    await checkForStale(tasker);
    expect((await tasker.deadLetters.list()).entries).toMatchObject([
      {
        taskUuid,
        dlqReason: 'worker_unavailable',
        cause: expect.stringMatching(/; no live worker can run its ready steps$/),
        priorityScore: 50,
      },
    ]);
  });

  it.each([
    ['lacks the handler', `callables = '{other}'`, 'worker_unavailable'],
    ['serves another namespace', `callables = '{a}', namespaces = '{shop}'`, 'worker_unavailable'],
    ['is draining', `callables = '{a}', drain_at = now(), drain_by = 'anna'`, 'worker_unavailable'],
    ['was lost', `callables = '{a}', lease_until = now() - interval '1 second'`, 'worker_unavailable'],
    ['has the handler', `callables = '{a}'`, 'staleness_timeout'],
    ['has a pattern for it', `callables = '{~/^[a-c]$/}'`, 'staleness_timeout'],
  ])('has the right reason if a worker %s: %s', async (_, worker, reason) => {
    const { tasker, sql, create } = await waitingBench({ a: [] }, { lifecycle: limits });
    const taskUuid = await create();
    await sql(`update tasker.worker set ${worker}`);
    await age(sql, 21);
    await checkForStale(tasker);
    expect((await tasker.deadLetters.get(taskUuid)).dlqReason).toBe(reason);
  });

  it('has the reason staleness_timeout if another step of the task is running', async () => {
    const { tasker, sql, taskUuid } = await taskUnderLimit('max_steps_in_process_minutes', {});
    await age(sql, 25, taskUuid);
    await checkForStale(tasker);
    expect((await tasker.deadLetters.get(taskUuid)).dlqReason).toBe('staleness_timeout');
  });
});

describe('the staleness of tasks', () => {
  it('lists tasks with limits, closest to a limit first', async () => {
    const lifecycle = { max_duration_minutes: 100 };
    const { tasker, sql, namespace, create } = await waitingBench({ a: [] }, { lifecycle });
    await tasker.registerTemplates(template({ a: [] }, { namespace, name: 'free' }));
    const [young, near, over] = [await create(), await create(), await create()];
    await create({ name: 'free' });
    await age(sql, 10, young);
    await age(sql, 85, near);
    await age(sql, 130, over);
    await checkForStale(tasker);
    expect(await tasker.deadLetters.staleness()).toEqual([
      {
        taskUuid: over,
        namespaceName: namespace,
        taskName: 'demo',
        currentState: 'pending',
        timeInStateMinutes: 130,
        taskAgeMinutes: 130,
        stalenessThresholdMinutes: 100,
        healthStatus: 'stale',
        priority: 0,
        rule: 'max_duration_minutes',
      },
      expect.objectContaining({ taskUuid: near, healthStatus: 'warning' }),
      expect.objectContaining({ taskUuid: young, healthStatus: 'healthy' }),
    ]);
    expect(await tasker.deadLetters.staleness({ limit: 1 })).toMatchObject([{ taskUuid: over }]);
    await expect(tasker.deadLetters.staleness({ limit: 0 })).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('thresholds of the configuration', () => {
  const NONE = { lifetime: null, waitingForDependencies: null, waitingForRetry: null, stepsInProcess: null };
  const watch = async (
    tasker: Awaited<ReturnType<typeof setup>>['tasker'],
    minutes: Partial<typeof NONE> | object,
    renew = false,
  ) => {
    let watched = 0;
    for await (const count of tasker.engine.watchOpenTasks({ ...NONE, ...minutes, leastMs: 0, renew }))
      watched += count;
    return watched;
  };

  it('note tasks of templates without limits as stale, and neither end them nor add them to the dead letters', async () => {
    const { tasker, sql, create } = await waitingBench({ a: [] });
    const [old, young] = [await create(), await create()];
    await age(sql, 61, old);
    expect(await watch(tasker, { waitingForDependencies: 60 })).toBe(1);
    expect(await watch(tasker, { waitingForDependencies: 60 })).toBe(0);
    const { ended, noted } = await checkForStale(tasker);
    expect(ended).toEqual([]);
    expect(noted).toEqual([
      {
        taskUuid: old,
        reason: expect.stringMatching(
          /^orchestration\.dlq\.thresholds\.waiting_for_dependencies_minutes is 60: no progress for 61 minutes, since 20/,
        ),
      },
    ]);
    expect(await tasker.listTasks({ stale: true })).toMatchObject([{ taskUuid: old }]);
    expect((await tasker.deadLetters.list()).entries).toEqual([]);
    expect((await tasker.getTask(young)).stale).toBeNull();
    expect((await tasker.why(old)).summary).toContain('it is stale: no progress since');
  });

  it('are in hours for the lifetime of a task, and apply until the task ends', async () => {
    const { tasker, sql, create } = await waitingBench({ a: [] });
    // The reason would also report that this worker has no handler for the step.
    await sql('delete from tasker.worker');
    const taskUuid = await create();
    await age(sql, 25 * 60);
    await watch(tasker, { lifetime: 24 * 60 });
    expect((await checkForStale(tasker)).noted).toMatchObject([
      {
        reason: 'orchestration.dlq.thresholds.task_max_lifetime_hours is 24: not done 1500 minutes after its creation',
      },
    ]);
    await sql('update tasker.step set done_at = now()');
    expect(await tasker.listTasks({ stale: true })).toMatchObject([{ taskUuid }]);
    expect((await tasker.why(taskUuid)).summary).toContain('it is stale: not done 1440 minutes after its creation');
  });

  it('do not prevent the limits of a template from ending a task', async () => {
    const lifecycle = { max_duration_minutes: 60, staleness_action: 'error' };
    const { tasker, sql, create } = await waitingBench({ a: [] }, { lifecycle });
    const taskUuid = await create();
    await age(sql, 40);
    await watch(tasker, { waitingForDependencies: 30, lifetime: 10 });
    expect(await checkForStale(tasker)).toMatchObject({ ended: [], noted: [{ taskUuid }] });
    await age(sql, 25);
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid }]);
  });

  it('do not apply to templates whose lifecycle requests no action', async () => {
    const none = { max_duration_minutes: 5, staleness_action: 'none' };
    const off = { max_duration_minutes: 5, auto_dlq_on_timeout: false };
    const { tasker, sql, namespace, create } = await waitingBench({ a: [] }, { lifecycle: none });
    await tasker.registerTemplates(template({ a: [] }, { namespace, name: 'off', lifecycle: off }));
    await create();
    await create({ name: 'off' });
    await age(sql, 100);
    expect(await watch(tasker, { lifetime: 10 })).toBe(0);
  });

  it('replace those of the previous configuration on request', async () => {
    const { tasker, sql, create } = await waitingBench({ a: [] });
    await create();
    await age(sql, 100);
    await watch(tasker, { lifetime: 90 });
    expect(await watch(tasker, { lifetime: 50 })).toBe(0);
    expect(await watch(tasker, { lifetime: 50 }, true)).toBe(1);
    expect(await sql('select thresholds from tasker.task_watch')).toEqual([{ thresholds: [50, null, null, null] }]);
  });

  it('are applied to tasks by one process at a time, at the interval of the configuration', async () => {
    const { tasker, sql, create } = await waitingBench({ a: [] });
    await watch(tasker, { lifetime: 10 });
    await create();
    await age(sql, 100);
    let watched = 0;
    for await (const count of tasker.engine.watchOpenTasks({ ...NONE, lifetime: 10, leastMs: 300_000, renew: false })) {
      watched += count;
    }
    expect(watched).toBe(0);
  });

  it('without thresholds, a task without limits is not watched', async () => {
    const { tasker, sql } = await setup({
      templates: [template({ a: [] })],
      handlers: [defineHandler('a', {}, () => ({}))],
    });
    await firstCheck(tasker);
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await until(
      () => sql('select * from tasker.task_watch'),
      (rows) => rows.length === 0,
    );
  });
});

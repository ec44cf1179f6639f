import { describe, expect, it } from 'vitest';
import { TaskerError } from '../../src/errors.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { openSession } from '../support/database.ts';
import { age, checkForStale, firstCheck, stage, taskUnderLimit } from '../support/lifecycle.ts';
import { DEMO, invariants, setup, states, template, until } from '../support/setup.ts';

describe('a task that is ended by its lifecycle', () => {
  it('the signal of the running handler fires, and its result is rejected', async () => {
    const limit = 'max_steps_in_process_minutes';
    const { tasker, sql, taskUuid, gate, signalled } = await taskUnderLimit(limit, { staleness_action: 'error' });
    await age(sql, 21, taskUuid);
    await checkForStale(tasker);
    await signalled.promise;
    gate.resolve();
    await until(
      () => tasker.stats!,
      ({ running, unrecorded }) => running === 0 && unrecorded === 0,
    );
    expect(await tasker.getStep(taskUuid, 'first')).toMatchObject({ currentState: 'cancelled' });
    const [attempt] = await tasker.getHistory(taskUuid);
    expect(attempt).toMatchObject({ step: 'first', what: 'cancelled', toState: 'cancelled', attempt: 1 });
    await invariants(sql);
  });

  it('the reason says one minute in the singular', async () => {
    const limit = 'max_steps_in_process_minutes';
    const { tasker, sql, taskUuid } = await taskUnderLimit(limit, { staleness_action: 'error', [limit]: 1 });
    await age(sql, 1, taskUuid);
    const { ended } = await checkForStale(tasker);
    expect(ended).toMatchObject([{ taskUuid, reason: expect.stringMatching(/: no progress for 1 minute, since 20/) }]);
  });

  it("the task can't be reopened: every action of an operator is rejected with the reason", async () => {
    const limit = 'max_waiting_for_dependencies_minutes';
    const { tasker, sql, taskUuid } = await taskUnderLimit(limit, { staleness_action: 'error' });
    await age(sql, 21, taskUuid);
    await checkForStale(tasker);
    for (const verb of ['retryStep', 'resolveStep', 'completeStep'] as const) {
      const refusal = await tasker[verb](taskUuid, 'first').catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(TaskerError);
      expect(refusal).toMatchObject({
        code: 'illegal_transition',
        message: expect.stringContaining('its task has ended in error'),
      });
    }
    expect(await tasker.cancelTask(taskUuid)).toBe(false);
    await expect(tasker.waitForTask(taskUuid, { throwOnFailure: true })).rejects.toMatchObject({ code: 'task_failed' });
    await invariants(sql);
  });
});

describe('the time of a limit', () => {
  it('starts at the last start or end of a step, so that a task with progress never exceeds the limits of its states', async () => {
    const { handlers, gate } = stage();
    const steps = { one: { handler: 'quick' }, two: { handler: 'busy', dependencies: ['one'] } };
    const lifecycle = { max_steps_in_process_minutes: 20, staleness_action: 'error' };
    const { tasker, sql } = await setup({ templates: [template(steps, { lifecycle })], handlers });
    await firstCheck(tasker);
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => states(tasker, taskUuid),
      ({ two }) => two === 'in_progress',
    );
    await age(sql, 300, taskUuid);
    await sql(`update tasker.step set started_at = now() - interval '19 minutes' where idx = 1`);
    expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
    gate.resolve();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 10_000 })).status).toBe('complete');
  });

  it('starts when a retry becomes due', async () => {
    const { tasker, sql, taskUuid, another } = await taskUnderLimit('max_waiting_for_retry_minutes', {
      max_waiting_for_retry_minutes: 1_000,
      max_steps_in_process_minutes: 20,
      staleness_action: 'error',
    });
    await tasker.stop();
    const other = await another({ worker: false });
    await age(sql, 600, taskUuid);
    await sql(`update tasker.step set next_at = now() - interval '19 minutes' where idx = 0`);
    await sql(`update tasker.timer set due_at = now() - interval '19 minutes'`);
    await other.engine.promoteDue();
    expect(await other.getTask(taskUuid)).toMatchObject({ status: 'steps_in_process' });
    expect(await checkForStale(other)).toEqual({ ended: [], noted: [] });
    await age(sql, 2, taskUuid);
    expect((await checkForStale(other)).ended).toMatchObject([{ taskUuid }]);
  });

  it('actions of operators and checkpoints count only for their own task', async () => {
    const limit = 'max_waiting_for_dependencies_minutes';
    const { tasker, sql, taskUuid } = await taskUnderLimit(limit, {});
    const other = await tasker.createTask(DEMO);
    await until(
      () => tasker.getTask(other.taskUuid),
      ({ status }) => status === 'blocked_by_failures',
    );
    await tasker.retryStep(other.taskUuid, 'first');
    await sql(`insert into tasker.checkpoint (task_uuid, idx, attempt, data) values ($1, 0, 1, '{}')`, [
      other.taskUuid,
    ]);
    await age(sql, 21, taskUuid);
    expect((await checkForStale(tasker)).noted).toMatchObject([{ taskUuid }]);
    expect(await tasker.listTasks({ stale: true })).toMatchObject([{ taskUuid }]);
  });

  it('the limit for waiting for dependencies applies to a task that no worker has started', async () => {
    const lifecycle = { max_waiting_for_dependencies_minutes: 20, max_steps_in_process_minutes: 5 };
    const { tasker, sql } = await setup({ templates: [template({ a: [] }, { lifecycle })], worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    await age(sql, 19, taskUuid);
    expect((await checkForStale(tasker)).noted).toEqual([]);
    await age(sql, 2, taskUuid);
    expect((await checkForStale(tasker)).noted).toMatchObject([
      { reason: expect.stringMatching('^max_waiting_for_dependencies_minutes') },
    ]);
  });
});

describe('a stale task', () => {
  it('leaves the list as soon as it makes progress, and is listed again when it is stuck again', async () => {
    const limit = 'max_waiting_for_dependencies_minutes';
    const { tasker, sql, taskUuid } = await taskUnderLimit(limit, {});
    await age(sql, 21, taskUuid);
    await checkForStale(tasker);
    expect(await tasker.listTasks({ stale: true })).toHaveLength(1);

    await tasker.retryStep(taskUuid, 'first');
    expect(await tasker.listTasks({ stale: true })).toEqual([]);
    expect((await tasker.getTask(taskUuid)).stale).toBeNull();
    await until(
      () => tasker.getTask(taskUuid),
      ({ status, inProgressSteps }) => status === 'blocked_by_failures' && inProgressSteps === 0,
    );
    await age(sql, 21, taskUuid);
    expect((await checkForStale(tasker)).noted).toHaveLength(1);
    expect(await tasker.listTasks({ stale: true })).toHaveLength(1);
    const notes = (await tasker.getHistory(taskUuid)).filter((entry) => entry.what === 'note');
    expect(notes).toHaveLength(2);
  });

  it('the list has only the stale task while another task is within the same limit', async () => {
    const templates = [template({ a: [] }, { lifecycle: { max_duration_minutes: 20 } })];
    const { tasker, sql } = await setup({ templates, worker: false });
    const [old, young] = await tasker.createTasks([DEMO, DEMO]);
    await age(sql, 21, old!.taskUuid);
    expect((await checkForStale(tasker)).noted).toMatchObject([{ taskUuid: old!.taskUuid }]);
    expect(await tasker.listTasks({ stale: true })).toMatchObject([{ taskUuid: old!.taskUuid }]);
    expect((await tasker.getTask(young!.taskUuid)).stale).toBeNull();
    await age(sql, 21, young!.taskUuid);
    expect((await checkForStale(tasker)).noted).toMatchObject([{ taskUuid: young!.taskUuid }]);
  });

  it('a stale task leaves the list when it ends, and its watch is deleted', async () => {
    const { tasker, sql, taskUuid } = await taskUnderLimit('max_duration_minutes', {});
    await age(sql, 21, taskUuid);
    await checkForStale(tasker);
    await tasker.cancelTask(taskUuid);
    expect(await tasker.listTasks({ stale: true })).toEqual([]);
    expect((await tasker.getTask(taskUuid)).stale).toBeNull();
    await age(sql, 61, taskUuid);
    await checkForStale(tasker);
    expect(await sql('select * from tasker.task_watch')).toEqual([]);
  });

  it('a stale task that was deleted by hand does not block the others', async () => {
    const { tasker, sql, taskUuid } = await taskUnderLimit('max_waiting_for_retry_minutes', {});
    for (const table of ['timer', 'step', 'history', 'task']) await sql(`delete from tasker.${table}`);
    await age(sql, 21, taskUuid);
    expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
    expect(await sql('select * from tasker.task_watch')).toEqual([]);
  });
});

describe('the check for stale tasks', () => {
  const errors = { max_duration_minutes: 5, staleness_action: 'error' };

  it('every worker runs the check on its own', async () => {
    const { tasker, sql, another } = await setup({ templates: [template({ a: [] }, { lifecycle: errors })] });
    const { taskUuid } = await tasker.createTask(DEMO);
    await age(sql, 6);
    const { logger, lines } = collectingLogger();
    await another({ handlers: [defineHandler('other', {}, () => ({}))], logger });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('error');
    const logged = () => lines.filter(({ fields }) => 'reason' in fields);
    await until(logged, (seen) => seen.length > 0);
    const reason = 'max_duration_minutes of test/demo@1.0.0 is 5: not done 6 minutes after its creation';
    expect(logged()).toEqual([
      {
        level: 'warn',
        message: 'task ended as error by its lifecycle',
        fields: { task_uuid: taskUuid, state: 'error', reason },
      },
    ]);
  });

  it('concurrent checks end five thousand tasks once, and no other task', async () => {
    const plain = template({ a: [], b: ['a'] }, { name: 'plain' });
    const limited = template({ a: [], b: ['a'] }, { lifecycle: errors });
    const { tasker, sql, another } = await setup({ templates: [plain, limited], worker: false });
    const others = [await another(), await another()];
    const create = async (name: string, count: number) => {
      for (let i = 0; i < count; i += 500)
        await tasker.createTasks(Array.from({ length: 500 }, () => ({ ...DEMO, name })));
    };
    await create('plain', 1_000);
    await create('demo', 5_000);
    expect(await sql('select count(*)::int n from tasker.task_watch')).toEqual([{ n: 5_000 }]);
    await age(sql, 6);
    const turns = await Promise.all([tasker, ...others].map(checkForStale));
    let ended = turns.flatMap((turn) => turn.ended);
    // Each check skips tasks that another check has locked.
    ended = ended.concat((await checkForStale(tasker)).ended);
    expect(new Set(ended.map((task) => task.taskUuid)).size).toBe(5_000);
    expect(ended).toHaveLength(5_000);
    const byState = `select m.name, t.state::text, count(*)::int from tasker.task t join tasker.template m on m.id = t.template_id group by 1, 2 order by 1`;
    expect(await sql(byState)).toEqual([
      { name: 'demo', state: 'error', count: 5_000 },
      { name: 'plain', state: 'steps_in_process', count: 1_000 },
    ]);
    expect(await sql(`select count(*)::int n from tasker.operator_action where action = 'fail'`)).toEqual([
      { n: 5_000 },
    ]);
    await invariants(sql);
  });

  it('tasks with many open steps are ended in several transactions', async () => {
    const { tasker, sql } = await setup({ templates: [template({ a: [] }, { lifecycle: errors })], worker: false });
    const tasks = await tasker.createTasks([DEMO, DEMO, DEMO]);
    await age(sql, 6);
    // Simulates that each task has this many open steps.
    await sql('update tasker.task set n_open = 15000');
    const turns: number[] = [];
    for await (const { ended } of tasker.engine.endStale()) turns.push(ended.length);
    expect(turns).toEqual([1, 1, 1]);
    expect(await sql(`select count(*)::int n from tasker.task where state = 'error'`)).toEqual([{ n: tasks.length }]);
  });

  it('a locked task is left for the next check', async () => {
    const { tasker, sql, url } = await setup({
      templates: [template({ a: [] }, { lifecycle: errors })],
      worker: false,
    });
    const [held, free] = await tasker.createTasks([DEMO, DEMO]);
    await age(sql, 6);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task where task_uuid = $1 for update', [held!.taskUuid]);
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid: free!.taskUuid }]);
    await session.query('rollback');
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid: held!.taskUuid }]);
  });

  it('a task keeps the limits that it was created with, even if other limits are registered later', async () => {
    const { tasker, sql } = await setup({ templates: [template({ a: [] }, { lifecycle: errors })], worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.registerTemplates([template({ a: [] }, { lifecycle: { max_duration_minutes: 500 } })]);
    await tasker.createTask(DEMO);
    await age(sql, 6);
    expect(await checkForStale(tasker)).toMatchObject({ ended: [{ taskUuid }], noted: [] });
  });

  it('a request watches a task with an identity only if the request created the task', async () => {
    const templates = [template({ a: [] }, { lifecycle: errors, identity_strategy: 'strict' })];
    const { tasker, sql } = await setup({ templates, worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    const again = await tasker.createTasks([DEMO, { ...DEMO, context: { n: 1 } }], { onDuplicate: 'return' });
    expect(again.map((task) => task.created)).toEqual([false, true]);
    await expect(tasker.createTask(DEMO)).rejects.toMatchObject({ code: 'conflict' });
    const watched = await sql<{ task_uuid: string }>('select task_uuid from tasker.task_watch');
    expect(watched.map((row) => row.task_uuid).sort()).toEqual([taskUuid, again[1]!.taskUuid].sort());
  });
});

import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { deferred, template, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('why names the cause and the next action for a step in each state', async () => {
  const gate = deferred();
  const handlers = [
    defineHandler('done', {}, () => ({})),
    defineHandler('busy', {}, () => gate.promise),
    defineHandler('later', {}, () => StepHandlerResult.failure({ message: 'bank is closed', retryAfter: 3_600 })),
    defineHandler('broken', {}, () => StepHandlerResult.failure('no such order', { retryable: false })),
    defineHandler('by_hand', {}, () => gate.promise),
    defineHandler('after_busy', {}, () => ({})),
  ];
  const steps = {
    done: [],
    busy: [],
    later: [],
    broken: [],
    by_hand: [],
    after_busy: ['busy', 'done'],
    after_broken: ['broken', 'later'],
  };
  const { tasker, demo } = await shared.setup(steps, { handlers, name: 'w1' });
  const { taskUuid } = await tasker.createTask(demo);
  await until(
    () => tasker.getSteps(taskUuid),
    (all) =>
      all
        .slice(0, 5)
        .map((step) => step.currentState)
        .join() === 'complete,in_progress,waiting_for_retry,error,in_progress',
  );
  await tasker.resolveStep(taskUuid, 'by_hand');
  const { task, summary, steps: explained } = await tasker.why(taskUuid);
  const of = Object.fromEntries(explained.map((step) => [step.step, step]));
  expect(task.status).toBe('steps_in_process');
  expect(summary).toBe('in progress: busy is running');
  expect(of.done).toMatchObject({
    state: 'complete',
    why: expect.stringMatching(/^completed at 2/),
    waitsFor: [],
    heldBy: null,
  });
  expect(of.busy).toMatchObject({
    heldBy: 'w1',
    why: expect.stringMatching(/^attempt 1 of 3 has been running on w1 since 2/),
  });
  expect(of.later).toMatchObject({
    until: expect.stringMatching(/^2/),
    why: expect.stringMatching(/^attempt 1 of 3 failed \(bank is closed\); next attempt at 2/),
  });
  expect(of.broken!.why).toBe(
    'failed permanently in attempt 1 of 3: no such order; reset, resolve or complete it to continue',
  );
  expect(of.by_hand!.why).toMatch(/^was resolved by an operator at 2/);
  expect(of.after_busy).toMatchObject({ waitsFor: ['busy'], why: 'waits for busy' });
  expect(of.after_broken!.why).toBe('waits for broken, later; broken failed, so it cannot run until an operator acts');
  gate.resolve();
  await until(
    () => tasker.getTask(taskUuid),
    (t) => t.status === 'waiting_for_retry',
  );
  expect((await tasker.why(taskUuid)).summary).toMatch(/^waits for the retry of later at 2\d{3}-\S+Z$/);
  await tasker.completeStep(taskUuid, 'later');
  expect((await tasker.why(taskUuid)).summary).toBe('cannot continue: broken failed permanently; an operator must act');
  await tasker.cancelTask(taskUuid);
  const after = await tasker.why(taskUuid);
  expect(after.summary).toBe('was cancelled');
  expect(after.steps.at(-1)!.why).toBe('was cancelled with its task');
});

it('why reports whether no worker is running, no worker has the handler, or all slots are taken', async () => {
  const { tasker, demo, another } = await shared.setup({ a: [] }, { worker: false });
  const { taskUuid } = await tasker.createTask(demo);
  const why = async (id = taskUuid) => (await tasker.why(id)).steps[0]!.why;
  expect(await why()).toBe(`is ready; no running worker serves namespace ${demo.namespace}: start one`);
  expect((await tasker.why(taskUuid)).summary).toBe(
    `a is ready; no running worker serves namespace ${demo.namespace}: start one`,
  );

  const gate = deferred();
  const busy = await another({
    worker: true,
    concurrency: 1,
    name: 'w2',
    handlers: [defineHandler('a', {}, () => gate.promise)],
  });
  await until(
    () => busy.stats!.running,
    (running) => running === 1,
  );
  const second = await tasker.createTask(demo);
  expect(await why(second.taskUuid)).toBe('is ready; waits for a free slot in w2');
  gate.resolve();
  await busy.waitForTask(second.taskUuid, { timeoutMs: 20_000 });
  expect((await tasker.why(second.taskUuid)).summary).toBe('is complete: its only step is done');
  await expect(tasker.why('x')).rejects.toMatchObject({ code: 'invalid_uuid' });
});

it('why reports an expired lease of a lost worker, instead of a missing handler', async () => {
  const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
  const { taskUuid } = await tasker.createTask(demo);
  // Simulates a worker that is lost with a claimed step. No other worker takes over the step in this test.
  await shared.sql(
    `with gone as (
       insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
       values ('lost', 'host', 1, array[$2], '{a}', 1, now() - interval '1 s') returning id)
     update tasker.step set state = 'in_progress', attempts = 1, started_at = now(), claim = (select id << 24 from gone)
      where task_uuid = $1`,
    [taskUuid, demo.namespace],
  );
  const { summary, steps } = await tasker.why(taskUuid);
  expect(summary).toBe(`a: ${steps[0]!.why}`);
  expect(steps[0]!.why).toMatch(
    /^attempt 1 of 3 was started by lost, whose lease has expired; a running worker takes over the step/,
  );
});

it('why uses the template that the task was created from, not the newest template', async () => {
  const { tasker, demo } = await shared.setup({ a: [], b: ['a'] }, { worker: false });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.registerTemplates([template({ b: [], a: ['b'] }, { namespace: demo.namespace })]);
  expect((await tasker.why(taskUuid)).steps.map((step) => [step.step, step.waitsFor])).toEqual([
    ['a', []],
    ['b', ['a']],
  ]);
});

it('why explains the waits and the outcomes of batch workers', async () => {
  const gate = deferred();
  const parts = ['1', '2', '3', '4'].map((batch_id) => ({ batch_id, start_cursor: 0, end_cursor: 1 }));
  const outcome = { type: 'create_batches', worker_template_name: 'work', cursor_configs: parts };
  const handlers = [
    defineHandler('analyze', {}, () => ({ batch_processing_outcome: outcome })),
    defineHandler('work', {}, async ({ context }) => {
      const { batch_id } = context.stepInputs.cursor as { batch_id: string };
      if (batch_id === '2') return StepHandlerResult.failure('row 13 is broken', { retryable: false });
      await gate.promise;
      return {};
    }),
    defineHandler('join', {}, () => ({})),
  ];
  const batch = { batch_size: 1, parallelism: 2, cursor_field: 'id', worker_template: 'work' };
  const steps = {
    analyze: { type: 'batchable', dependencies: [] },
    work: {
      type: 'batch_worker',
      dependencies: ['analyze'],
      batch_config: { ...batch, failure_strategy: 'continue_on_failure' },
    },
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  };
  const { tasker, demo } = await shared.setup(steps, { handlers, name: 'w1' });
  const { taskUuid } = await tasker.createTask(demo);
  await until(
    () => tasker.getSteps(taskUuid),
    (all) =>
      all.filter((step) => step.currentState === 'in_progress').length === 2 &&
      all.some((step) => step.currentState === 'error'),
  );
  const { steps: explained } = await tasker.why(taskUuid);
  const of = Object.fromEntries(explained.map((step) => [step.step, step]));
  expect(of.work_1).toMatchObject({
    templateStepName: 'work',
    why: expect.stringMatching(/^attempt 1 of 3 has been running on w1/),
  });
  expect(of.work_2!.why).toBe(
    'failed permanently in attempt 1 of 3: row 13 is broken; its batch continues without it (continue_on_failure)',
  );
  expect(of.work_4).toMatchObject({
    state: 'pending',
    why: 'waits for another batch worker to end: at most 2 of work run at the same time (parallelism)',
    waitsFor: [],
  });
  expect(of.join).toMatchObject({ why: 'waits for work_1, work_3, work_4', waitsFor: ['work_1', 'work_3', 'work_4'] });
  gate.resolve();
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const after = await tasker.why(taskUuid);
  expect(after.summary).toBe(
    'is complete: 5 of 6 steps are done, its batches continued without the others: work_2 failed',
  );
  expect(after.steps.flatMap(({ waitsFor }) => waitsFor)).toEqual([]);
});

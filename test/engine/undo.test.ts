import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { workflow } from '../../src/workflow/workflow.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { partsFor, workers } from '../support/hand-worker.ts';
import { checkForStale, firstCheck } from '../support/lifecycle.ts';
import { DEMO, deferred, endStates, setup, states, template, until } from '../support/setup.ts';

/** Handlers that note their calls, by name. */
function noting(names: readonly string[], calls: string[], also: Record<string, (...args: never[]) => unknown> = {}) {
  return names.map((name) =>
    defineHandler(name, {}, (args) => {
      calls.push(name);
      return (also[name] as ((given: typeof args) => unknown) | undefined)?.(args) ?? { from: name };
    }),
  );
}

const TRIP = {
  flight: { undo: { handler: 'cancel_flight' } },
  hotel: { dependencies: ['flight'], undo: { handler: 'cancel_hotel' } },
  car: { dependencies: ['flight'], undo: { handler: 'cancel_car' } },
  mail: ['hotel', 'car'],
};

it('a complete task is undone in the reverse order, in parallel where it was parallel', async () => {
  const calls: string[] = [];
  const names = ['flight', 'hotel', 'car', 'mail', 'cancel_flight', 'cancel_hotel', 'cancel_car'];
  const { tasker } = await setup({ templates: template(TRIP), handlers: noting(names, calls) });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  calls.length = 0;
  const undo = await tasker.undoTask(taskUuid, { actor: 'ana', reason: 'the customer cancelled' });
  expect(undo).toMatchObject({ statusBefore: 'complete', status: 'undoing' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls.slice(0, 2).sort()).toEqual(['cancel_car', 'cancel_hotel']);
  expect(calls[2]).toBe('cancel_flight');
  expect(calls).toHaveLength(3);
  expect(await states(tasker, taskUuid)).toMatchObject({
    flight: 'complete',
    'undo:flight': 'complete',
    mail: 'complete',
  });
});

const failing = (message: string) => () => {
  throw Object.assign(new Error(message), { retryable: false });
};

const NEVER_RETRY = { retry: { max_attempts: 1 } };

it('a blocked task is undone: a step that failed only with include: attempted, with its error', async () => {
  const calls: string[] = [];
  const seen: unknown[] = [];
  const undo = (handler: string, include = 'completed') => ({ undo: { handler, include } });
  const { tasker } = await setup({
    templates: template({
      flight: undo('cancel_flight'),
      hotel: { dependencies: ['flight'], ...undo('cancel_hotel', 'attempted'), ...NEVER_RETRY },
      car: { dependencies: ['flight'], ...undo('cancel_car'), ...NEVER_RETRY },
      mail: { dependencies: ['car'], ...undo('recall', 'attempted') },
    }),
    handlers: noting(
      ['flight', 'hotel', 'car', 'cancel_flight', 'cancel_hotel', 'cancel_car', 'mail', 'recall'],
      calls,
      {
        hotel: failing('no room'),
        car: failing('no car'),
        cancel_hotel: ({ context }: never) => void seen.push((context as { undo: unknown }).undo),
        cancel_flight: ({ context }: never) => void seen.push((context as { undo: unknown }).undo),
      },
    ),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('blocked_by_failures');
  const { steps } = await tasker.undoTask(taskUuid, { dryRun: true });
  expect(steps).toEqual([
    {
      step: 'hotel',
      state: 'error',
      undone: true,
      handler: 'cancel_hotel',
      childTaskUuid: null,
      after: [],
      reason: null,
    },
    {
      step: 'flight',
      state: 'complete',
      undone: true,
      handler: 'cancel_flight',
      childTaskUuid: null,
      after: ['hotel'],
      reason: null,
    },
    {
      step: 'car',
      state: 'error',
      undone: false,
      handler: 'cancel_car',
      childTaskUuid: null,
      after: [],
      reason: 'not_completed',
    },
    {
      step: 'mail',
      state: 'pending',
      undone: false,
      handler: 'recall',
      childTaskUuid: null,
      after: [],
      reason: 'not_started',
    },
  ]);
  expect((await tasker.getTask(taskUuid)).status).toBe('blocked_by_failures');
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['cancel_hotel', 'cancel_flight']);
  const ids = Object.fromEntries((await tasker.getSteps(taskUuid)).map(({ name, stepUuid }) => [name, stepUuid]));
  expect(seen).toEqual([
    {
      step: 'hotel',
      stepUuid: ids['hotel'],
      result: null,
      error: expect.objectContaining({ message: expect.stringContaining('no room'), attempts: 1 }),
    },
    { step: 'flight', stepUuid: ids['flight'], result: { from: 'flight' }, error: null },
  ]);
});

it('the order of an undo passes through steps without undo and steps that did not run', async () => {
  const calls: string[] = [];
  const { tasker } = await setup({
    templates: template({
      a: { undo: { handler: 'undo_a' } },
      b: ['a'],
      c: { dependencies: ['b'], when: 'false', undo: { handler: 'undo_c' } },
      d: { dependencies: ['c'], run_if: 'ended', undo: { handler: 'undo_d' } },
    }),
    handlers: noting(['a', 'b', 'c', 'd', 'undo_a', 'undo_c', 'undo_d'], calls),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  calls.length = 0;
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['undo_d', 'undo_a']);
});

it('a failed undo blocks the task, and continues once it is reset or resolved', async () => {
  const calls: string[] = [];
  let broken = true;
  const { tasker } = await setup({
    templates: template({
      a: { undo: { handler: 'undo_a' } },
      b: { dependencies: ['a'], undo: { handler: 'undo_b', ...NEVER_RETRY } },
      c: { dependencies: ['b'], undo: { handler: 'undo_c', ...NEVER_RETRY } },
    }),
    handlers: noting(['a', 'b', 'c', 'undo_a', 'undo_b', 'undo_c'], calls, {
      undo_b: () => broken && failing('down')(),
      undo_c: () => broken && failing('down')(),
    }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('blocked_by_failures');
  const { entries } = await tasker.deadLetters.list({ status: 'pending' });
  expect(entries).toMatchObject([
    { taskUuid, dlqReason: 'max_retries_exceeded', cause: expect.stringContaining('down') },
  ]);
  await tasker.resolveStep(taskUuid, 'undo:c', { reason: 'refunded by hand' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('blocked_by_failures');
  broken = false;
  await tasker.resetStep(taskUuid, 'undo:b');
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['a', 'b', 'c', 'undo_c', 'undo_b', 'undo_b', 'undo_a']);
  expect(await states(tasker, taskUuid)).toMatchObject({ 'undo:c': 'resolved_manually', 'undo:a': 'complete' });
});

it('a running step is stopped: its late result is rejected, and it counts as attempted', async () => {
  const calls: string[] = [];
  const begun = deferred();
  const end = deferred();
  const { tasker } = await setup({
    templates: template({ a: { undo: { handler: 'undo_a', include: 'attempted' } }, b: ['a'] }),
    handlers: noting(['a', 'b', 'undo_a'], calls, {
      a: async () => {
        begun.resolve();
        await end.promise;
        return { late: true };
      },
    }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await begun.promise;
  await tasker.undoTask(taskUuid);
  end.resolve();
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['a', 'undo_a']);
  expect(await states(tasker, taskUuid)).toEqual({ a: 'cancelled', b: 'cancelled', 'undo:a': 'complete' });
  expect((await tasker.getStep(taskUuid, 'a')).results).toMatchObject({ success: false, result: {} });
});

it('an undo that was cancelled continues with the steps that are left', async () => {
  const calls: string[] = [];
  let broken = true;
  const { tasker } = await setup({
    templates: template({
      a: { undo: { handler: 'undo_a', ...NEVER_RETRY } },
      b: { dependencies: ['a'], undo: { handler: 'undo_b' } },
    }),
    handlers: noting(['a', 'b', 'undo_a', 'undo_b'], calls, { undo_a: () => broken && failing('down')() }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await tasker.undoTask(taskUuid);
  await tasker.waitForTask(taskUuid);
  await tasker.cancelTask(taskUuid);
  expect((await tasker.getTask(taskUuid)).status).toBe('cancelled');
  broken = false;
  const { steps } = await tasker.undoTask(taskUuid);
  expect(steps).toMatchObject([
    { step: 'a', undone: true },
    { step: 'b', undone: false, reason: 'already_undone' },
  ]);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['a', 'b', 'undo_b', 'undo_a', 'undo_a']);
});

it('a task is undone once: concurrent and later requests are refused', async () => {
  const calls: string[] = [];
  const { tasker } = await setup({
    templates: template({ a: { undo: { handler: 'undo_a' } } }),
    handlers: noting(['a', 'undo_a'], calls),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  const both = await Promise.allSettled([tasker.undoTask(taskUuid), tasker.undoTask(taskUuid)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await tasker.waitForTask(taskUuid);
  await expect(tasker.undoTask(taskUuid)).rejects.toMatchObject({
    code: 'illegal_transition',
    message: `task ${taskUuid} was already undone`,
  });
  expect(calls).toEqual(['a', 'undo_a']);
});

it('a task that was undone is not run again from a step', async () => {
  const { tasker } = await setup({
    templates: template({ a: { undo: { handler: 'undo_a' } } }),
    handlers: noting(['a', 'undo_a'], []),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await tasker.undoTask(taskUuid);
  await tasker.waitForTask(taskUuid);
  await expect(tasker.rerunTask(taskUuid, { from: 'a' })).rejects.toMatchObject({
    code: 'illegal_transition',
    message: expect.stringMatching(/it was undone; to run its steps again, create a copy with `tasker task copy/),
  });
});

it('a template without undo is named in the error, with the way out', async () => {
  const { tasker } = await setup({ templates: template({ a: [] }), handlers: noting(['a'], []) });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await expect(tasker.undoTask(taskUuid)).rejects.toMatchObject({
    code: 'illegal_transition',
    message: expect.stringContaining('no step of test/demo@1.0.0 has `undo`; add it to the steps'),
  });
});

it('a task that has not begun is undone without any step', async () => {
  const { tasker } = await setup({
    templates: template({ a: { undo: { handler: 'undo_a', include: 'attempted' } } }),
    handlers: noting(['a', 'undo_a'], []),
  });
  const { taskUuid } = await tasker.createTask({ ...DEMO, startAt: new Date(Date.now() + 3_600_000).toISOString() });
  expect(await tasker.undoTask(taskUuid)).toMatchObject({ status: 'undone' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
});

it('a step that an operator completed is undone with that result; one that was resolved only if it was attempted', async () => {
  const seen: unknown[] = [];
  const note = ({ context }: never) => {
    const { undo } = context as { undo: { step: string; result: unknown } };
    seen.push([undo.step, undo.result]);
  };
  const { tasker } = await setup({
    templates: template({
      a: { undo: { handler: 'undone' }, ...NEVER_RETRY },
      b: { undo: { handler: 'undone', include: 'attempted' }, ...NEVER_RETRY },
      c: { undo: { handler: 'undone' }, ...NEVER_RETRY },
    }),
    handlers: noting(['a', 'b', 'c', 'undone'], [], {
      a: failing('x'),
      b: failing('x'),
      c: failing('x'),
      undone: note,
    }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await tasker.completeStep(taskUuid, 'a', { result: { by: 'hand' } });
  await tasker.resolveStep(taskUuid, 'b');
  await tasker.resolveStep(taskUuid, 'c');
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  const { steps } = await tasker.undoTask(taskUuid);
  expect(steps.find(({ step }) => step === 'c')).toMatchObject({ undone: false, reason: 'resolved_manually' });
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(seen.sort()).toEqual([
    ['a', { by: 'hand' }],
    ['b', {}],
  ]);
});

it('a workflow in TypeScript undoes its steps with functions beside them', async () => {
  const undone: unknown[] = [];
  const trip = workflow('test/trip@1.0.0')
    .step('flight', {
      run: () => ({ booking: 'F-1' }),
      undo: { run: ({ result, context }) => void undone.push([result!.booking, context.undo!.step]) },
    })
    .step('car', {
      after: ['flight'],
      retry: { max_attempts: 1 },
      run: (): { booking: string } => {
        throw new PermanentError('no car is left');
      },
      undo: { include: 'attempted', run: ({ result, error }) => void undone.push([result, error!.message]) },
    });
  const { tasker } = await setup({ workflows: [trip] });
  const { taskUuid } = await tasker.createTask(trip, {});
  expect((await tasker.waitForTask(taskUuid)).status).toBe('blocked_by_failures');
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(undone).toEqual([
    [null, 'no car is left'],
    ['F-1', 'flight'],
  ]);
});

it('with on_blocked: undo, a task is undone as soon as it is blocked', async () => {
  const calls: string[] = [];
  const { tasker } = await setup({
    templates: template({ ...TRIP, car: { ...TRIP.car, ...NEVER_RETRY } }, { lifecycle: { on_blocked: 'undo' } }),
    handlers: noting(['flight', 'hotel', 'car', 'mail', 'cancel_flight', 'cancel_hotel'], calls, {
      car: failing('none'),
    }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls.slice(-2)).toEqual(['cancel_hotel', 'cancel_flight']);
  const act = (await tasker.getHistory(taskUuid)).find(({ what }) => what === 'undo');
  expect(act).toMatchObject({ who: 'lifecycle', why: 'on_blocked: undo', toState: 'undoing' });
});

it('with on_cancel: undo, a cancellation undoes the task, and a second one stops the undo', async () => {
  const calls: string[] = [];
  const begun = deferred();
  const { tasker } = await setup({
    templates: template(
      { a: { undo: { handler: 'undo_a' } }, b: { dependencies: ['a'] } },
      { lifecycle: { on_cancel: 'undo' } },
    ),
    handlers: noting(['a', 'b', 'undo_a'], calls, {
      b: async ({ signal }: never) => {
        begun.resolve();
        await new Promise((resolve) => (signal as AbortSignal).addEventListener('abort', resolve));
      },
      undo_a: async ({ signal }: never) => {
        if (calls.length < 10)
          await new Promise((resolve) => (signal as AbortSignal).addEventListener('abort', resolve));
      },
    }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await begun.promise;
  expect(await tasker.cancelTask(taskUuid)).toBe(true);
  expect((await tasker.getTask(taskUuid)).status).toBe('undoing');
  await until(() => calls.includes('undo_a'), Boolean);
  expect(await tasker.cancelTask(taskUuid)).toBe(true);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('cancelled');
  expect(await states(tasker, taskUuid)).toEqual({ a: 'complete', b: 'cancelled', 'undo:a': 'cancelled' });
});

it('a bulk cancellation undoes the tasks whose template asks for it', async () => {
  const calls: string[] = [];
  const { tasker } = await setup({
    templates: [
      template(
        { a: { undo: { handler: 'undo_a' } }, b: { dependencies: ['a'], ...NEVER_RETRY } },
        { lifecycle: { on_cancel: 'undo' } },
      ),
      template({ b: NEVER_RETRY }, { name: 'plain' }),
    ],
    handlers: noting(['a', 'b', 'undo_a'], calls, { b: failing('x') }),
  });
  const tasks = await tasker.createTasks([DEMO, { ...DEMO, name: 'plain' }]);
  await endStates(tasker, tasks);
  const done = await tasker.bulk.cancel({ ids: tasks.map(({ taskUuid }) => taskUuid) }, { actor: 'ana' }).result();
  expect(done).toMatchObject({ done: 2 });
  expect((await endStates(tasker, tasks)).sort()).toEqual(['cancelled', 'undone']);
  expect(calls.at(-1)).toBe('undo_a');
});

it('a missing handler of an undo is reported at the start, with a similar name', async () => {
  const { logger, lines } = collectingLogger();
  await setup({
    templates: template({ a: { undo: { handler: 'cancel_flight' } } }),
    handlers: noting(['a', 'cancel_fligt'], []),
    logger,
  });
  const warning = lines.find(({ level, message }) => level === 'warn' && message.includes('cancel_flight'));
  expect(warning?.message).toContain('did you mean cancel_fligt?');
});

it('many tasks are undone together, and tasks without anything to undo are skipped with the reason', async () => {
  const calls: string[] = [];
  const { tasker } = await setup({
    templates: [template({ a: { undo: { handler: 'undo_a' } } }), template({ b: [] }, { name: 'plain' })],
    handlers: noting(['a', 'b', 'undo_a'], calls),
  });
  const tasks = await tasker.createTasks([DEMO, DEMO, DEMO, { ...DEMO, name: 'plain' }]);
  await endStates(tasker, tasks);
  await tasker.undoTask(tasks[0]!.taskUuid);
  await tasker.waitForTask(tasks[0]!.taskUuid);
  const ids = tasks.map(({ taskUuid }) => taskUuid);
  expect(await tasker.bulk.undo({ ids }).preview()).toMatchObject({ matched: 4 });
  const { done, skipped } = await tasker.bulk.undo({ ids }, { actor: 'ana' }).result();
  expect(done).toBe(2);
  expect(skipped.map(({ why }) => why).sort()).toEqual(['it is undone', 'no step of its template has `undo`']);
  expect((await endStates(tasker, tasks)).sort()).toEqual(['complete', 'undone']);
  expect(calls.filter((call) => call === 'undo_a')).toHaveLength(3);
  const more = await tasker.createTasks([DEMO, DEMO]);
  await endStates(tasker, more);
  expect((await tasker.bulk.undo({ status: 'complete', name: 'demo' }).result()).done).toBe(2);
  expect(await endStates(tasker, more)).toEqual(['undone']);
});

it('a failure that was handled or tolerated before an undo stays, whatever is retried afterwards', async () => {
  const calls: string[] = [];
  let broken = true;
  const { tasker, sql } = await setup({
    templates: template({
      cut: { type: 'batchable', undo: { handler: 'undo_cut', ...NEVER_RETRY } },
      rows: { ...workers(['cut'], { failure_strategy: 'continue_on_failure' }), ...NEVER_RETRY },
      b: NEVER_RETRY,
      c: { dependencies: ['b'], run_if: 'failed' },
    }),
    handlers: noting(['cut', 'rows', 'b', 'c', 'undo_cut'], calls, {
      cut: () => partsFor('rows', '1', '2'),
      rows: failing('row'),
      b: failing('b'),
      undo_cut: () => broken && failing('down')(),
    }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('blocked_by_failures');
  for (const step of ['b', 'rows_1']) {
    await expect(tasker.resetStep(taskUuid, step)).rejects.toMatchObject({ code: 'illegal_transition' });
  }
  broken = false;
  calls.length = 0;
  expect(await tasker.retryTask(taskUuid)).toEqual(['undo:cut']);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
  expect(calls).toEqual(['undo_cut']);
  expect(await states(tasker, taskUuid)).toMatchObject({ b: 'error', rows_1: 'error', 'undo:cut': 'complete' });
  const [row] = await sql('select n_open, n_active, n_error from tasker.task');
  expect(row).toEqual({ n_open: 0, n_active: 0, n_error: 0 });
});

it('an undo that an operator resolved can be continued', async () => {
  let broken = true;
  const { tasker } = await setup({
    templates: template({ a: { undo: { handler: 'undo_a', ...NEVER_RETRY } } }),
    handlers: noting(['a', 'undo_a'], [], { undo_a: () => broken && failing('down')() }),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await tasker.undoTask(taskUuid);
  await tasker.waitForTask(taskUuid);
  await tasker.resolveTask(taskUuid);
  broken = false;
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
});

it('an undo whose handler does not read a result that is too large to be loaded completes', async () => {
  const large = () => ({ parts: Array.from({ length: 12 }, () => 'x'.repeat(900_000)) });
  const trip = workflow('test/large@1.0.0').step('flight', { run: large, undo: { run: () => ({}) } });
  const { tasker } = await setup({ workflows: [trip] });
  const { taskUuid } = await tasker.createTask(trip, {});
  await tasker.waitForTask(taskUuid);
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('undone');
});

it('the limits of a lifecycle count from the undo', async () => {
  const { tasker, sql } = await setup({
    templates: template(
      { a: { undo: { handler: 'undo_a', ...NEVER_RETRY } } },
      { lifecycle: { max_duration_minutes: 60, staleness_action: 'error' } },
    ),
    handlers: noting(['a', 'undo_a'], [], { undo_a: failing('down') }),
  });
  await firstCheck(tasker);
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await sql(
    "update tasker.task set created_at = created_at - interval '5 hours', done_at = done_at - interval '4 hours'",
  );
  await tasker.undoTask(taskUuid);
  expect((await tasker.waitForTask(taskUuid)).status).toBe('blocked_by_failures');
  await sql("update tasker.task_watch set check_at = now() - interval '1 minute'");
  await checkForStale(tasker);
  expect((await tasker.getTask(taskUuid)).status).toBe('blocked_by_failures');
});

it('an undone task is found by every filter, in every order', async () => {
  const { tasker } = await setup({
    templates: template({ a: { undo: { handler: 'undo_a' } } }),
    handlers: noting(['a', 'undo_a'], []),
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await tasker.waitForTask(taskUuid);
  await tasker.undoTask(taskUuid);
  await tasker.waitForTask(taskUuid);
  for (const filter of [
    { name: 'demo' },
    { ended: true },
    { endedAfter: '1h' },
    { status: 'undone' },
    { handler: 'a' },
  ] as const) {
    for (const sort of ['created', 'ended', 'updated'] as const) {
      const found = await until(
        () => tasker.listTasks(filter, { sort }),
        ({ tasks }) => tasks.length > 0,
      );
      expect(
        found.tasks.map((task) => task.taskUuid),
        JSON.stringify([filter, sort]),
      ).toEqual([taskUuid]);
    }
  }
});

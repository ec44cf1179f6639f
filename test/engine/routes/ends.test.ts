import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { DEMO, deferred, endStates, invariants, setup, template } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = defineHandler('ok', {}, () => ({ total: 7 }));
const fails = defineHandler('fails', {}, () => {
  throw new Error('no money');
});
const slow = defineHandler(
  'slow',
  {},
  ({ context }) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, 60_000, {});
      context.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve({ stopped: true });
      });
    }),
);
const ONCE = { retry: { max_attempts: 1 } };

async function run(steps: Record<string, object>, { context = {}, task = {} } = {}) {
  const made = await shared.setup(steps as never, { handlers: [ok, fails, slow], task });
  const { taskUuid } = await made.tasker.createTask({ ...made.demo, context });
  const done = await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const states = async () =>
    Object.fromEntries((await made.tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
  return { ...made, taskUuid, done, status: done.status, states: await states(), statesNow: states };
}

describe('a step of the type fail', () => {
  const steps = {
    price: { handler: 'ok' },
    work: { handler: 'slow' },
    abort: {
      type: 'fail',
      handler: undefined,
      dependencies: ['price'],
      when: 'context.bad',
      message: 'too much: {{ steps.price.total }} of {{ context.name }}',
    },
    clean: { handler: 'ok', dependencies: ['price', 'work'], run_if: 'ended' },
  };

  it('ends its task in error with its message, cancels what is open, and runs no route', async () => {
    const { status, states, tasker, taskUuid } = await run(steps, { context: { bad: true, name: 'Ada' } });
    expect(status).toBe('error');
    expect(states).toEqual({ price: 'complete', work: 'cancelled', abort: 'complete', clean: 'cancelled' });
    const { summary } = await tasker.why(taskUuid);
    expect(summary).toBe('was ended by a step of the type fail: too much: 7 of Ada');
    await invariants(shared.sql);
  });

  it('ends its task with the message of the first, if several end it at once', async () => {
    const failing = (message: string) => ({ type: 'fail', handler: undefined, dependencies: ['price'], message });
    const { status, tasker, taskUuid } = await run({
      price: { handler: 'ok' },
      one: failing('the first'),
      two: failing('the second'),
      three: failing('the third'),
    });
    expect(status).toBe('error');
    expect((await tasker.why(taskUuid)).summary).toBe('was ended by a step of the type fail: the first');
  });

  it('does nothing if its condition is false, and a rerun reopens a task that it ended', async () => {
    const short = {
      price: { handler: 'ok' },
      abort: { ...steps.abort },
      ship: { handler: 'ok', dependencies: ['price'] },
    };
    const fine = await run(short, { context: { bad: false, name: '' } });
    expect(fine.status).toBe('complete');
    expect(fine.states).toMatchObject({ abort: 'skipped', ship: 'complete' });
    const bad = await run(short, { context: { bad: true, name: '' } });
    expect(bad.status).toBe('error');
    await bad.tasker.rerunTask(bad.taskUuid, { from: 'abort', actor: 'ada', reason: 'again' });
    expect((await bad.tasker.waitForTask(bad.taskUuid, { timeoutMs: 20_000 })).status).toBe('error');
    await invariants(shared.sql);
  });

  it('lets the steps after it run if it is skipped, and ends the task before them if it runs', async () => {
    const guarded = {
      price: { handler: 'ok' },
      too_large: {
        type: 'fail',
        handler: undefined,
        dependencies: ['price'],
        when: 'context.total > 100',
        message: 'it costs {{ context.total }}',
      },
      charge: { handler: 'ok', dependencies: ['too_large'], run_if: 'not_failed' },
    };
    const small = await run(guarded, { context: { total: 7 } });
    expect(small.status).toBe('complete');
    expect(small.states).toEqual({ price: 'complete', too_large: 'skipped', charge: 'complete' });
    const large = await run(guarded, { context: { total: 700 } });
    expect(large.status).toBe('error');
    expect(large.states).toMatchObject({ price: 'complete', charge: 'cancelled' });
  });
});

describe('on_blocked: error', () => {
  const task = { lifecycle: { on_blocked: 'error' } };

  it('ends the task in error once nothing can run and a failure is not handled', async () => {
    const { status, states, tasker, taskUuid } = await run(
      { a: { handler: 'fails', ...ONCE }, b: { handler: 'ok' }, c: { handler: 'ok', dependencies: ['a', 'b'] } },
      { task },
    );
    expect(status).toBe('error');
    expect(states).toEqual({ a: 'cancelled', b: 'complete', c: 'cancelled' });
    expect((await tasker.why(taskUuid)).summary).toBe(
      'was ended by its lifecycle: blocked by failures of a (on_blocked: error)',
    );
    await invariants(shared.sql);
  });

  it('does not end a task whose failure is handled', async () => {
    const { status } = await run(
      { a: { handler: 'fails', ...ONCE }, b: { handler: 'ok', dependencies: ['a'], run_if: 'failed' } },
      { task },
    );
    expect(status).toBe('complete');
  });
});

describe('operators', () => {
  const handled = {
    charge: { handler: 'fails', ...ONCE },
    ship: { handler: 'ok', dependencies: ['charge'] },
    release: { handler: 'ok', dependencies: ['charge'], run_if: 'failed' },
  };

  it('cannot reset, resolve, complete or retry a handled failure or a skipped step; the error names the rerun', async () => {
    const { tasker, taskUuid, status } = await run(handled);
    expect(status).toBe('complete');
    const by = { actor: 'ada', reason: 'test' };
    const way = `tasker task rerun ${taskUuid} --from charge`;
    for (const act of ['resetStep', 'resolveStep', 'completeStep', 'retryStep'] as const) {
      await expect(tasker[act](taskUuid, 'charge', by as never), act).rejects.toThrow(way);
    }
    await expect(tasker.resolveStep(taskUuid, 'ship', by)).rejects.toThrow(`tasker task rerun ${taskUuid} --from ship`);
    await expect(tasker.retryTask(taskUuid, by)).rejects.toThrow('has no step to retry');
    await invariants(shared.sql);
  });

  it('a rerun of a handled failure runs its routes again, as its preview says', async () => {
    const { tasker, taskUuid, statesNow } = await run(handled);
    const preview = await tasker.rerunTask(taskUuid, { from: 'charge', dryRun: true });
    expect(preview.steps.map(({ step }) => step)).toEqual(['charge', 'ship', 'release']);
    await tasker.rerunTask(taskUuid, { from: 'charge', actor: 'ada', reason: 'again' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await statesNow()).toEqual({ charge: 'error', ship: 'skipped', release: 'complete' });
    await tasker.rerunTask(taskUuid, { from: 'release', actor: 'ada', reason: 'again' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(shared.sql);
  });

  it('a failed route leaves both failures to the operator, and a reset of the route handles the first again', async () => {
    let broken = true;
    const route = defineHandler('route', {}, () => {
      if (broken) throw new Error('no');
      return {};
    });
    const steps = { ...handled, release: { handler: 'route', dependencies: ['charge'], run_if: 'failed', ...ONCE } };
    const { tasker, demo } = await shared.setup(steps as never, { handlers: [ok, fails, route] });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    await invariants(shared.sql);
    broken = false;
    await tasker.resetStep(taskUuid, 'release', { actor: 'ada', reason: 'mended' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(shared.sql);
  });

  it('a failure blocks again if its only route is skipped by its condition', async () => {
    const steps = { ...handled, release: { handler: 'ok', dependencies: ['charge'], run_if: 'failed', when: 'false' } };
    const { tasker, taskUuid, status, states, statesNow } = await run(steps);
    expect(status).toBe('blocked_by_failures');
    expect(states).toEqual({ charge: 'error', ship: 'pending', release: 'skipped' });
    await tasker.resolveStep(taskUuid, 'charge', { actor: 'ada', reason: 'paid by hand' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await statesNow()).toEqual({ charge: 'resolved_manually', ship: 'complete', release: 'skipped' });
    await invariants(shared.sql);
  });

  it('a failed route brings back the steps that were skipped, unless a step after them has begun', async () => {
    let broken = true;
    const route = defineHandler('route', {}, () => {
      if (broken) throw new Error('no');
      return {};
    });
    const steps = {
      ...handled,
      confirm: { handler: 'ok', dependencies: ['ship'] },
      note: { handler: 'ok', dependencies: ['charge'] },
      noted: { handler: 'ok', dependencies: ['note'], run_if: 'ended' },
      release: { handler: 'route', dependencies: ['charge'], run_if: 'failed', ...ONCE },
    };
    const { tasker, demo } = await shared.setup(steps as never, { handlers: [ok, fails, route] });
    const { taskUuid } = await tasker.createTask(demo);
    const states = async () =>
      Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    expect(await states()).toEqual({
      charge: 'error',
      ship: 'pending',
      confirm: 'pending',
      note: 'skipped',
      noted: 'complete',
      release: 'error',
    });
    const by = { actor: 'ada', reason: 'test' };
    for (const act of ['resetStep', 'retryStep'] as const) {
      await expect(tasker[act](taskUuid, 'charge', by)).rejects.toThrow(
        `a route after it has failed; rerun the step and everything after it with \`tasker task rerun ${taskUuid} --from charge\``,
      );
    }
    broken = false;
    expect(await tasker.retryTask(taskUuid, by)).toEqual(['release']);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await states()).toMatchObject({ charge: 'error', ship: 'skipped', confirm: 'skipped', release: 'complete' });
    await invariants(shared.sql);
  });

  it('a failed step whose route failed can be resolved, and the steps after it run', async () => {
    const steps = { ...handled, release: { handler: 'fails', dependencies: ['charge'], run_if: 'failed', ...ONCE } };
    const { tasker, taskUuid, status, statesNow } = await run(steps);
    expect(status).toBe('blocked_by_failures');
    const by = { actor: 'ada', reason: 'paid by hand' };
    await tasker.resolveStep(taskUuid, 'charge', by);
    await tasker.resolveStep(taskUuid, 'release', by);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await statesNow()).toEqual({ charge: 'resolved_manually', ship: 'complete', release: 'resolved_manually' });
    await invariants(shared.sql);
  });

  it('a failed route whose own failure is handled can run again, although the step before it has failed', async () => {
    let broken = true;
    const route = defineHandler('route', {}, () => {
      if (broken) throw new Error('no');
      return {};
    });
    const steps = {
      charge: { handler: 'fails', ...ONCE },
      release: { handler: 'route', dependencies: ['charge'], run_if: 'failed', ...ONCE },
      note: { handler: 'ok', dependencies: ['release'], run_if: 'ended' },
    };
    const { tasker, demo } = await shared.setup(steps as never, { handlers: [ok, fails, route] });
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    broken = false;
    await tasker.rerunTask(taskUuid, { from: 'release', actor: 'ada', reason: 'mended' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(shared.sql);
  });

  it('a cancelled task continues with its handled failures as they were', async () => {
    const wait = { type: 'signal', handler: undefined };
    const steps = {
      ...handled,
      paid: { ...wait, signal: { name: 'paid' } },
      told: { ...wait, dependencies: ['release'], signal: { name: 'told' } },
      other: { handler: 'ok' },
    };
    const { tasker, demo } = await shared.setup(steps as never, { handlers: [ok, fails] });
    const { taskUuid } = await tasker.createTask(demo);
    const states = async () =>
      Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
    const rests = { charge: 'error', ship: 'skipped', release: 'complete', paid: 'waiting', told: 'waiting' };
    await expect.poll(states, { timeout: 20_000 }).toMatchObject(rests);
    const by = { actor: 'ada', reason: 'test' };
    await tasker.cancelTask(taskUuid, by);
    expect(await states()).toMatchObject({ charge: 'cancelled', ship: 'skipped', release: 'complete' });
    const preview = await tasker.rerunTask(taskUuid, { from: 'other', dryRun: true });
    expect(preview.steps.map(({ step, change }) => [step, change])).toEqual([
      ['paid', 'returned'],
      ['told', 'returned'],
      ['other', 'again'],
    ]);
    await tasker.rerunTask(taskUuid, { from: 'other', ...by });
    await expect.poll(states, { timeout: 20_000 }).toMatchObject({ ...rests, other: 'complete' });
    const charge = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'charge')!;
    expect(charge).toMatchObject({ attempts: 1, results: { error: { message: 'no money' } } });
    await invariants(shared.sql);
    await tasker.signal(taskUuid, 'paid', {});
    await tasker.signal(taskUuid, 'told', {});
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(shared.sql);
  });

  it('a route that its condition skipped stays skipped, although a step before it waits again', async () => {
    const steps = {
      charge: { handler: 'fails', ...ONCE },
      ship: { handler: 'ok', dependencies: ['charge'] },
      note: { handler: 'ok', dependencies: ['charge', 'ship'], run_if: 'ended', when: 'false' },
    };
    const { tasker, taskUuid, status, states, statesNow } = await run(steps);
    expect(status).toBe('blocked_by_failures');
    expect(states).toEqual({ charge: 'error', ship: 'pending', note: 'skipped' });
    await invariants(shared.sql);
    await tasker.resolveStep(taskUuid, 'charge', { actor: 'ada', reason: 'paid by hand' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await statesNow()).toEqual({ charge: 'resolved_manually', ship: 'complete', note: 'skipped' });
    await invariants(shared.sql);
  });

  it('resolving a step decides the steps after it, however deep', async () => {
    const steps = {
      charge: { handler: 'fails', ...ONCE },
      next: { handler: 'ok', dependencies: ['charge'] },
      sorry: { handler: 'ok', dependencies: ['next'], run_if: 'failed' },
      end: { handler: 'ok', dependencies: ['sorry'] },
    };
    const { tasker, taskUuid, status, statesNow } = await run(steps);
    expect(status).toBe('blocked_by_failures');
    await tasker.resolveStep(taskUuid, 'charge', { actor: 'ada', reason: 'paid by hand' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await statesNow()).toEqual({
      charge: 'resolved_manually',
      next: 'complete',
      sorry: 'skipped',
      end: 'skipped',
    });
    await invariants(shared.sql);
  });
});

describe('the failure of a step', () => {
  it('is read once for each step that reads it, also by a worker whose slots are all taken', async () => {
    const tell = defineHandler('tell', {}, ({ context }) => ({ text: context.inputData }));
    const steps = {
      charge: { handler: 'fails', ...ONCE },
      tell: { handler: 'tell', dependencies: ['charge'], run_if: 'failed', inputs: { why: 'errors.charge.message' } },
    };
    const { tasker, demo } = await shared.setup(steps as never, { handlers: [fails, tell], concurrency: 2 });
    const tasks = await tasker.createTasks(Array.from({ length: 100 }, () => demo));
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    }
    const [row] = await shared.sql<{ starts: number }>(
      `select sum(attempts)::int starts from tasker.step where task_uuid = any ($1)`,
      [tasks.map(({ taskUuid }) => taskUuid)],
    );
    expect(row).toEqual({ starts: 200 });
  });

  it('is read by expressions of the routes after it, and in the output', async () => {
    const tell = defineHandler('tell', {}, ({ context }) => ({ text: context.inputData }));
    const steps = {
      charge: { handler: 'fails', ...ONCE },
      tell: {
        handler: 'tell',
        dependencies: ['charge'],
        run_if: 'failed',
        inputs: { why: 'errors.charge.message', tries: 'errors.charge.attempts' },
      },
      large: {
        handler: 'ok',
        dependencies: ['charge'],
        run_if: 'ended',
        when: 'has(errors.charge) && !has(steps.charge)',
      },
    };
    const { tasker, demo } = await shared.setup(steps as never, {
      handlers: [ok, fails, tell],
      task: { output: { why: 'errors.charge.message' } },
    });
    const { taskUuid } = await tasker.createTask(demo);
    const done = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(done).toMatchObject({ status: 'complete', output: { why: 'no money' } });
    const told = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'tell');
    expect(told?.results?.result).toEqual({ text: { why: 'no money', tries: 1 } });
  });
});

it('the steps after a final loss of a worker are decided: a route starts, and a task without one is ended by on_blocked', async () => {
  const { tasker, sql, another } = await setup({
    worker: false,
    templates: [
      template({ a: { retry: { retryable: false } }, b: { dependencies: ['a'], run_if: 'failed' } }),
      template({ a: { retry: { retryable: false } } }, { name: 'ending', lifecycle: { on_blocked: 'error' } }),
    ],
  });
  const tasks = await tasker.createTasks([DEMO, { ...DEMO, name: 'ending' }]);
  const begun = [deferred(), deferred()];
  let starts = 0;
  const lost = await another({
    worker: true,
    handlers: [
      defineHandler('a', {}, () => {
        begun[starts++]?.resolve();
        return new Promise(() => {});
      }),
    ],
  });
  await Promise.all(begun.map(({ promise }) => promise));
  await sql(`update tasker.worker set lease_until = now() - interval '1 hour'`);
  expect((await tasker.engine.sweep(0)).steps).toHaveLength(2);
  await lost.stop({ drainTimeoutMs: 0 });
  const ends = (await tasker.getHistory(tasks[0]!.taskUuid)).filter(({ step }) => step === 'a');
  expect(ends.map(({ what }) => what)).toEqual(['worker_lost']);
  await another({ worker: true, handlers: [defineHandler('b', {}, () => ({}))] });
  expect(await endStates(tasker, tasks)).toEqual(['complete', 'error']);
});

import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { partsFor, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = defineHandler('ok', {}, () => ({ done: true }));
const fails = defineHandler('fails', {}, () => {
  throw new PermanentError('no money');
});
/** Decides as its context says. */
const decide = defineHandler('decide', {}, ({ context }) => {
  const { choose } = context.inputData as { choose: string[] | null | 'fail' };
  if (choose === 'fail') throw new PermanentError('undecided');
  if (choose === null) return { decision_point_outcome: { type: 'no_branches' } };
  return { decision_point_outcome: { type: 'create_steps', step_names: choose } };
});
const split = defineHandler('split', {}, () => partsFor('rows', '1', '2', '3'));
const row = defineHandler('row', {}, ({ context }) => {
  const { bad } = context.inputData as { bad: string[] };
  const { batch_id } = context.stepInputs['cursor'] as { batch_id: string };
  if (bad.includes(batch_id)) throw new PermanentError(`row ${batch_id}`);
  return { itemsProcessed: 1 };
});

async function run(steps: Record<string, object>, context: object) {
  const made = await shared.setup(steps as never, { handlers: [ok, fails, decide, split, row] });
  const { taskUuid } = await made.tasker.createTask({ ...made.demo, context: context as never });
  const done = await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const states = Object.fromEntries(
    (await made.tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]),
  );
  await invariants(shared.sql);
  return { ...made, taskUuid, status: done.status, states };
}

describe('routes below a decision', () => {
  const steps = {
    first: { handler: 'ok' },
    choice: { handler: 'decide', type: 'decision', dependencies: ['first'] },
    a: { handler: 'ok', dependencies: ['choice'] },
    b: { handler: 'ok', dependencies: ['choice'] },
    sorry: { handler: 'ok', dependencies: ['choice'], run_if: 'failed' },
    clean: { handler: 'ok', dependencies: ['a', 'b'], run_if: 'ended' },
  };

  it('are not created for a branch that was not chosen, and run after the chosen one', async () => {
    const { status, states } = await run(steps, { choose: ['a'] });
    expect(states).toEqual({ first: 'complete', choice: 'complete', a: 'complete', clean: 'complete' });
    expect(status).toBe('complete');
  });

  it('are created if the decision fails', async () => {
    const { status, states } = await run(steps, { choose: 'fail' });
    expect(states).toEqual({ first: 'complete', choice: 'error', sorry: 'complete', clean: 'complete' });
    expect(status).toBe('complete');
  });

  it('that need no failure are not created while its failure blocks, so a reset of the decision chooses freely', async () => {
    let broken = true;
    const flaky = defineHandler('flaky', {}, () => {
      if (broken) throw new PermanentError('undecided');
      return { decision_point_outcome: { type: 'create_steps', step_names: ['a'] } };
    });
    const { first, choice, a } = steps;
    const list = {
      first,
      choice: { ...choice, handler: 'flaky' },
      a,
      extra: { handler: 'ok', dependencies: ['choice'], run_if: 'not_failed' },
    };
    const { tasker, demo } = await shared.setup(list as never, { handlers: [ok, flaky] });
    const { taskUuid } = await tasker.createTask(demo);
    const states = async () =>
      Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    expect(await states()).toEqual({ first: 'complete', choice: 'error' });
    broken = false;
    await tasker.resetStep(taskUuid, 'choice', { actor: 'ada', reason: 'mended' });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await states()).toEqual({ first: 'complete', choice: 'complete', a: 'complete' });
    await invariants(shared.sql);
  });

  it('are created and decided if the decision chooses nothing', async () => {
    const { status, states } = await run(steps, { choose: null });
    expect(states).toEqual({ first: 'complete', choice: 'complete', sorry: 'skipped', clean: 'complete' });
    expect(status).toBe('complete');
  });

  it('are created although a step below the decision exists already because of a batch', async () => {
    let decideNow = () => {};
    const asked = new Promise<void>((resolve) => {
      decideNow = resolve;
    });
    const late = defineHandler('late', {}, async () => {
      await asked;
      return { decision_point_outcome: { type: 'no_branches' } };
    });
    const list = {
      first: { handler: 'ok' },
      choice: { handler: 'late', type: 'decision', dependencies: ['first'] },
      a: { handler: 'ok', dependencies: ['choice'] },
      extra: { handler: 'ok', dependencies: ['a'], run_if: 'not_failed' },
      split: { handler: 'split', type: 'batchable' },
      rows: { ...workers(['split'], { failure_strategy: 'fail_fast' }), handler: 'row' },
      clean: { handler: 'ok', dependencies: ['a', 'rows'], run_if: 'ended' },
    };
    const { tasker, demo } = await shared.setup(list as never, { handlers: [ok, late, split, row] });
    const { taskUuid } = await tasker.createTask({ ...demo, context: { bad: [] } });
    const names = async () => (await tasker.getSteps(taskUuid)).map(({ name }) => name);
    await expect.poll(names, { timeout: 20_000 }).toContain('clean');
    decideNow();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    const extra = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'extra');
    expect(extra).toMatchObject({ currentState: 'complete' });
    await invariants(shared.sql);
  });

  it('are created and decided if the decision is skipped', async () => {
    const skipped = { ...steps, first: { handler: 'ok', when: 'false' } };
    const { status, states } = await run(skipped, { choose: ['a'] });
    expect(states).toEqual({ first: 'skipped', choice: 'skipped', sorry: 'skipped', clean: 'complete' });
    expect(status).toBe('complete');
  });

  it('handle the failure of a chosen branch', async () => {
    const failing = {
      ...steps,
      a: { handler: 'fails', dependencies: ['choice'] },
      refund: { handler: 'ok', dependencies: ['a'], run_if: 'failed' },
    };
    const { status, states } = await run(failing, { choose: ['a', 'b'] });
    expect(states).toMatchObject({ a: 'error', b: 'complete', refund: 'complete', clean: 'complete' });
    expect(status).toBe('complete');
  });
});

describe('routes after a batch', () => {
  const steps = (strategy: string) => ({
    split: { handler: 'split', type: 'batchable' },
    rows: { ...workers(['split'], { failure_strategy: strategy }), handler: 'row' },
    sum: { handler: 'ok', type: 'deferred_convergence', dependencies: ['rows'] },
    repair: { handler: 'ok', dependencies: ['rows'], run_if: 'failed' },
    always: { handler: 'ok', dependencies: ['rows'], run_if: 'ended' },
  });

  it('a failed worker is a completed one if the batch continues without it', async () => {
    const { status, states } = await run(steps('continue_on_failure'), { bad: ['2'] });
    expect(states).toMatchObject({ rows_1: 'complete', rows_2: 'error', rows_3: 'complete' });
    expect(states).toMatchObject({ sum: 'complete', repair: 'skipped', always: 'complete' });
    expect(status).toBe('complete');
  });

  it('the failed and cancelled workers of a fail_fast batch are one failed parent', async () => {
    const { status, states } = await run(steps('fail_fast'), { bad: ['1', '2', '3'] });
    expect(states).toMatchObject({ sum: 'skipped', repair: 'complete', always: 'complete' });
    expect(status).toBe('complete');
  });

  it('the routes are created if the analyzer fails', async () => {
    const broken = { ...steps('fail_fast'), split: { handler: 'fails', type: 'batchable' } };
    const sorry = { handler: 'ok', dependencies: ['split'], run_if: 'failed' };
    const { status, states } = await run({ ...broken, sorry }, { bad: [] });
    expect(states).toEqual({ split: 'error', repair: 'skipped', always: 'complete', sorry: 'complete' });
    expect(status).toBe('complete');
  });
});

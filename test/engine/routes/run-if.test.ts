import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = defineHandler('ok', {}, () => ({ done: true }));
const fails = defineHandler('fails', {}, () => {
  throw new Error('no money');
});
const ONCE = { retry: { max_attempts: 1 } };

/** Runs a task of these steps until it rests, and returns the states of its steps. */
async function run(steps: Record<string, object>, { context = {}, task = {} } = {}) {
  const made = await shared.setup(steps as never, { handlers: [ok, fails], task });
  const { taskUuid } = await made.tasker.createTask({ ...made.demo, context });
  const done = await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return { ...made, taskUuid, status: done.status, states: await statesOf(made.tasker, taskUuid) };
}

async function statesOf(
  tasker: { getSteps(uuid: string): Promise<{ name: string; currentState: string }[]> },
  uuid: string,
) {
  return Object.fromEntries((await tasker.getSteps(uuid)).map((step) => [step.name, step.currentState]));
}

describe('run_if', () => {
  it('runs a route after a failure, and skips what needed the success; the task is complete', async () => {
    const { status, states } = await run({
      charge: { handler: 'fails', ...ONCE },
      ship: { handler: 'ok', dependencies: ['charge'] },
      confirm: { handler: 'ok', dependencies: ['ship'] },
      release: { handler: 'ok', dependencies: ['charge'], run_if: 'failed' },
      tell: { handler: 'ok', dependencies: ['release'] },
      ledger: { handler: 'ok', dependencies: ['confirm', 'tell'], run_if: 'ended' },
    });
    expect(states).toEqual({
      charge: 'error',
      ship: 'skipped',
      confirm: 'skipped',
      release: 'complete',
      tell: 'complete',
      ledger: 'complete',
    });
    expect(status).toBe('complete');
  });

  it('skips the route after a success', async () => {
    const { status, states } = await run({
      charge: { handler: 'ok' },
      ship: { handler: 'ok', dependencies: ['charge'] },
      release: { handler: 'ok', dependencies: ['charge'], run_if: 'failed' },
      tell: { handler: 'ok', dependencies: ['release'] },
      ledger: { handler: 'ok', dependencies: ['ship', 'tell'], run_if: 'ended' },
    });
    expect(states).toEqual({
      charge: 'complete',
      ship: 'complete',
      release: 'skipped',
      tell: 'skipped',
      ledger: 'complete',
    });
    expect(status).toBe('complete');
  });

  it('blocks the task if no route handles the failure', async () => {
    const { status, states } = await run({
      charge: { handler: 'fails', ...ONCE },
      ship: { handler: 'ok', dependencies: ['charge'], run_if: 'not_failed' },
    });
    expect(states).toEqual({ charge: 'error', ship: 'pending' });
    expect(status).toBe('blocked_by_failures');
  });

  it('not_failed runs after skipped steps', async () => {
    const { states } = await run({
      price: { handler: 'ok' },
      approve: { handler: 'ok', dependencies: ['price'], when: 'false' },
      ship: { handler: 'ok', dependencies: ['price', 'approve'], run_if: 'not_failed' },
      strict: { handler: 'ok', dependencies: ['price', 'approve'] },
    });
    expect(states).toEqual({ price: 'complete', approve: 'skipped', ship: 'complete', strict: 'skipped' });
  });
});

describe('when', () => {
  const steps = {
    price: { handler: 'ok' },
    approve: { handler: 'ok', dependencies: ['price'], when: 'context.total > 100 && steps.price.done' },
  };

  it('runs the step only if the condition is true, and a skipped step spends no attempt', async () => {
    const large = await run(steps, { context: { total: 101 } });
    expect(large.states).toEqual({ price: 'complete', approve: 'complete' });
    const small = await run(steps, { context: { total: 100 } });
    expect(small.states).toEqual({ price: 'complete', approve: 'skipped' });
    expect(small.status).toBe('complete');
    const approve = (await small.tasker.getSteps(small.taskUuid)).find(({ name }) => name === 'approve');
    expect(approve).toMatchObject({ attempts: 0 });
  });

  it('fails the step permanently if it cannot be evaluated', async () => {
    const { status, states, tasker, taskUuid } = await run(steps);
    expect(states).toEqual({ price: 'complete', approve: 'error' });
    expect(status).toBe('blocked_by_failures');
    const approve = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'approve');
    expect(approve?.results?.error).toMatchObject({
      error_type: 'expression_failed',
      message: 'step approve: when: context.total does not exist; test it first with has(context.total)',
    });
  });

  it('is evaluated by a worker that lacks the handler, and why shows the condition with the values it read', async () => {
    const made = await shared.setup(
      { price: { handler: 'ok' }, approve: { ...steps.approve, handler: 'of_nobody' } } as never,
      { handlers: [ok] },
    );
    const { taskUuid } = await made.tasker.createTask({ ...made.demo, context: { total: 7 } });
    expect((await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    const { summary, steps: explained } = await made.tasker.why(taskUuid);
    expect(summary).toBe('is complete: 1 of 2 steps are done, 1 was skipped');
    expect(explained[1]).toMatchObject({
      state: 'skipped',
      why: 'was skipped, because its condition is false: context.total > 100 && steps.price.done (context.total is 7, steps.price.done is true)',
    });
    const history = await made.tasker.getHistory(taskUuid);
    expect(history.map(({ step, what }) => [step, what])).toEqual([
      ['price', 'completed'],
      ['approve', 'skipped'],
    ]);
  });

  it('does not show sensitive values that the condition read', async () => {
    const made = await shared.setup({ a: { handler: 'ok', when: 'context.card == "x"' } } as never, {
      handlers: [ok],
      task: { sensitive: ['card'] },
    });
    const { taskUuid } = await made.tasker.createTask({ ...made.demo, context: { card: '4111-1111' } });
    await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(JSON.stringify((await made.tasker.why(taskUuid)).steps)).toContain('context.card is [redacted]');
  });

  it('why names the failures and the skipped steps that a step was skipped for, and who handled a failure', async () => {
    const { tasker, taskUuid } = await run({
      charge: { handler: 'fails', ...ONCE },
      ship: { handler: 'ok', dependencies: ['charge'] },
      confirm: { handler: 'ok', dependencies: ['ship'] },
      release: { handler: 'ok', dependencies: ['charge'], run_if: 'failed' },
      sorry: { handler: 'ok', dependencies: ['release'], run_if: 'failed' },
    });
    const { summary, steps: explained } = await tasker.why(taskUuid);
    expect(summary).toBe(
      'is complete: 1 of 5 steps are done, 3 were skipped; charge failed, and other steps handled it',
    );
    expect(explained.map(({ why }) => why.replace(/at \S+Z/, 'at …'))).toEqual([
      'failed permanently in attempt 1 of 1: no money; the failure is handled by release',
      'was skipped, because charge failed (run_if: complete)',
      'was skipped, because ship was skipped (run_if: complete)',
      'completed at …',
      'was skipped, because no step before it failed (run_if: failed)',
    ]);
  });

  it('skips a chain of 10,000 steps in one recording', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 9_998 }, (_, i) => [
        `s${i}`,
        { handler: 'ok', dependencies: [i === 0 ? 'first' : `s${i - 1}`] },
      ]),
    );
    const { status, states } = await run({ first: { handler: 'ok', when: 'false' }, ...chain });
    expect(status).toBe('complete');
    expect(new Set(Object.values(states))).toEqual(new Set(['skipped']));
  });
});

import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { partsFor } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const ok = defineHandler('ok', {}, ({ context }) => ({ by: context.stepConfig['step'] ?? null }));
const fails = defineHandler('fails', {}, () => {
  throw new PermanentError('no answer');
});
const by = { actor: 'ada', reason: 'test' };

/** A handler that runs until it is stopped, and how often it was stopped. */
function endless() {
  const stopped: true[] = [];
  const handler = defineHandler('endless', {}, async ({ signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    stopped.push(true);
    return { late: true };
  });
  return { stopped, handler };
}

async function begin(steps: Record<string, object>, handlers: unknown[] = [ok, fails], context = {}) {
  const made = await shared.setup(steps as never, { handlers: handlers as never, concurrency: 4 });
  const { taskUuid } = await made.tasker.createTask({ ...made.demo, context });
  const statesNow = async () =>
    Object.fromEntries((await made.tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
  const end = async () => (await made.tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status;
  const reach = (step: string, state: string) =>
    expect.poll(async () => (await statesNow())[step], { timeout: 20_000 }).toBe(state);
  const whyOf = async (step: string) => (await made.tasker.why(taskUuid)).steps.find((one) => one.step === step)!.why;
  return { ...made, taskUuid, statesNow, end, reach, whyOf };
}

describe('join: any', () => {
  it('starts with the first parent that completes, and stops the steps that lead only to it', async () => {
    const { stopped, handler } = endless();
    const { end, statesNow, whyOf } = await begin(
      {
        start: { handler: 'ok' },
        fast: { handler: 'ok', dependencies: ['start'] },
        slow: { handler: 'endless', dependencies: ['start'] },
        after_slow: { handler: 'ok', dependencies: ['slow'] },
        signal: { type: 'signal', handler: undefined, dependencies: ['start'], signal: { name: 'paid' } },
        first: { handler: 'ok', dependencies: ['fast', 'after_slow', 'signal'], join: 'any' },
        last: { handler: 'ok', dependencies: ['first'] },
      },
      [ok, handler],
    );
    expect(await end()).toBe('complete');
    const states = await statesNow();
    expect(states).toMatchObject({ fast: 'complete', after_slow: 'skipped', first: 'complete', last: 'complete' });
    // A worker may or may not have claimed them before the join began.
    for (const step of ['slow', 'signal']) expect(['cancelled', 'skipped'], step).toContain(states[step]);
    if (states['slow'] === 'cancelled') await expect.poll(() => stopped).toEqual([true]);
    expect(await whyOf('slow')).toMatch(/^was (cancelled|skipped), because first began without it \(join: any\)$/);
    await invariants(shared.sql);
  });

  it('cancels a running loser, whose signal fires and whose late result is refused', async () => {
    const { stopped, handler } = endless();
    const { tasker, taskUuid, end, reach, statesNow, whyOf } = await begin(
      {
        slow: { handler: 'endless' },
        paid: { type: 'signal', handler: undefined, signal: { name: 'paid' } },
        first: { handler: 'ok', dependencies: ['slow', 'paid'], join: 'any' },
      },
      [ok, handler],
    );
    await reach('slow', 'in_progress');
    await reach('paid', 'waiting');
    expect(await whyOf('first')).toBe('waits for the first of slow, paid');
    await tasker.signal(taskUuid, 'paid', {});
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({ slow: 'cancelled', paid: 'complete', first: 'complete' });
    await expect.poll(() => stopped).toEqual([true]);
    const history = await tasker.getHistory(taskUuid);
    expect(history.filter(({ step }) => step === 'slow').map(({ what }) => what)).toEqual(['cancelled']);
    await invariants(shared.sql);
  });

  it('cancels losers that wait or wait for a retry', async () => {
    const fails = defineHandler('fails', {}, () => {
      throw new Error('busy');
    });
    const { tasker, taskUuid, end, reach, statesNow } = await begin(
      {
        retried: { handler: 'fails', retry: { max_attempts: 3, backoff_base_ms: 60_000 } },
        later: { type: 'timer', handler: undefined, timer: { for: '1h' } },
        paid: { type: 'signal', handler: undefined, signal: { name: 'paid' } },
        first: { handler: 'ok', dependencies: ['retried', 'later', 'paid'], join: 'any' },
      },
      [ok, fails],
    );
    await reach('retried', 'waiting_for_retry');
    await reach('later', 'waiting');
    await reach('paid', 'waiting');
    await tasker.signal(taskUuid, 'paid', {});
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({
      retried: 'cancelled',
      later: 'cancelled',
      paid: 'complete',
      first: 'complete',
    });
    await invariants(shared.sql);
  });

  it('lets steps with other steps after them continue, and all of them with others: continue', async () => {
    const { tasker, taskUuid, end, reach, statesNow } = await begin({
      one: { type: 'signal', handler: undefined, signal: { name: 'one' } },
      two: { type: 'signal', handler: undefined, signal: { name: 'two' } },
      more: { handler: 'ok', dependencies: ['two'] },
      three: { type: 'signal', handler: undefined, signal: { name: 'three' } },
      first: { handler: 'ok', dependencies: ['one', 'two'], join: 'any' },
      other: { handler: 'ok', dependencies: ['one', 'three'], join: 'any', others: 'continue' },
    });
    for (const step of ['one', 'two', 'three']) await reach(step, 'waiting');
    await tasker.signal(taskUuid, 'one', {});
    await reach('first', 'complete');
    await reach('other', 'complete');
    expect(await statesNow()).toMatchObject({ two: 'waiting', more: 'pending', three: 'waiting' });
    await tasker.signal(taskUuid, 'two', {});
    await tasker.signal(taskUuid, 'three', {});
    expect(await end()).toBe('complete');
    expect(await statesNow()).toMatchObject({ two: 'complete', more: 'complete', three: 'complete' });
    await invariants(shared.sql);
  });

  it('handles the failures of losers once one parent completes, before and after', async () => {
    const { tasker, taskUuid, end, reach, statesNow, whyOf } = await begin({
      broken: { handler: 'fails' },
      after_broken: { handler: 'ok', dependencies: ['broken'] },
      paid: { type: 'signal', handler: undefined, signal: { name: 'paid' } },
      first: { handler: 'ok', dependencies: ['after_broken', 'paid'], join: 'any' },
    });
    await reach('broken', 'error');
    await reach('paid', 'waiting');
    await tasker.signal(taskUuid, 'paid', {});
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({
      broken: 'error',
      after_broken: 'skipped',
      paid: 'complete',
      first: 'complete',
    });
    expect(await whyOf('broken')).toContain('the failure is handled by first');
    await expect(tasker.resetStep(taskUuid, 'broken', by)).rejects.toThrow(
      `tasker task rerun ${taskUuid} --from broken`,
    );
    await invariants(shared.sql);
  });

  it('blocks while all parents failed, and continues when one of them is resolved', async () => {
    const { tasker, taskUuid, end, statesNow, whyOf } = await begin({
      a: { handler: 'fails' },
      b: { handler: 'fails' },
      first: { handler: 'ok', dependencies: ['a', 'b'], join: 'any' },
    });
    expect(await end()).toBe('blocked_by_failures');
    expect(await statesNow()).toEqual({ a: 'error', b: 'error', first: 'pending' });
    expect(await whyOf('first')).toBe(
      'waits for the first of a, b; a, b failed, so it cannot run until an operator acts',
    );
    await tasker.resolveStep(taskUuid, 'b', by);
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({ a: 'error', b: 'resolved_manually', first: 'complete' });
    await invariants(shared.sql);
  });

  it('is skipped if all its parents are skipped', async () => {
    const { end, statesNow } = await begin({
      a: { handler: 'ok', when: 'false' },
      b: { handler: 'ok', when: 'false' },
      first: { handler: 'ok', dependencies: ['a', 'b'], join: 'any' },
      always: { handler: 'ok', dependencies: ['first'], run_if: 'not_failed' },
    });
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({ a: 'skipped', b: 'skipped', first: 'skipped', always: 'complete' });
    await invariants(shared.sql);
  });

  it('ends right if all of its thousand parents complete at once', async () => {
    const parents = Array.from({ length: 1_000 }, (_, i) => `p${i}`);
    const { end, statesNow, tasker, taskUuid } = await begin({
      ...Object.fromEntries(parents.map((name) => [name, { handler: 'ok' }])),
      first: { handler: 'ok', dependencies: parents, join: 'any' },
    });
    expect(await end()).toBe('complete');
    const states = Object.values(await statesNow());
    expect(new Set(states).size).toBeLessThanOrEqual(3);
    expect((await statesNow())['first']).toBe('complete');
    const first = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'first');
    expect(first?.attempts).toBe(1);
    await invariants(shared.sql);
  });

  it('waits after a rerun for the first of the parents that run again', async () => {
    const { tasker, taskUuid, end, reach, statesNow } = await begin({
      one: { type: 'signal', handler: undefined, signal: { name: 'one' } },
      two: { type: 'signal', handler: undefined, signal: { name: 'two' } },
      first: { handler: 'ok', dependencies: ['one', 'two'], join: 'any' },
    });
    await reach('one', 'waiting');
    await reach('two', 'waiting');
    await tasker.signal(taskUuid, 'one', { n: 1 });
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({ one: 'complete', two: 'cancelled', first: 'complete' });
    await tasker.rerunTask(taskUuid, { from: 'two', ...by });
    await reach('two', 'waiting');
    expect(await statesNow()).toEqual({ one: 'complete', two: 'waiting', first: 'pending' });
    await tasker.signal(taskUuid, 'two', { n: 2 });
    expect(await end()).toBe('complete');
    expect(await statesNow()).toEqual({ one: 'complete', two: 'complete', first: 'complete' });
    await tasker.rerunTask(taskUuid, { from: 'first', ...by });
    expect(await end()).toBe('complete');
    await invariants(shared.sql);
  });

  it('takes the first branch of a decision that ends', async () => {
    const route = defineHandler('route', {}, () => ({
      decision_point_outcome: { type: 'create_steps', step_names: ['a', 'b'] },
    }));
    const { stopped, handler } = endless();
    const { end, statesNow } = await begin(
      {
        start: { handler: 'ok' },
        route: { type: 'decision', handler: 'route', dependencies: ['start'] },
        a: { handler: 'ok', dependencies: ['route'] },
        b: { handler: 'endless', dependencies: ['route'] },
        c: { handler: 'ok', dependencies: ['route'] },
        first: { handler: 'ok', dependencies: ['a', 'b', 'c'], join: 'any' },
      },
      [ok, handler, route],
    );
    expect(await end()).toBe('complete');
    const states = await statesNow();
    expect(states).toMatchObject({ route: 'complete', a: 'complete', first: 'complete' });
    expect(['cancelled', 'skipped']).toContain(states['b']);
    if (states['b'] === 'cancelled') await expect.poll(() => stopped).toEqual([true]);
    await invariants(shared.sql);
  });

  it('stops the batch of a loser', async () => {
    const { stopped, handler } = endless();
    const config = {
      batch_size: 1,
      parallelism: 2,
      cursor_field: 'id',
      worker_template: 'work',
      failure_strategy: 'continue_on_failure',
    };
    const analyze = defineHandler('analyze', {}, () => partsFor('work', '1', '2', '3', '4', '5', '6'));
    const { tasker, taskUuid, end, reach, statesNow } = await begin(
      {
        analyze: { type: 'batchable', handler: 'analyze', batch_config: config },
        work: { type: 'batch_worker', dependencies: ['analyze'], handler: 'endless', batch_config: config },
        sum: { type: 'deferred_convergence', dependencies: ['work'], handler: 'ok' },
        paid: { type: 'signal', handler: undefined, signal: { name: 'paid' } },
        first: { handler: 'ok', dependencies: ['sum', 'paid'], join: 'any' },
      },
      [ok, handler, analyze],
    );
    await reach('work_1', 'in_progress');
    await reach('paid', 'waiting');
    await tasker.signal(taskUuid, 'paid', {});
    expect(await end()).toBe('complete');
    const states = await statesNow();
    expect(states).toMatchObject({ analyze: 'complete', paid: 'complete', sum: 'skipped', first: 'complete' });
    const ofBatch = Object.keys(states).filter((name) => name.startsWith('work_'));
    const counts = ['cancelled', 'skipped'].map((state) => ofBatch.filter((name) => states[name] === state).length);
    expect(counts).toEqual([2, 4]);
    await expect.poll(() => stopped).toEqual([true, true]);
    await invariants(shared.sql);
  });
});

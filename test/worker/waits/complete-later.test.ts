import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { completeLater } from '../../../src/handlers/later.ts';
import type { StepContext } from '../../../src/handlers/step-context.ts';
import { StepHandler } from '../../../src/handlers/step-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { partsFor, workers } from '../../support/hand-worker.ts';
import { invariants, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 30_000 };
const AT_ONCE = { retry: { max_attempts: 2, backoff: 'none' } };

/** A handler that records its tokens and waits for a completion. */
function charging(tokens: string[], options?: Parameters<typeof completeLater>[0]) {
  return defineHandler('charge', {}, async ({ context }) => {
    tokens.push(await context.completionToken());
    return completeLater(options);
  });
}

/** Waits until the step exists and waits, and returns it. */
async function waits(tasker: Awaited<ReturnType<typeof shared.setup>>['tasker'], taskUuid: string, name = 'charge') {
  const steps = await until(
    () => tasker.getSteps(taskUuid),
    (all) => all.some((step) => step.name === name && step.currentState === 'waiting'),
  );
  return steps.find((step) => step.name === name)!;
}

describe('a handler that returns completeLater', () => {
  it('frees its slot, and its step completes with the result of the token', async () => {
    const tokens: string[] = [];
    const ship = defineHandler('ship', { depends: { paid: 'charge' } }, ({ paid }) => ({ paid }));
    const { tasker, demo } = await shared.setup(
      { charge: [], ship: ['charge'] },
      { handlers: [charging(tokens, { metadata: { job: 'J-7' } }), ship], concurrency: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const step = await waits(tasker, taskUuid);
    expect(step.attempts).toBe(1);
    const { failed } = await until(
      () => tasker.stats!,
      ({ running, unrecorded }) => running === 0 && unrecorded === 0,
    );
    expect(failed).toBe(0);
    await tasker.completeByToken(tokens[0]!, { receipt: 'R-1' });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'ship')).results!.result).toEqual({ paid: { receipt: 'R-1' } });
    await invariants(shared.sql);
  });

  it('receives the same token on each request in one attempt, and a new token in the next attempt', async () => {
    const tokens: string[] = [];
    class Charge extends StepHandler {
      static override handlerName = 'charge';
      async call(context: StepContext) {
        const both = await Promise.all([context.completionToken(), context.completionToken()]);
        tokens.push(...both, await context.completionToken());
        return this.completeLater();
      }
    }
    const { tasker, demo } = await shared.setup({ charge: AT_ONCE }, { handlers: [Charge] });
    const { taskUuid } = await tasker.createTask(demo);
    await waits(tasker, taskUuid);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]!.length).toBeGreaterThan(30);
    const stored = await shared.sql(`select * from tasker.completion_token where task_uuid = $1`, [taskUuid]);
    expect(JSON.stringify(stored)).not.toContain(tokens[0]);
    await tasker.failByToken(tokens[0]!, { message: 'declined' });
    await until(
      () => tokens.length,
      (count) => count === 6,
    );
    expect(tokens[3]).not.toBe(tokens[0]);
    await waits(tasker, taskUuid);
    await tasker.completeByToken(tokens[3]!, {});
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
  });

  it('can be completed by an operator without a token', async () => {
    const later = defineHandler('charge', {}, () => completeLater());
    const { tasker, demo } = await shared.setup({ charge: [] }, { handlers: [later] });
    const { taskUuid } = await tasker.createTask(demo);
    await waits(tasker, taskUuid);
    await tasker.completeStep(taskUuid, 'charge', { result: { by: 'hand' } });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
  });

  it('is called again after its timeout, by the retry policy', async () => {
    const tokens: string[] = [];
    const { tasker, demo } = await shared.setup(
      { charge: AT_ONCE },
      { handlers: [charging(tokens, { timeoutMs: 200 })], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('blocked_by_failures');
    const step = await tasker.getStep(taskUuid, 'charge');
    expect(step).toMatchObject({ currentState: 'error', attempts: 2 });
    expect(tokens).toHaveLength(2);
    await expect(tasker.completeByToken(tokens[1]!, {})).rejects.toMatchObject({ code: 'wait_over' });
  });

  it('ends in error after its timeout if it is not retryable', async () => {
    const tokens: string[] = [];
    const { tasker, demo } = await shared.setup(
      { charge: { retry: { retryable: false } } },
      { handlers: [charging(tokens, { timeoutMs: 200 })], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, WAIT);
    expect(await tasker.getStep(taskUuid, 'charge')).toMatchObject({ currentState: 'error', attempts: 1 });
    expect(tokens).toHaveLength(1);
  });

  it('can be completed while it is running, which aborts it and discards its return value', async () => {
    const { lines, logger } = collectingLogger();
    let token = '';
    const slow = defineHandler('charge', {}, async ({ context, signal }) => {
      token = await context.completionToken();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return completeLater();
    });
    const { tasker, demo } = await shared.setup({ charge: [] }, { handlers: [slow], logger });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => token,
      (text) => text !== '',
    );
    await tasker.completeByToken(token, { early: true });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'charge')).results!.result).toEqual({ early: true });
    await until(
      () => tasker.stats!,
      ({ running }) => running === 0,
    );
    expect(lines.map(({ message }) => message)).toContain('handler settled after its step ended; result discarded');
  });

  it('creates the branches that its completion names if it is a decision', async () => {
    const tokens: Record<string, string> = {};
    const later = async ({ context }: { context: StepContext }) => {
      tokens.route = await context.completionToken();
      return completeLater();
    };
    const { tasker, demo } = await shared.setup(
      {
        begin: [],
        route: { type: 'decision', dependencies: ['begin'] },
        left: ['route'],
        right: ['route'],
      },
      {
        handlers: [
          defineHandler('begin', {}, () => ({})),
          defineHandler('route', {}, later),
          defineHandler('left', {}, () => ({ side: 'left' })),
          defineHandler('right', {}, () => ({ side: 'right' })),
        ],
      },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await waits(tasker, taskUuid, 'route');
    await tasker.completeByToken(tokens.route!, {
      decision_point_outcome: { type: 'create_steps', step_names: ['left'] },
    });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const names = (await tasker.getSteps(taskUuid)).map(({ name }) => name).sort();
    expect(names).toEqual(['begin', 'left', 'route']);
    await invariants(shared.sql);
  });

  it('keeps its place in the batch until it is completed if it is a batch worker', async () => {
    const tokens: string[] = [];
    const work = defineHandler('work', {}, async ({ context }) => {
      tokens.push(await context.completionToken());
      return completeLater();
    });
    const analyze = defineHandler('analyze', {}, () => partsFor('work', 'one', 'two'));
    const sum = defineHandler('sum', {}, ({ context }) => ({ parts: context.getAllDependencyResults('work_') }));
    const { tasker, demo } = await shared.setup(
      {
        analyze: { type: 'batchable', handler: 'analyze' },
        work: workers(['analyze'], { parallelism: 1 }),
        sum: { type: 'deferred_convergence', dependencies: ['work'] },
      },
      { handlers: [analyze, work, sum] },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await waits(tasker, taskUuid, 'work_one');
    expect((await tasker.getStep(taskUuid, 'work_two')).currentState).toBe('pending');
    await tasker.completeByToken(tokens[0]!, { rows: 1 });
    await waits(tasker, taskUuid, 'work_two');
    await invariants(shared.sql);
    await tasker.completeByToken(tokens[1]!, { rows: 2 });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'sum')).results!.result).toEqual({ parts: [{ rows: 1 }, { rows: 2 }] });
  });

  it('publishes no event while its step waits, but its log lines are kept', async () => {
    const later = defineHandler('charge', {}, ({ logger }) => {
      logger.warn('sent to the bank');
      return completeLater();
    });
    const publishes_events = [{ name: 'charge.done', description: 'd', condition: 'always', schema: {} }];
    const { tasker, demo } = await shared.setup({ charge: { publishes_events } }, { handlers: [later] });
    const { taskUuid } = await tasker.createTask(demo);
    await waits(tasker, taskUuid);
    const [log] = await until(
      () => tasker.getStepLogs(taskUuid, 'charge'),
      (logs) => logs.length === 1,
    );
    expect(log!.lines).toMatchObject([{ message: 'sent to the bank' }]);
    expect(await shared.sql(`select 1 from tasker.domain_event where task_uuid = $1`, [taskUuid])).toEqual([]);
  });
});

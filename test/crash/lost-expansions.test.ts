import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { openSession } from '../support/database.ts';
import { choosing, partsFor, workers } from '../support/hand-worker.ts';
import { DEMO, invariants, setup, states, template } from '../support/setup.ts';

const PARTS = ['1', '2', '3', '4', '5', '6'];
const ONCE = { retry: { retryable: false } };
const STEPS = {
  first: { ...ONCE },
  pick: { ...ONCE, type: 'decision', dependencies: ['first'] },
  analyze: { ...ONCE, type: 'batchable', dependencies: ['pick'] },
  work: { ...workers(['analyze'], { parallelism: 2 }), ...ONCE },
  join: { ...ONCE, type: 'deferred_convergence', dependencies: ['work'] },
};
const ENDED = {
  first: 'complete',
  pick: 'complete',
  analyze: 'complete',
  ...Object.fromEntries(PARTS.map((id) => [`work_${id}`, 'complete'])),
  join: 'complete',
};
const MAKES = /add_steps|add_batches/;

/** Handlers of {@link STEPS} that record each of their runs. */
function noting(ran: string[], before?: (name: string, taskUuid: string) => Promise<unknown>) {
  const results: Record<string, unknown> = { pick: choosing('analyze'), analyze: partsFor('work', ...PARTS) };
  return Object.keys(STEPS).map((name) =>
    defineHandler(name, {}, async ({ context }) => {
      ran.push(context.stepUuid);
      await before?.(name, context.taskUuid);
      return results[name] ?? {};
    }),
  );
}

describe('a recording that creates steps', () => {
  it.each([
    ['never arrived', 'lost', /lock_tasks.*existing_steps/s],
    ['was cut off after its first part', 'lost', MAKES],
    ['was cut off while it was in progress', 'cut', MAKES],
    ['was committed without a response', 'answer_lost', /^Q.{4}commit/s],
  ] as const)('a recording that %s creates each step once, and each step runs once', async (_, fate, at) => {
    const ran: string[] = [];
    const { tasker, sql, url, another } = await setup({ templates: template(STEPS), worker: false });
    const proxy = await startProxy(url);
    let made = 0;
    let makes = false;
    proxy.decide = (sent) => {
      const text = sent.toString('latin1');
      // The commit of a recording that creates steps is sent separately, after the responses to its statements.
      if (MAKES.test(text)) makes = true;
      const matches = fate === 'answer_lost' ? makes && at.test(text) : at.test(text);
      if (!matches) return undefined;
      makes = false;
      return ++made % 2 === 1 ? fate : undefined;
    };
    await another({
      databaseUrl: proxy.url,
      worker: true,
      handlers: noting(ran),
      logger: silentLogger,
      pollMs: 200,
    });
    const tasks = await tasker.createTasks(Array.from({ length: 3 }, () => DEMO));
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
      expect(await states(tasker, taskUuid)).toEqual(ENDED);
    }
    expect(proxy.counts[fate]).toBeGreaterThan(0);
    expect(ran.length).toBe(tasks.length * Object.keys(ENDED).length);
    expect(new Set(ran).size).toBe(ran.length);
    await invariants(sql);
  });

  it('a recording waits for a locked task without delaying others', async () => {
    const ran: string[] = [];
    const { tasker, sql, url, another } = await setup({ templates: template(STEPS), worker: false });
    const holder = await openSession(url);
    const [held, free] = (await tasker.createTasks([DEMO, DEMO])).map((task) => task.taskUuid) as [string, string];
    const hold = async (name: string, taskUuid: string) => {
      if (name !== 'pick' || taskUuid !== held) return;
      await holder.query('begin');
      await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [held]);
    };
    await another({ worker: true, handlers: noting(ran, hold), logger: silentLogger, pollMs: 200 });
    expect((await tasker.waitForTask(free, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(await states(tasker, held)).toEqual({ first: 'complete', pick: 'in_progress' });
    await holder.query('rollback');
    expect((await tasker.waitForTask(held, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(ran.length).toBe(2 * Object.keys(ENDED).length);
    expect(new Set(ran).size).toBe(ran.length);
    await invariants(sql);
  });
});

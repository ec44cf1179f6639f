import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { StepContext } from '../../src/handlers/step-context.ts';
import { StepHandler } from '../../src/handlers/step-handler.ts';
import { createTestContext } from '../../src/testing/index.ts';
import { setupBridge } from '../support/bridge.ts';
import { partsFor, workers } from '../support/hand-worker.ts';
import { age, checkForStale } from '../support/lifecycle.ts';
import { DEMO, deferred, invariants, setup, template, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { threadHandlers } from '../support/thread-handlers.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 30_000 };

describe('a rerun, as handlers see it', () => {
  it('context.rerun counts the reruns that cover a step, and retries and reruns of other steps do not change it', async () => {
    const seen: string[] = [];
    const noting = (name: string) =>
      defineHandler(name, {}, ({ context }) => {
        seen.push(`${name} ${context.rerun} ${context.retryCount} ${context.stepUuid.slice(-4)}`);
        if (name === 'b' && context.retryCount === 0) throw new Error('again');
        return { from: context.getDependencyResult<{ n: number }>('a')?.n ?? null, n: context.rerun };
      });
    const steps = { a: [], b: { dependencies: ['a'], retry: { backoff: 'none' } }, other: [] };
    const handlers = ['a', 'b', 'other'].map(noting);
    const { tasker, demo } = await shared.setup(steps, { handlers });
    const { taskUuid } = await tasker.createTask(demo);
    const ids = async () => (await tasker.getSteps(taskUuid)).map((step) => step.stepUuid.slice(-4));
    await tasker.waitForTask(taskUuid, WAIT);
    const [a, b, other] = await ids();
    expect(seen.splice(0).sort()).toEqual([`a 0 0 ${a}`, `b 0 0 ${b}`, `b 0 1 ${b}`, `other 0 0 ${other}`]);
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await tasker.waitForTask(taskUuid, WAIT);
    expect(await ids()).toEqual([a, b, other]);
    expect(seen.splice(0)).toEqual([`a 1 0 ${a}`, `b 1 0 ${b}`, `b 1 1 ${b}`]);
    // The worker had the result of the first run in memory.
    expect((await tasker.getStep(taskUuid, 'b')).results!.result).toEqual({ from: 1, n: 1 });
    await tasker.rerunTask(taskUuid, { from: 'b' });
    await tasker.waitForTask(taskUuid, WAIT);
    expect(seen).toEqual([`b 2 0 ${b}`, `b 2 1 ${b}`]);
    expect((await tasker.getStep(taskUuid, 'b')).results!.result).toEqual({ from: 1, n: 2 });
  });

  it('a handler in a thread receives the number of the rerun', async () => {
    const a = { handler: { callable: 'counts_runs', isolation: 'thread' } };
    const { tasker, demo } = await shared.setup({ a }, { handlers: threadHandlers(), threads: 1 });
    const { taskUuid } = await tasker.createTask(demo);
    for (const rerun of [0, 1]) {
      if (rerun > 0) await tasker.rerunTask(taskUuid, { from: 'a' });
      await tasker.waitForTask(taskUuid, WAIT);
      expect((await tasker.getStep(taskUuid, 'a')).results!.result).toEqual({
        rerun,
        event: rerun,
        isMainThread: false,
      });
    }
  });

  it('a handler that a subscriber of the bridge calls receives the number of the rerun', async () => {
    class Counts extends StepHandler {
      static override handlerName = 'a';
      call(context: StepContext) {
        return this.success({ rerun: context.rerun, event: context.event.workflowStep.rerun });
      }
    }
    const { tasker, run } = await setupBridge(shared, { a: [] }, { handlers: { a: Counts } });
    const { taskUuid } = await run();
    expect((await tasker.getStep(taskUuid, 'a')).results!.result).toEqual({ rerun: 0, event: 0 });
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await tasker.waitForTask(taskUuid, WAIT);
    expect((await tasker.getStep(taskUuid, 'a')).results!.result).toEqual({ rerun: 1, event: 1 });
  });

  it('a context for a test can have a rerun number, and a context from an event without one has 0', () => {
    expect(createTestContext({ rerun: 3 }).rerun).toBe(3);
    const { event } = createTestContext();
    const { rerun, ...workflowStep } = event.workflowStep;
    expect(rerun).toBe(0);
    expect(StepContext.fromFfiEvent({ ...event, workflowStep }, 'a').rerun).toBe(0);
  });

  it('a rerun aborts a running handler, rejects its late result and deletes its checkpoint', async () => {
    const gates = [deferred(), deferred()];
    const seen: unknown[] = [];
    const a = defineHandler('a', {}, async ({ context, signal }) => {
      seen.push([context.rerun, context.checkpointCursor]);
      await context.checkpoint({ cursor: 7 });
      const fired = new Promise<string>((resolve) =>
        signal.addEventListener('abort', () => resolve(String(signal.reason))),
      );
      if (context.rerun === 0) seen.push(await fired);
      await gates[context.rerun]!.promise;
      return { run: context.rerun };
    });
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [a] });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => shared.sql(`select 1 from tasker.checkpoint where task_uuid = $1`, [taskUuid]),
      (rows) => rows.length === 1,
    );
    await tasker.rerunTask(taskUuid, { from: 'a' });
    await until(
      () => seen.length,
      (count) => count === 3,
    );
    gates[0]!.resolve();
    gates[1]!.resolve();
    await tasker.waitForTask(taskUuid, WAIT);
    expect(seen[0]).toEqual([0, null]);
    expect(seen).toContainEqual([1, null]);
    expect(seen.find((one) => typeof one === 'string')).toMatch(/is no longer held/);
    expect((await tasker.getStep(taskUuid, 'a')).results!.result).toEqual({ run: 1 });
    expect((await tasker.getHistory(taskUuid)).map(({ what }) => what).sort()).toEqual([
      'cancelled',
      'completed',
      'rerun',
    ]);
  });
});

describe('the consequences of a rerun', () => {
  it('a rerun publishes new domain events, including those of batch workers that are created again under other names', async () => {
    let ids = ['1', '2'];
    const cut = defineHandler('cut', {}, () => partsFor('rows', ...ids));
    const rows = defineHandler('rows', {}, ({ context }) => ({ run: context.rerun }));
    const sum = defineHandler('sum', {}, () => ({}));
    const event = { name: 'rows.done', description: 'done', schema: { type: 'object' } };
    const steps = {
      cut: { type: 'batchable', dependencies: [] },
      rows: { ...workers(['cut']), publishes_events: [event] },
      sum: { type: 'deferred_convergence', dependencies: ['rows'] },
    };
    const { tasker, demo } = await shared.setup(steps, { handlers: [cut, rows, sum] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, WAIT);
    ids = ['2', '3'];
    await tasker.rerunTask(taskUuid, { from: 'cut' });
    await tasker.waitForTask(taskUuid, WAIT);
    const events = await tasker.events.list({ taskUuid });
    expect(events.map((one) => [one.stepName, one.payload, one.attempt])).toEqual(
      expect.arrayContaining([
        ['rows_1', { run: 0 }, 1],
        ['rows_2', { run: 0 }, 1],
        ['rows_2', { run: 1 }, 1],
        ['rows_3', { run: 1 }, 1],
      ]),
    );
    expect(new Set(events.map((one) => one.eventId)).size).toBe(4);
  });

  it('after a rerun, the limits of the lifecycle are measured from the rerun', async () => {
    const lifecycle = { max_duration_minutes: 20, max_waiting_for_dependencies_minutes: 20, staleness_action: 'error' };
    const { tasker, sql } = await setup({ templates: template({ a: [], b: ['a'] }, { lifecycle }), worker: false });
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.resolveStep(taskUuid, 'a');
    await age(sql, 21, taskUuid);
    expect((await checkForStale(tasker)).ended).toMatchObject([{ taskUuid }]);
    expect(await sql('select * from tasker.task_watch')).toEqual([]);
    const { statusBefore, status } = await tasker.rerunTask(taskUuid, { from: 'a' });
    expect([statusBefore, status]).toEqual(['error', 'pending']);
    await invariants(sql);
    await sql('update tasker.task_watch set check_at = now()');
    expect(await checkForStale(tasker)).toEqual({ ended: [], noted: [] });
    expect(await sql('select check_at > now() later from tasker.task_watch')).toEqual([{ later: true }]);
    await age(sql, 21, taskUuid);
    await sql(`update tasker.task set rerun_at = rerun_at - interval '21 minutes'`);
    const { ended } = await checkForStale(tasker);
    expect(ended).toMatchObject([
      { taskUuid, reason: expect.stringMatching(/not done 21 minutes after its rerun|no progress for 21/) },
    ]);
  });

  it('task why reports the last rerun', async () => {
    const a = defineHandler('a', {}, () => {
      throw new PermanentError('no');
    });
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [a] });
    const { taskUuid } = await tasker.createTask(demo);
    for (const reason of ['the first try', 'the shop is open']) {
      await tasker.waitForTask(taskUuid, WAIT);
      await tasker.rerunTask(taskUuid, { from: 'a', actor: 'ana', reason });
    }
    await tasker.waitForTask(taskUuid, WAIT);
    const { summary } = await tasker.why(taskUuid);
    expect(summary).toMatch(
      /^cannot continue: a failed permanently; an operator must act; it ran again 2 times, last from a at .*Z, by ana: the shop is open$/,
    );
  });

  it('a search finds a task that runs again as an open task', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { worker: false });
    const { taskUuid } = await tasker.createTask(demo);
    const open = async () => {
      await tasker.engine.search.flush();
      const { tasks } = await tasker.listTasks({ namespace: demo.namespace, open: true }, {});
      return tasks.map((task) => [task.taskUuid, task.reruns]);
    };
    await tasker.resolveStep(taskUuid, 'a');
    expect(await open()).toEqual([]);
    await tasker.rerunTask(taskUuid, { from: 'a' });
    expect(await open()).toEqual([[taskUuid, 1]]);
  });
});

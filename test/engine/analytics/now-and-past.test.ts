import { stripVTControlCharacters } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { statsText } from '../../../src/cli/stats/stats.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import type { Sql } from '../../support/database.ts';
import { DEMO, deferred, endStates, RETRY_AT_ONCE, setup, template } from '../../support/setup.ts';

const HOUR_MS = 3_600_000;

/** A step `slow` whose handler waits for a gate if the task's context sets it, after a step `quick`. */
async function hanging() {
  const gate = deferred();
  const started = deferred();
  const { tasker, sql } = await setup({
    templates: template({ quick: [], slow: ['quick'] }),
    handlers: [
      defineHandler('quick', {}, () => ({})),
      defineHandler('slow', {}, async ({ context }) => {
        if (!context.getInput('hangs')) return {};
        started.resolve();
        await gate.promise;
        return {};
      }),
    ],
  });
  onTestFinished(() => gate.resolve());
  const hang = async () => {
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { hangs: true } });
    await started.promise;
    return taskUuid;
  };
  return { tasker, sql, hang, gate };
}

/** Moves the start of the running steps back, as if they had been running for that long. */
async function ageRunning({ tasker, sql }: { tasker: Tasker; sql: Sql }, age: string) {
  await tasker.engine.search.flush();
  await sql(`update tasker.step set started_at = started_at - $1::interval where state = 'in_progress'`, [age]);
}

it('a step that hangs counts in the durations with its time so far', async () => {
  const bench = await hanging();
  const { tasker, hang } = bench;
  await endStates(tasker, await tasker.createTasks([DEMO, DEMO, DEMO]));
  const taskUuid = await hang();
  await ageRunning(bench, '3 hours');
  await tasker.engine.analytics.flush();
  for (const limit of [20, 1]) {
    const found = await tasker.analytics({ limit });
    expect(found.steps).toMatchObject({
      attempts: 7,
      stillRunning: 1,
      slowestTaskUuid: taskUuid,
      duration: { count: 8 },
    });
    const [slow] = found.slowSteps;
    expect(slow).toMatchObject({ step: 'slow', attempts: 3, stillRunning: 1, slowestTaskUuid: taskUuid });
    for (const { duration } of [found.steps, slow!, found.templates[0]!.steps]) {
      expect(duration.maxMs).toBeGreaterThan(3 * HOUR_MS);
      expect(duration.maxMs).toBeLessThan(3.1 * HOUR_MS);
      expect(duration.p99Ms).toBeGreaterThan(2.8 * HOUR_MS);
      expect(duration.p50Ms).toBeLessThan(HOUR_MS);
    }
    expect(slow!.shareOfTime).toBeGreaterThan(0.99);
  }
});

it('a step that hangs counts although no attempt of its template has ended', async () => {
  const bench = await hanging();
  const { tasker, sql, hang } = bench;
  const taskUuid = await hang();
  await ageRunning(bench, '2 minutes');
  await tasker.engine.analytics.flush();
  await sql('delete from tasker.analytics');
  const found = await tasker.analytics();
  expect(found.steps).toMatchObject({ attempts: 0, errorRate: null, stillRunning: 1, slowestTaskUuid: taskUuid });
  expect(found.steps.duration.p50Ms).toBeGreaterThan(110_000);
  expect(found.templates).toMatchObject([{ name: 'demo', steps: { stillRunning: 1 } }]);
  expect(found.slowSteps).toMatchObject([{ step: 'slow', stillRunning: 1 }]);
  expect((await tasker.analytics({ step: 'quick' })).steps.stillRunning).toBe(0);
});

it('a running attempt does not count while it is shorter than the average attempt of its step', async () => {
  const bench = await hanging();
  const { tasker, sql, hang } = bench;
  await endStates(tasker, await tasker.createTasks([DEMO]));
  await hang();
  await tasker.engine.search.flush();
  await tasker.engine.analytics.flush();
  await sql('update tasker.analytics set run_us = run_us + 60000000, run_max_us = run_max_us + 60000000');
  expect((await tasker.analytics()).steps).toMatchObject({ stillRunning: 0, duration: { count: 3 } });
});

it('a window that ended in the past shows neither open tasks nor running steps', async () => {
  const bench = await hanging();
  const { tasker, sql, hang } = bench;
  await endStates(tasker, await tasker.createTasks([DEMO]));
  await hang();
  await ageRunning(bench, '3 hours');
  await tasker.engine.analytics.flush();
  await sql(`update tasker.analytics set at = at - interval '24 hours'`);
  await sql(`update tasker.analytics_state set since = since - interval '3 days'`);
  const yesterday = await tasker.analytics({ since: '25h', until: '23h' });
  expect(yesterday).toMatchObject({ open: null, tasks: { ended: 1 }, steps: { attempts: 3, stillRunning: 0 } });
  expect(yesterday.templates).toMatchObject([{ name: 'demo', open: null }]);
  expect(yesterday.recommendations).toEqual([]);
  const now = await tasker.analytics({ since: '25h', until: new Date(Date.now() + HOUR_MS) });
  expect(now).toMatchObject({ open: { total: 1 }, steps: { stillRunning: 1 } });
});

it('retried attempts and those after which the step gave up add up to the failed and the lost', async () => {
  const { tasker, sql } = await setup({
    templates: template({ flaky: { retry: { ...RETRY_AT_ONCE, max_attempts: 2 } } }),
    handlers: [
      defineHandler('flaky', {}, ({ context }) => {
        if (context.getInput('declined')) throw new PermanentError('no');
        if (context.retryCount === 0) throw new Error('again');
        return {};
      }),
    ],
  });
  await endStates(
    tasker,
    await tasker.createTasks([
      DEMO,
      DEMO,
      { ...DEMO, context: { declined: true } },
      { ...DEMO, context: { declined: true } },
    ]),
  );
  // One of the attempts that failed first was lost with its worker.
  await sql(`update tasker.history set outcome = 'worker_lost'
              where (task_uuid, attempt) = (select task_uuid, attempt from tasker.history where outcome = 'failed' and state <> 'error' limit 1)`);
  await tasker.engine.analytics.flush();
  const found = await tasker.analytics();
  const { steps } = found;
  expect(steps).toMatchObject({ failed: 3, lost: 1, retried: 2, gaveUp: 2 });
  expect(stripVTControlCharacters(statsText(found, { width: 100 }))).toMatch(
    /^ +failed +4: 2 retried, 2 gave up; 1 of them was lost$/m,
  );
  expect(steps.retried + steps.gaveUp).toBe(steps.failed + steps.lost);
});

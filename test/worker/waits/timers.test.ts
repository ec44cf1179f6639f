import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { invariants, setup, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 30_000 };

interface Fired {
  due_at: string;
  fired_at: string;
}

const timer = (settings: object, dependencies: string[] = []) => ({
  handler: null,
  type: 'timer',
  timer: settings,
  dependencies,
});
const plan = defineHandler('plan', {}, ({ context }) => context.inputData.plan ?? {});

describe('a timer step', () => {
  it('completes without a handler when it is due, and its children run', async () => {
    const after = defineHandler('after', { depends: { pause: 'pause' } }, ({ pause }) => ({ pause }));
    const { tasker, demo } = await shared.setup(
      { pause: timer({ for: 0.4 }), after: ['pause'] },
      { handlers: [after] },
    );
    const from = performance.now();
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'pause'),
      (step) => step.currentState === 'waiting',
    );
    await until(
      () => tasker.stats!,
      ({ running, unrecorded }) => running === 0 && unrecorded === 0,
    );
    const task = await tasker.waitForTask(taskUuid, WAIT);
    expect(task.status).toBe('complete');
    expect(performance.now() - from).toBeGreaterThan(400);
    const step = await tasker.getStep(taskUuid, 'pause');
    expect(step).toMatchObject({ currentState: 'complete', attempts: 1, callable: 'tasker.timer' });
    const fired = step.results!.result as Fired;
    expect(Date.parse(fired.fired_at)).toBeGreaterThanOrEqual(Date.parse(fired.due_at));
    expect((await tasker.getStep(taskUuid, 'after')).results!.result).toEqual({ pause: fired });
  });

  it('has one row in the history, from its start to its end', async () => {
    const { tasker, demo } = await shared.setup({ pause: timer({ for: 0.2 }) }, { handlers: [] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, WAIT);
    const attempts = (await tasker.getHistory(taskUuid)).filter(({ kind }) => kind === 'attempt');
    expect(attempts).toHaveLength(1);
    expect(attempts[0]).toMatchObject({ step: 'pause', attempt: 1, what: 'completed' });
    expect(Date.parse(attempts[0]!.at) - Date.parse(attempts[0]!.startedAt!)).toBeGreaterThanOrEqual(200);
  });

  it('waits until a time in the context, as text or as a number', async () => {
    const { tasker, demo } = await shared.setup(
      { text: timer({ until: { context: 'order.ships.0' } }), number: timer({ until: { context: 'at' } }) },
      { handlers: [] },
    );
    const at = Date.now() + 500;
    const context = { order: { ships: [new Date(at).toISOString()] }, at: at + 100 };
    const { taskUuid } = await tasker.createTask({ ...demo, context });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const results = await Promise.all(['text', 'number'].map((name) => tasker.getStep(taskUuid, name)));
    const due = results.map((step) => Date.parse((step.results!.result as Fired).due_at));
    expect(due).toEqual([at, at + 100]);
  });

  it('waits until a time in the result of an earlier step, even if the result is too large to be loaded with the step', async () => {
    const large = defineHandler('large', {}, () => ({
      at: { day: '2020-01-01T00:00:00Z' },
      text: 'x'.repeat(9_000_000),
    }));
    const { tasker, demo } = await shared.setup(
      {
        plan: [],
        pause: timer({ until: { step: 'plan', field: 'send.at' } }, ['plan']),
        large: [],
        past: timer({ until: { step: 'large', field: 'at.day' } }, ['large']),
      },
      { handlers: [plan, large] },
    );
    const at = Date.now() + 300;
    const { taskUuid } = await tasker.createTask({ ...demo, context: { plan: { send: { at } } } });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const { results } = await tasker.getStep(taskUuid, 'pause');
    expect(Date.parse((results!.result as Fired).due_at)).toBe(at);
    const past = (await tasker.getStep(taskUuid, 'past')).results!.result as Fired;
    expect(Date.parse(past.due_at)).toBe(Date.parse('2020-01-01T00:00:00Z'));
  });

  it('completes immediately if its time is in the past', async () => {
    const { tasker, demo } = await shared.setup({ pause: timer({ until: { context: 'at' } }) }, { handlers: [] });
    const untilComplete = async () => {
      let taskUuid = '';
      const took = await msOf(async () => {
        ({ taskUuid } = await tasker.createTask({ ...demo, context: { at: '1999-12-31T23:00:00+00:00' } }));
        expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
      });
      const fired = (await tasker.getStep(taskUuid, 'pause')).results!.result as Fired;
      expect(Date.parse(fired.due_at)).toBe(Date.parse('1999-12-31T23:00:00Z'));
      expect(Date.parse(fired.fired_at)).toBeGreaterThan(Date.parse('2020-01-01T00:00:00Z'));
      return took;
    };
    expect(await leastOf(1_500, untilComplete)).toBeLessThan(1_500);
  });

  const forms = 'ISO 8601 with a time zone, such as 2030-01-31T09:00:00Z, or milliseconds since 1970 as a number';
  it.each([
    ['missing', {}, `context.ship.at is missing; put a time there: ${forms}`],
    ['inside a text', { ship: 'soon' }, `context.ship.at is missing; put a time there: ${forms}`],
    ['inherited', { ship: { __proto__: { at: 5 } } }, `context.ship.at is missing; put a time there: ${forms}`],
    ['null', { ship: { at: null } }, `context.ship.at is null; put a time there: ${forms}`],
    ['malformed', { ship: { at: 'tomorrow' } }, `context.ship.at is "tomorrow": it must be ${forms}`],
    ['an object', { ship: { at: { day: 1 } } }, `context.ship.at is {"day":1}: it must be ${forms}`],
    ['very long', { ship: { at: 'ü'.repeat(9_000) } }, `context.ship.at is "${'ü'.repeat(78)}…: it must be ${forms}`],
    [
      'without a zone',
      { ship: { at: '2030-01-01T00:00:00' } },
      'context.ship.at is "2030-01-01T00:00:00": it has no time zone; add Z or an offset such as +02:00',
    ],
    [
      'in the year 300000',
      { ship: { at: '+300000-01-01T00:00:00Z' } },
      'context.ship.at is "+300000-01-01T00:00:00Z": the year must be from 1970 to 9999',
    ],
    ['negative', { ship: { at: -5 } }, 'context.ship.at is -5: the year must be from 1970 to 9999'],
    ['too large', { ship: { at: 1e300 } }, 'context.ship.at is 1e+300: the year must be from 1970 to 9999'],
  ])('fails permanently and names the path and the value with a time that is %s', async (_, context, why) => {
    const { tasker, demo } = await shared.setup(
      { pause: timer({ until: { context: 'ship.at' } }) },
      { handlers: [], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask({ ...demo, context });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('blocked_by_failures');
    const step = await tasker.getStep(taskUuid, 'pause');
    expect(step).toMatchObject({ currentState: 'error', attempts: 1 });
    const { message, error_type, retryable } = step.results!.error!;
    expect(message).toBe(`step pause: the time of the timer is unknown: ${why}`);
    expect({ error_type, retryable }).toEqual({ error_type: 'validation_error', retryable: false });
  });

  it.each([
    [{ send: {} }, `field send.at of the result of step plan is missing; put a time there: ${forms}`],
    [{ send: { at: 'x' } }, `field send.at of the result of step plan is "x": it must be ${forms}`],
  ])('fails permanently and names the field if the earlier step returned %j', async (planned, why) => {
    const { tasker, demo } = await shared.setup(
      { plan: [], pause: timer({ until: { step: 'plan', field: 'send.at' } }, ['plan']) },
      { handlers: [plan], logger: silentLogger },
    );
    const { taskUuid } = await tasker.createTask({ ...demo, context: { plan: planned } });
    await tasker.waitForTask(taskUuid, WAIT);
    const { results } = await tasker.getStep(taskUuid, 'pause');
    expect(results!.error!.message).toBe(`step pause: the time of the timer is unknown: ${why}`);
  });
});

describe('steps that wait', () => {
  it('do not occupy the only slot of their worker', async () => {
    const work = defineHandler('work', {}, () => ({}));
    const { tasker, sql } = await setup({
      templates: [template({ pause: timer({ for: '1h' }) }), template({ work: [] }, { name: 'work' })],
      handlers: [work],
      concurrency: 1,
      logger: silentLogger,
    });
    const waiting = await tasker.createTasks(
      Array.from({ length: 100 }, () => ({ namespace: 'test', name: 'demo', version: '1.0.0' })),
    );
    await until(
      () => sql<{ n: number }>(`select count(*)::int n from tasker.step where state = 'waiting'`),
      ([row]) => row!.n === 100,
    );
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'work', version: '1.0.0' });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    await until(
      () => tasker.stats!,
      ({ running, unrecorded }) => running === 0 && unrecorded === 0,
    );
    await tasker.cancelTask(waiting[0]!.taskUuid);
    await invariants(sql);
  });

  it('do not delay the stop of their worker, and another worker ends their waits', async () => {
    const { tasker, sql, another } = await setup({
      templates: template({ pause: timer({ for: '1h' }) }),
      worker: false,
      logger: silentLogger,
    });
    const first = await another({ worker: true, handlers: [] });
    const { taskUuid } = await tasker.createTask({ namespace: 'test', name: 'demo', version: '1.0.0' });
    await until(
      () => tasker.getStep(taskUuid, 'pause'),
      (step) => step.currentState === 'waiting',
    );
    const from = performance.now();
    await first.stop({ drainTimeoutMs: 100_000 });
    expect(performance.now() - from).toBeLessThan(50_000);
    expect((await tasker.getStep(taskUuid, 'pause')).currentState).toBe('waiting');
    // No worker is running now, so the next worker finds a wait that is due.
    await tasker.moveTimer(taskUuid, 'pause', Date.now());
    await another({ worker: true, handlers: [] });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    await invariants(sql);
  });
});

describe('a worker that polls once a minute', () => {
  const quiet = { handlers: [], pollMs: 60_000, logger: silentLogger };

  it('fires several timers when they are due', async () => {
    const { tasker, demo } = await shared.setup({ pause: timer({ until: { context: 'at' } }) }, quiet);
    const from = Date.now();
    const tasks = await tasker.createTasks([900, 300, 600, 601].map((ms) => ({ ...demo, context: { at: from + ms } })));
    for (const { taskUuid } of tasks) expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    for (const { taskUuid } of tasks) {
      const fired = (await tasker.getStep(taskUuid, 'pause')).results!.result as Fired;
      // Enough for a busy machine. The next poll is a minute away.
      expect(Date.parse(fired.fired_at) - Date.parse(fired.due_at)).toBeLessThan(20_000);
    }
  });

  it('fires a timer on time if another process moved it earlier', async () => {
    const { tasker, demo, another } = await shared.setup({ pause: timer({ for: '1h' }) }, quiet);
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'pause'),
      (step) => step.currentState === 'waiting',
    );
    const other = await another({ worker: false });
    await other.moveTimer(taskUuid, 'pause', Date.now() + 300);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });
});

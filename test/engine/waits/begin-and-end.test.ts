import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { sharedHandWorkers } from '../../support/hand-worker.ts';
import { DEMO, invariants, makeRetriesDue, setup, template, until } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

const TIMER = { type: 'timer', handler: undefined, timer: { for: '1h' } } as const;
const HOUR = 3_600_000;

/** Moves the waits of a task into the past. */
const pass = (bench: { sql: (text: string, values?: unknown[]) => Promise<unknown> }, taskUuid: string) =>
  bench.sql(
    `update tasker.wait set until = until - interval '2 hours', due_at = due_at - interval '2 hours' where task_uuid = $1`,
    [taskUuid],
  );

describe('a step that waits', () => {
  it('releases its slot, and completes when it is due', async () => {
    const hand = await handWorker({ wait: TIMER, after: ['wait'] });
    expect(await hand.claim()).toEqual(['wait']);
    const answer = await hand.record(hand.waits('wait', { kind: 'timer', forMs: HOUR, settings: {} }));
    expect(answer).toMatchObject({ refused: [], children: [], ended: [], queued: 0 });
    expect(await hand.states()).toEqual({ wait: 'waiting', after: 'pending' });
    expect(await hand.engine.endDueWaits()).toBe(0);
    await invariants(hand.sql);

    await pass(hand, hand.taskUuid);
    expect(await hand.engine.endDueWaits()).toBe(1);
    expect(await hand.states()).toEqual({ wait: 'complete', after: 'enqueued' });
    await invariants(hand.sql);
    const [step] = await hand.tasker.getSteps(hand.taskUuid);
    expect(step!.results!.result).toEqual({ due_at: expect.any(String), fired_at: expect.any(String) });
    expect(await hand.claim()).toEqual(['after']);
    await hand.record(hand.completed('after'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('measures its duration from the moment when the step became ready, however long it was in the queue', async () => {
    const wait = { kind: 'timer', forMs: 3 * HOUR, settings: {} } as const;
    const hand = await handWorker({ a: [], b: [], wait: { ...TIMER, dependencies: ['a', 'b'] }, root: TIMER });
    const { sql, taskUuid } = hand;
    const passHours = async (hours: number) => {
      const early = (column: string) => `${column} = ${column} - interval '${hours} hours'`;
      await sql(`update tasker.task set ${early('created_at')}, ${early('rerun_at')}`);
      await sql(`update tasker.step set ${early('started_at')}, ${early('done_at')}`);
      await sql(`update tasker.operator_action set ${early('at')}`);
    };
    const hoursLeft = async (name: string) => {
      const { wait } = await hand.tasker.getStep(taskUuid, name);
      return Math.round((Date.parse(wait!.until!) - Date.now()) / 360_000) / 10;
    };
    expect(await hand.claim()).toEqual(['a', 'b', 'root']);
    await passHours(1);
    await hand.record(hand.completed('a'), hand.waits('root', wait));
    expect(await hoursLeft('root')).toBe(2);
    await passHours(0.5);
    await hand.record(hand.completed('b'));
    await passHours(1);
    await hand.claim();
    await hand.record(hand.waits('wait', wait));
    expect(await hoursLeft('wait')).toBe(2);

    await passHours(1);
    await hand.tasker.rerunTask(taskUuid, { from: 'wait' });
    await passHours(0.5);
    await hand.claim();
    await hand.record(hand.waits('wait', wait));
    expect(await hoursLeft('wait')).toBe(2.5);

    await hand.tasker.rerunTask(taskUuid, { from: 'wait' });
    await passHours(4);
    await hand.claim();
    await hand.record(hand.waits('wait', wait));
    expect(await hand.engine.endDueWaits()).toBe(1);
    expect(await hand.states()).toMatchObject({ wait: 'complete' });
    await invariants(sql);
  });

  it('measures its duration from the start of a task that starts later', async () => {
    const { tasker, sql } = await setup({
      templates: template({ wait: TIMER, a: [] }),
      handlers: [defineHandler('a', {}, () => ({}))],
    });
    const { taskUuid } = await tasker.createTask({ ...DEMO, delayMs: 24 * HOUR });
    await sql(`update tasker.task set created_at = created_at - interval '1 day'`);
    await tasker.startTaskNow(taskUuid);
    const { wait } = await until(
      () => tasker.getStep(taskUuid, 'wait'),
      ({ currentState }) => currentState === 'waiting',
    );
    expect(Date.parse(wait!.until!) - Date.now()).toBeGreaterThan(0.9 * HOUR);
  });

  it('is recorded together with results, and rejected outcomes are reported by their positions', async () => {
    const hand = await handWorker({ a: [], wait: TIMER, b: [], other: TIMER });
    await hand.claim();
    const wait = { kind: 'timer', forMs: HOUR, settings: {} } as const;
    const lost = hand.waits('other', wait);
    const batch = [
      hand.completed('a'),
      hand.waits('wait', wait),
      { ...lost, claim: lost.claim + 1 },
      hand.completed('b'),
    ];
    expect((await hand.record(...batch)).refused).toEqual([2]);
    expect(await hand.states()).toEqual({ a: 'complete', wait: 'waiting', b: 'complete', other: 'in_progress' });
    expect((await hand.record(...batch)).refused).toEqual([0, 1, 2, 3]);
    await invariants(hand.sql);
  });

  it('fails when it times out, is retried by its policy, and waits again in the next attempt', async () => {
    const hand = await handWorker({ a: { retry: { max_attempts: 2, backoff: 'none' } } });
    const wait = { kind: 'completion', forMs: HOUR, settings: {} } as const;
    await hand.claim();
    await hand.record(hand.waits('a', wait));
    await pass(hand, hand.taskUuid);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.states()).toEqual({ a: 'enqueued' });
    await hand.claim();
    await hand.record(hand.waits('a', wait));
    expect(await hand.states()).toEqual({ a: 'waiting' });
    await pass(hand, hand.taskUuid);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.states()).toEqual({ a: 'error' });
    await invariants(hand.sql);
    const history = await hand.tasker.getHistory(hand.taskUuid);
    expect(history.map((entry) => entry.error?.error_type)).toEqual(['completion_timeout', 'completion_timeout']);
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('blocked_by_failures');
  });

  it('is retried after the delay of its policy when it times out', async () => {
    const hand = await handWorker({
      a: { retry: { max_attempts: 3, backoff: 'linear', backoff_base_ms: 100_000, max_backoff_ms: HOUR } },
    });
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 2; attempt++) {
      await hand.claim();
      await hand.record(hand.waits('a', { kind: 'completion', forMs: HOUR, settings: {} }));
      await pass(hand, hand.taskUuid);
      expect(await hand.engine.promoteDue()).toBe(1);
      expect(await hand.states()).toEqual({ a: 'waiting_for_retry' });
      const [step] = await hand.sql<{ ms: number }>(
        `select extract(epoch from next_at - now())::float * 1000 ms from tasker.step where task_uuid = $1`,
        [hand.taskUuid],
      );
      delays.push(step!.ms);
      await makeRetriesDue(hand.sql);
      await hand.engine.promoteDue();
    }
    // A random share of up to 15 % is added or subtracted.
    expect(delays[0]).toBeGreaterThan(80_000);
    expect(delays[0]).toBeLessThan(116_000);
    expect(delays[1]).toBeGreaterThan(165_000);
    expect(delays[1]).toBeLessThan(231_000);
  });

  it('is called again without using up an attempt', async () => {
    const hand = await handWorker({ a: { retry: { max_attempts: 1 } }, b: ['a'] });
    for (let calls = 1; calls <= 3; calls++) {
      expect(await hand.claim()).toEqual(['a']);
      await hand.record(hand.waits('a', { kind: 'call', forMs: HOUR, settings: { number: 1 } }));
      expect(await hand.sql('select calls, since < now() early from tasker.wait')).toEqual([{ calls, early: true }]);
      await pass(hand, hand.taskUuid);
      expect(await hand.engine.promoteDue()).toBe(1);
      expect(await hand.states()).toMatchObject({ a: 'enqueued' });
      await invariants(hand.sql);
    }
    await hand.claim();
    await hand.record(hand.completed('a'));
    expect(await hand.states()).toEqual({ a: 'complete', b: 'enqueued' });
    const [step] = await hand.tasker.getSteps(hand.taskUuid);
    expect(step).toMatchObject({ attempts: 1, maxAttempts: 1 });
    await invariants(hand.sql);
  });

  it('starts the count of calls again after a redrive, even if its task was cancelled between two calls', async () => {
    const hand = await handWorker({ a: [] });
    await hand.claim();
    await hand.record(hand.waits('a', { kind: 'call', forMs: HOUR, settings: { number: 1 } }));
    await pass(hand, hand.taskUuid);
    expect(await hand.engine.promoteDue()).toBe(1);
    await hand.tasker.cancelTask(hand.taskUuid);
    await hand.tasker.deadLetters.add(hand.taskUuid, { reason: 'was that right?' });
    await hand.tasker.deadLetters.redrive(hand.taskUuid);
    expect(await hand.claim()).toEqual(['a']);
    await hand.record(hand.waits('a', { kind: 'call', forMs: HOUR, settings: { number: 2 } }));
    expect((await hand.tasker.getStep(hand.taskUuid, 'a')).wait).toMatchObject({ calls: 1 });
    await invariants(hand.sql);
  });

  it('is found after a lost response even if its handler was called again in the meantime', async () => {
    const hand = await handWorker({ a: [] });
    await hand.claim();
    const first = { ...hand.waits('a', { kind: 'call', forMs: HOUR, settings: {} }), attempt: 1 };
    expect(await hand.engine.findRecorded([first])).toEqual(new Map());
    await hand.record(first);
    expect((await hand.record(first)).refused).toEqual([0]);
    expect(await hand.engine.findRecorded([first])).toEqual(new Map([[0, null]]));
    await pass(hand, hand.taskUuid);
    await hand.engine.promoteDue();
    await hand.claim();
    const second = { ...hand.waits('a', { kind: 'call', forMs: HOUR, settings: {} }), attempt: 2 };
    await hand.record(second);
    const never = { ...second, claim: second.claim + 1 };
    expect(await hand.engine.findRecorded([first, never, second])).toEqual(
      new Map([
        [0, null],
        [2, null],
      ]),
    );
  });

  it('runs again if its worker was lost before the wait began, regardless of its policy', async () => {
    const hand = await handWorker({ wait: { ...TIMER, retry: { retryable: false } } });
    await hand.claim();
    await hand.die();
    expect(await hand.states()).toEqual({ wait: 'enqueued' });
    await hand.claim();
    await hand.record(hand.waits('wait', { kind: 'timer', forMs: HOUR, settings: {} }));
    const [step] = await hand.tasker.getSteps(hand.taskUuid);
    expect(step).toMatchObject({ currentState: 'waiting', attempts: 1 });
    await invariants(hand.sql);
  });
});

import { describe, expect, it } from 'vitest';
import { partsFor, sharedHandWorkers, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

const TIMER = { type: 'timer', handler: undefined, timer: { for: '1h' } } as const;
const HOUR = 3_600_000;
const WAIT = { kind: 'timer', forMs: HOUR, settings: {} } as const;
const COMPLETION = { ...WAIT, kind: 'completion' } as const;

type Hand = Awaited<ReturnType<typeof handWorker>>;

/** A task whose step `wait` waits for a time, and whose step `after` follows. */
async function waiting(bench?: Parameters<typeof handWorker>[1], step: Record<string, unknown> = TIMER): Promise<Hand> {
  const hand = await handWorker({ wait: step, after: ['wait'] }, bench);
  await hand.claim();
  await hand.record(hand.waits('wait', step === TIMER ? WAIT : COMPLETION));
  return hand;
}

const waitsOf = (hand: Hand) =>
  hand.sql(`select kind, ended_by, ended_at is not null ended from tasker.wait where task_uuid = $1`, [hand.taskUuid]);

const pass = (hand: Hand) =>
  hand.sql(`update tasker.wait set until = now(), due_at = now() where task_uuid = $1 and ended_at is null`, [
    hand.taskUuid,
  ]);

describe('an operator', () => {
  it('cancels a task and its waits, and the timer of the task no longer fires', async () => {
    const hand = await waiting();
    expect(await hand.tasker.cancelTask(hand.taskUuid, { actor: 'ann' })).toBe(true);
    expect(await waitsOf(hand)).toEqual([{ kind: 'timer', ended_by: 'cancel', ended: true }]);
    await pass(hand);
    expect(await hand.engine.promoteDue()).toBe(0);
    expect(await hand.states()).toEqual({ wait: 'cancelled', after: 'cancelled' });
    const history = await hand.tasker.getHistory(hand.taskUuid);
    expect(history.map(({ step, what }) => [step, what])).toContainEqual(['wait', 'cancelled']);
    await invariants(hand.sql);

    const again = await hand.tasker.rerunTask(hand.taskUuid, { from: 'wait' });
    expect(again.status).not.toBe('cancelled');
    await hand.claim();
    await hand.record(hand.waits('wait', WAIT));
    expect(await hand.states()).toEqual({ wait: 'waiting', after: 'pending' });
    await invariants(hand.sql);
  });

  it('completes and resolves a step that waits', async () => {
    const hand = await waiting();
    await hand.tasker.completeStep(hand.taskUuid, 'wait', { result: { by: 'hand' }, actor: 'ann' });
    expect(await hand.states()).toEqual({ wait: 'complete', after: 'enqueued' });
    expect(await waitsOf(hand)).toEqual([{ kind: 'timer', ended_by: 'operator', ended: true }]);
    await invariants(hand.sql);
    const other = await waiting(hand);
    await other.tasker.resolveStep(other.taskUuid, 'wait');
    expect(await other.states()).toEqual({ wait: 'resolved_manually', after: 'enqueued' });
    await invariants(hand.sql);
  });

  it('fires a timer now, and moves it', async () => {
    const hand = await waiting();
    const at = await hand.tasker.moveTimer(hand.taskUuid, 'wait', '2999-01-02T03:04:05+01:00', { actor: 'ann' });
    expect(at).toBe('2999-01-02T02:04:05.000000Z');
    expect(await hand.engine.endDueWaits()).toBe(0);
    await hand.tasker.fireTimer(hand.taskUuid, 'wait', { actor: 'ann', reason: 'agreed' });
    expect(await hand.states()).toEqual({ wait: 'complete', after: 'enqueued' });
    const { entries } = await hand.tasker.audit({ task: hand.taskUuid });
    expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
      ['fire_timer', 'ann'],
      ['move_timer', 'ann'],
    ]);
    await expect(hand.tasker.fireTimer(hand.taskUuid, 'wait')).rejects.toMatchObject({
      code: 'illegal_transition',
      message: `step wait of task ${hand.taskUuid} cannot be fired: its state is complete`,
    });
    await invariants(hand.sql);

    const late = await waiting(hand);
    await late.sql(`update tasker.wait set until = now(), due_at = now() where task_uuid = $1`, [late.taskUuid]);
    await expect(late.tasker.moveTimer(late.taskUuid, 'wait', '2999-01-02T03:04:05Z')).rejects.toMatchObject({
      code: 'wait_over',
      message: expect.stringMatching(/^too late: the timer was due at 20/),
    });
    expect(await late.engine.endDueWaits()).toBe(1);

    const other = await waiting(hand);
    await other.tasker.moveTimer(other.taskUuid, 'wait', 0);
    expect(await other.engine.endDueWaits()).toBe(1);
    for (const wrong of ['tomorrow', '2026-01-01', '2026-01-01T00:00:00', 8.64e15, Number.NaN, -1]) {
      await expect(other.tasker.moveTimer(other.taskUuid, 'wait', wrong)).rejects.toMatchObject({
        code: 'bad_request',
      });
    }
  });

  it('resets a step that timed out, and the step waits again with a new timeout', async () => {
    const hand = await waiting(undefined, { retry: { max_attempts: 1 } });
    await pass(hand);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.states()).toEqual({ wait: 'error', after: 'pending' });
    await hand.tasker.resetStep(hand.taskUuid, 'wait');
    await hand.claim();
    await hand.record(hand.waits('wait', COMPLETION));
    const [row] = await hand.sql(`select until > now() + interval '59 minutes' later from tasker.wait`);
    expect(row).toEqual({ later: true });
    await invariants(hand.sql);
  });

  it('pauses a task whose waits continue, and steps that become ready are not claimed', async () => {
    const hand = await waiting();
    await hand.tasker.pause({ task: hand.taskUuid });
    await pass(hand);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.states()).toEqual({ wait: 'complete', after: 'enqueued' });
    expect(await hand.claim()).toEqual([]);
    await invariants(hand.sql);
    await hand.tasker.resume({ task: hand.taskUuid });
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual(['after']);
  });

  it('pauses a namespace with its lane', async () => {
    const hand = await waiting();
    const { namespace } = await hand.tasker.getTask(hand.taskUuid);
    await pass(hand);
    await hand.engine.promoteDue();
    const paused = await hand.tasker.pause({ namespace });
    expect(paused.steps).toBe(1);
    expect(await hand.claim()).toEqual([]);
    await invariants(hand.sql);
    await hand.tasker.resume({ namespace });
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual(['after']);
  });

  it('sees the ready steps of templates with waits in all counts of ready steps', async () => {
    const hand = await handWorker({ wait: TIMER, after: ['wait'] });
    const { namespace } = await hand.tasker.getTask(hand.taskUuid);
    const depths = await hand.engine.queueDepths([namespace], { timeoutMs: 5_000 });
    expect(depths.get(namespace)).toBe(1);
    const queue = (await hand.tasker.queues()).find((each) => each.namespace === namespace);
    expect(queue).toMatchObject({ ready: 1 });
    expect((await hand.engine.listNamespaces()).find(({ name }) => name === namespace)?.readySteps).toBe(1);
  });

  it('reruns a task from a step that waits, and deletes a task with its waits and tokens', async () => {
    const hand = await waiting(undefined, {});
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'wait' });
    expect(await waitsOf(hand)).toEqual([]);
    await invariants(hand.sql);
    await hand.claim();
    const { row, token } = hand.held.get('wait')!;
    const step = { taskUuid: hand.taskUuid, idx: row.idx, claim: token };
    const secret = await hand.engine.saveToken(step, { timeoutMs: 5_000 });
    await hand.record(hand.waits('wait', COMPLETION));
    await hand.tasker.cancelTask(hand.taskUuid);
    await expect(hand.tasker.completeByToken(secret!, {})).rejects.toMatchObject({
      code: 'wait_over',
      message: expect.stringMatching(/^too late: its task ended as cancelled at 20/),
    });
    await hand.tasker.deleteTask(hand.taskUuid);
    await expect(hand.tasker.completeByToken(secret!, {})).rejects.toMatchObject({ code: 'token_invalid' });
    expect(await hand.sql('select * from tasker.wait')).toEqual([]);
    expect(await hand.sql('select * from tasker.completion_token')).toEqual([]);
  });
});

describe('a batch', () => {
  it('keeps the place of a worker that waits, and cancels it when the batch fails', async () => {
    const steps = {
      plan: { type: 'batchable' },
      work: workers(['plan'], { parallelism: 2, failure_strategy: 'fail_fast' }),
    };
    const hand = await handWorker(steps);
    await hand.claim();
    await hand.record(hand.completed('plan', partsFor('work', '1', '2', '3')));
    expect(await hand.claim()).toEqual(['work_1', 'work_2']);
    await hand.record(hand.waits('work_1', COMPLETION));
    await invariants(hand.sql);
    expect(await hand.states()).toMatchObject({ work_1: 'waiting', work_3: 'pending' });
    await hand.record(hand.failed('work_2'));
    expect(await hand.states()).toMatchObject({ work_1: 'cancelled', work_2: 'error', work_3: 'cancelled' });
    await invariants(hand.sql);
  });

  it('continues with the next worker when a wait ends', async () => {
    const steps = { plan: { type: 'batchable' }, work: workers(['plan'], { parallelism: 1 }) };
    const hand = await handWorker(steps);
    await hand.claim();
    await hand.record(hand.completed('plan', partsFor('work', '1', '2')));
    await hand.claim();
    await hand.record(hand.waits('work_1', COMPLETION));
    expect(await hand.claim()).toEqual([]);
    await pass(hand);
    await hand.sql(`update tasker.step set max_attempts = 1`);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.claim()).toEqual(['work_2']);
    await invariants(hand.sql);
  });
});

describe('a wait that cannot be ended', () => {
  it.each([
    ['its recording fails', 'P0001'],
    ['a statement always takes too long', '57014'],
  ])('is postponed for longer each time, and does not stop the others, if %s', async (_, code) => {
    const hand = await waiting();
    const other = await waiting(hand);
    await hand.sql(`create function no() returns trigger language plpgsql as $$ begin
      if new.task_uuid = '${hand.taskUuid}' then raise 'no' using errcode = '${code}'; end if; return new; end $$`);
    await hand.sql(`create trigger no before insert on tasker.history for each row execute function no()`);
    await pass(hand);
    await pass(other);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.states()).toMatchObject({ wait: 'waiting' });
    expect(await other.states()).toMatchObject({ wait: 'complete' });
    expect(await hand.engine.promoteDue()).toBe(0);
    const minutes = async () => {
      const [row] = await hand.sql<{ m: number }>(
        `select round(extract(epoch from due_at - now()) / 60)::int m from tasker.wait where task_uuid = $1`,
        [hand.taskUuid],
      );
      return row!.m;
    };
    const delays = [await minutes()];
    for (let i = 0; i < 7; i++) {
      await pass(hand);
      expect(await hand.engine.promoteDue()).toBe(0);
      delays.push(await minutes());
    }
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    await invariants(hand.sql);
    await hand.sql('drop function no cascade');
    await pass(hand);
    expect(await hand.engine.promoteDue()).toBe(1);
    expect(await hand.states()).toMatchObject({ wait: 'complete' });
    await invariants(hand.sql);
  });
});

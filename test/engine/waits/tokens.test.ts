import { describe, expect, it } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import { sharedHandWorkers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

const HOUR = 3_600_000;
const WAIT = { kind: 'completion', forMs: HOUR, settings: {} } as const;
const IN_TIME = { timeoutMs: 5_000 };

type Hand = Awaited<ReturnType<typeof handWorker>>;

/** Claims a step, and returns the token of its attempt. */
async function tokenOf(hand: Hand, step = 'pay'): Promise<string> {
  await hand.claim();
  const { row, token } = hand.held.get(step)!;
  return (await hand.engine.saveToken({ taskUuid: hand.taskUuid, idx: row.idx, claim: token }, IN_TIME))!;
}

const past = (hand: Hand) =>
  hand.sql(
    `update tasker.wait set until = now() - interval '1 s', due_at = now() - interval '1 s' where task_uuid = $1`,
    [hand.taskUuid],
  );

describe('a token', () => {
  it('completes the waiting step once, and a repeated call changes nothing', async () => {
    const hand = await handWorker({ pay: [], ship: ['pay'] });
    const token = await tokenOf(hand);
    expect(token).toMatch(/^[\w-]+$/);
    await hand.record(hand.waits('pay', WAIT));
    const used = await hand.tasker.completeByToken(token, { paid: 12 });
    expect(used).toMatchObject({ taskUuid: hand.taskUuid, repeated: false });
    expect(await hand.states()).toEqual({ pay: 'complete', ship: 'enqueued' });
    expect(await hand.tasker.completeByToken(token, { paid: 13 })).toMatchObject({ repeated: true });
    const [step] = await hand.tasker.getSteps(hand.taskUuid);
    expect(step!.results!.result).toEqual({ paid: 12 });
    await expect(hand.tasker.failByToken(token, 'no')).rejects.toMatchObject({
      code: 'wait_over',
      message: expect.stringMatching(/^too late: its token was already used at 20/),
    });
    await invariants(hand.sql);
  });

  it('is not valid for a later run that a rerun begins', async () => {
    const hand = await handWorker({ pay: [] });
    const token = await tokenOf(hand);
    await hand.record(hand.waits('pay', { kind: 'call', forMs: 1, settings: {} }));
    await past(hand);
    expect(await hand.engine.endDueWaits()).toBe(1);
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'pay' });
    const late = { code: 'wait_over', message: expect.stringContaining('its task was rerun') };
    await expect(hand.tasker.completeByToken(token, {})).rejects.toMatchObject(late);
    const next = await tokenOf(hand);
    await expect(hand.tasker.completeByToken(token, {})).rejects.toMatchObject(late);
    expect(await hand.states()).toEqual({ pay: 'in_progress' });
    expect(await hand.tasker.completeByToken(next, {})).toMatchObject({ repeated: false });
    await invariants(hand.sql);
  });

  it('fails the attempt, which the retry policy retries, and is not valid for the next attempt', async () => {
    const hand = await handWorker({ pay: { retry: { max_attempts: 2, backoff: 'none' } } });
    const first = await tokenOf(hand);
    await hand.record(hand.waits('pay', WAIT));
    await hand.tasker.failByToken(first, { message: 'the bank is closed', errorType: 'bank_closed' });
    expect(await hand.states()).toEqual({ pay: 'enqueued' });
    const second = await tokenOf(hand);
    await hand.record(hand.waits('pay', WAIT));
    await expect(hand.tasker.completeByToken(first, {})).rejects.toMatchObject({ code: 'wait_over' });
    expect(await hand.tasker.failByToken(first, 'again')).toMatchObject({ repeated: true });
    expect(await hand.states()).toEqual({ pay: 'waiting' });
    await hand.tasker.failByToken(second, { message: 'no', retryable: false });
    expect(await hand.states()).toEqual({ pay: 'error' });
    const history = await hand.tasker.getHistory(hand.taskUuid);
    expect(history.map(({ error }) => error?.error_type)).toEqual(['bank_closed', 'completion_failed']);
    await invariants(hand.sql);
  });

  it('ends a running attempt immediately, and later outcomes of its worker are rejected', async () => {
    const hand = await handWorker({ pay: [], ship: ['pay'] });
    const token = await tokenOf(hand);
    await hand.tasker.completeByToken(token, { paid: 1 });
    expect(await hand.states()).toEqual({ pay: 'complete', ship: 'enqueued' });
    expect((await hand.record(hand.waits('pay', WAIT))).refused).toEqual([0]);
    expect((await hand.record(hand.completed('pay', { paid: 2 }))).refused).toEqual([0]);
    expect(await hand.tasker.completeByToken(token, {})).toMatchObject({ repeated: true });
    await invariants(hand.sql);
  });

  it('stays valid after its worker was lost, until the next attempt starts', async () => {
    const hand = await handWorker({ pay: [], ship: ['pay'] });
    const token = await tokenOf(hand);
    await hand.die();
    expect(await hand.states()).toMatchObject({ pay: 'enqueued' });
    await hand.tasker.completeByToken(token, { paid: 1 });
    expect(await hand.states()).toEqual({ pay: 'complete', ship: 'enqueued' });
    expect(await hand.tasker.completeByToken(token, {})).toMatchObject({ repeated: true });
    await hand.claim();
    await hand.record(hand.completed('ship'));
    await invariants(hand.sql);

    const other = await handWorker({ pay: [] }, hand);
    const lost = await tokenOf(other);
    await other.die();
    await other.claim();
    await expect(other.tasker.completeByToken(lost, {})).rejects.toMatchObject({ code: 'wait_over' });
  });

  it('is late after the timeout even if no process has handled the timeout yet', async () => {
    const hand = await handWorker({ pay: { retry: { max_attempts: 1 } } });
    const token = await tokenOf(hand);
    await hand.record(hand.waits('pay', WAIT));
    await past(hand);
    const late = { code: 'wait_over', message: expect.stringContaining('it timed out at') };
    await expect(hand.tasker.completeByToken(token, {})).rejects.toMatchObject(late);
    await expect(hand.tasker.extendByToken(token, { timeoutMs: 5 })).rejects.toMatchObject(late);
    expect(await hand.states()).toEqual({ pay: 'waiting' });
    expect(await hand.engine.promoteDue()).toBe(1);
    await expect(hand.tasker.completeByToken(token, {})).rejects.toMatchObject(late);
    expect(await hand.states()).toEqual({ pay: 'error' });
  });

  it('extends the timeout', async () => {
    const hand = await handWorker({ pay: [] });
    const token = await tokenOf(hand);
    await expect(hand.tasker.extendByToken(token, { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'illegal_transition',
    });
    await hand.record(hand.waits('pay', WAIT));
    const until = await hand.tasker.extendByToken(token, { timeoutMs: 2 * HOUR });
    expect(Date.parse(until) - Date.now()).toBeGreaterThan(1.9 * HOUR);
    await expect(hand.tasker.extendByToken(token, { timeoutMs: -1 })).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('is rejected if it is guessed, damaged or from another database', async () => {
    const hand = await handWorker({ pay: [] });
    const token = await tokenOf(hand);
    await hand.record(hand.waits('pay', WAIT));
    const guessed = `${token.slice(0, -4)}AAAA`;
    for (const wrong of [guessed, '', 'x', token.slice(1), `${token}A`, null, 7, token.toUpperCase()]) {
      const refused = hand.tasker.completeByToken(wrong as string, {});
      await expect(refused).rejects.toMatchObject({ code: 'token_invalid' });
    }
    expect(await hand.states()).toEqual({ pay: 'waiting' });
    const [row] = await hand.sql<{ hash: Buffer }>('select hash from tasker.completion_token');
    expect(token).not.toContain(row!.hash.toString('base64url').slice(4, -4));
  });

  it('is not saved for a step that was lost', async () => {
    const hand = await handWorker({ pay: [] });
    await hand.claim();
    const { row, token } = hand.held.get('pay')!;
    await hand.tasker.cancelTask(hand.taskUuid);
    const step = { taskUuid: hand.taskUuid, idx: row.idx, claim: token };
    expect(await (hand.engine satisfies Engine).saveToken(step, IN_TIME)).toBeUndefined();
  });

  it('does not complete a step with a result that violates its schema', async () => {
    const result_schema = { type: 'object', required: ['paid'] };
    const hand = await handWorker({ pay: { result_schema } });
    const token = await tokenOf(hand);
    await hand.record(hand.waits('pay', WAIT));
    await expect(hand.tasker.completeByToken(token, {})).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('paid'),
    });
    await expect(hand.tasker.completeByToken(token, { paid: Number.NaN })).rejects.toMatchObject({
      code: 'result_not_storable',
    });
    await hand.tasker.completeByToken(token, { paid: 1 });
    expect(await hand.states()).toEqual({ pay: 'complete' });
  });
});

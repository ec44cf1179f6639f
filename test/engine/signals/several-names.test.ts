import { describe, expect, it } from 'vitest';
import { sensitiveValues } from '../../../src/engine/sensitive.ts';
import { template } from '../../support/setup.ts';
import { sharedWaitingBenches } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const either = (more: Record<string, unknown> = {}) => ({
  type: 'signal',
  handler: undefined,
  signal: { names: ['paid', 'refused'], schemas: { paid: { type: 'object', required: ['amount'] } }, ...more },
});
const STEPS = { pay: either(), ship: ['pay'] };

describe('a step that waits for the first of several signals', () => {
  it.each([
    ['paid', { amount: 7 }],
    ['refused', 'no money'],
  ])('completes with the signal %s and its payload', async (name, payload) => {
    const { tasker, create, work, resultOf } = await waitingBench(STEPS);
    const task = await create();
    await work();
    expect((await tasker.why(task)).steps[0]!.why).toMatch(
      /^has waited .+ for signal paid or refused, without a timeout; send one of them: `tasker signal send \S+ paid --payload '.+'` or `tasker signal send \S+ refused`$/,
    );
    expect((await tasker.signal(task, name, payload)).tasks).toMatchObject([{ status: 'used', step: 'pay' }]);
    expect(await resultOf(task, 'pay')).toEqual({ name, payload });
  });

  it('takes the earliest of the signals that were kept', async () => {
    const { tasker, create, work, resultOf } = await waitingBench(STEPS);
    const task = await create();
    for (const name of ['refused', 'paid']) {
      expect((await tasker.signal(task, name, { amount: 7 })).tasks).toMatchObject([{ status: 'kept' }]);
    }
    await work();
    expect(await resultOf(task, 'pay')).toEqual({ name: 'refused', payload: { amount: 7 } });
    const { signals } = await tasker.listSignals(task, { kept: true });
    expect(signals.map(({ name }) => name)).toEqual(['paid']);
  });

  it('rejects a payload by the schema of its name, and other names with the names that it waits for', async () => {
    const { tasker, create, work } = await waitingBench(STEPS);
    const task = await create();
    await work();
    await expect(tasker.signal(task, 'paid', {})).rejects.toThrow(
      'the payload of signal paid does not match the schema',
    );
    await expect(tasker.signal(task, 'shipped', {})).rejects.toThrow('it waits for paid, refused');
    await expect(tasker.signal(task, 'refusd', {})).rejects.toThrow('did you mean refused?');
    await tasker.signal(task, 'refused', 1);
    await expect(tasker.signal(task, 'paid', { amount: 1 })).rejects.toThrow(
      /waits for signal paid any more: step pay/,
    );
  });

  it.each([
    ['payload.card', 'card'],
    ['payload', '*'],
    ['*.card', 'card'],
  ])('hides the sensitive path %s of its result in the payloads of its signals', (path, inPayload) => {
    const { signals } = sensitiveValues(template({ pay: { ...either(), sensitive: [path, 'name'] } }))!;
    const single = { type: 'signal', handler: undefined, signal: { name: 'paid' }, sensitive: [inPayload] };
    const expected = sensitiveValues(template({ pay: single }))!.signals.get('paid');
    expect([signals.get('paid'), signals.get('refused')]).toEqual([expected, expected]);
  });
});

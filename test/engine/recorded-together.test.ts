import { describe, expect, it } from 'vitest';
import { choosing, partsFor, sharedHandWorkers, workers } from '../support/hand-worker.ts';
import { invariants } from '../support/setup.ts';

const handWorker = sharedHandWorkers();

const FAIL_FAST = { failure_strategy: 'fail_fast' };
const decision = (...dependencies: string[]) => ({ type: 'decision', dependencies });
const batchable = (...dependencies: string[]) => ({ type: 'batchable', dependencies });
const convergence = (...dependencies: string[]) => ({ type: 'deferred_convergence', dependencies });

describe('two decisions that are recorded together', () => {
  const steps = {
    first: [],
    left: decision('first'),
    right: decision('first'),
    a: ['left'],
    b: ['right'],
    join: convergence('a', 'b'),
  };

  it('if one decision is rejected, the other still creates its branch and the join of both', async () => {
    const { tasker, taskUuid, sql, claim, record, completed, states } = await handWorker(steps);
    await claim();
    await record(completed('first'));
    expect(await claim()).toEqual(['left', 'right']);
    await tasker.resolveStep(taskUuid, 'left');
    const batch = [completed('left', choosing('a')), completed('right', choosing('b'))];
    expect((await record(...batch)).refused).toEqual([0]);
    expect(await states()).toEqual({
      first: 'complete',
      left: 'resolved_manually',
      right: 'complete',
      b: 'enqueued',
      join: 'pending',
    });
    await claim();
    await record(completed('b'));
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });

  it('if one decision creates nothing, the join waits for the branch of the other', async () => {
    const { sql, claim, record, completed } = await handWorker(steps);
    await claim();
    await record(completed('first'));
    await claim();
    await record(completed('left', choosing()), completed('right', choosing('b')));
    expect(await claim()).toEqual(['b']);
    await record(completed('b'));
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });

  it('two decisions and an analyzer all create their steps, and one step joins branches and workers', async () => {
    const { sql, claim, record, completed } = await handWorker({
      ...steps,
      analyze: batchable('first'),
      work: workers(['analyze']),
      join: convergence('a', 'b', 'work'),
    });
    await claim();
    await record(completed('first'));
    expect(await claim()).toEqual(['analyze', 'left', 'right']);
    await record(
      completed('left', choosing('a')),
      completed('analyze', partsFor('work', '1', '2')),
      completed('right', choosing('b')),
    );
    expect(await claim()).toEqual(['a', 'b', 'work_1', 'work_2']);
    await record(completed('a'), completed('work_2'), completed('b'));
    expect(await claim()).toEqual([]);
    await record(completed('work_1'));
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });
});

describe('two batches that are joined by one step', () => {
  const steps = (one: Record<string, unknown>, other: Record<string, unknown>) => ({
    count: batchable(),
    sum: batchable(),
    counter: workers(['count'], one),
    summer: workers(['sum'], other),
    join: convergence('counter', 'summer'),
  });
  const both = async (one: Record<string, unknown>, other: Record<string, unknown>) => {
    const hand = await handWorker(steps(one, other));
    await hand.claim();
    await hand.record(
      hand.completed('count', partsFor('counter', '1', '2', '3')),
      hand.completed('sum', partsFor('summer', '1', '2')),
    );
    await hand.claim();
    return hand;
  };

  it('if both fail fast in one recording, the joining step runs when an operator has settled both failures', async () => {
    const { tasker, taskUuid, sql, claim, record, failed, states } = await both(FAIL_FAST, FAIL_FAST);
    const { ended, takenFrom } = await record(failed('counter_2'), failed('summer_1'), failed('counter_3'));
    expect(ended).toMatchObject([{ state: 'blocked_by_failures' }]);
    expect(takenFrom).toEqual([taskUuid]);
    expect(await states()).toMatchObject({ counter_1: 'cancelled', summer_2: 'cancelled', join: 'pending' });
    await invariants(sql);
    for (const step of ['counter_2', 'summer_1', 'counter_3']) {
      expect((await states()).join).toBe('pending');
      await tasker.resolveStep(taskUuid, step);
    }
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });

  it('one batch continues even if the other fails fast while a place becomes free', async () => {
    const { sql, claim, record, failed, completed } = await both(FAIL_FAST, { parallelism: 1 });
    // After the failure nothing is active until the next worker of the other batch gets its place.
    const { ended, queued } = await record(failed('counter_1'), completed('summer_1'));
    expect(ended).toEqual([]);
    expect(queued).toBe(1);
    expect(await claim()).toEqual(['summer_2']);
    const { ended: then } = await record(completed('summer_2'));
    expect(then).toMatchObject([{ state: 'blocked_by_failures' }]);
    await invariants(sql);
  });
});

describe('batch workers that also wait for another step', () => {
  const steps = (config: Record<string, unknown> = {}) => ({
    analyze: batchable(),
    prepare: [],
    work: workers(['analyze', 'prepare'], config),
    join: convergence('work'),
  });

  it('as many workers as allowed start when that step is done', async () => {
    const { sql, claim, record, completed } = await handWorker(steps({ parallelism: 2 }));
    await claim();
    await record(completed('analyze', partsFor('work', '1', '2', '3')));
    expect(await claim()).toEqual([]);
    await record(completed('prepare'));
    expect(await claim()).toEqual(['work_1', 'work_2']);
    await record(completed('work_1'));
    expect(await claim()).toEqual(['work_3']);
    await invariants(sql);
  });

  it('workers start even if an operator has already settled the first of them', async () => {
    const { tasker, taskUuid, sql, claim, record, completed } = await handWorker(steps({ parallelism: 2 }));
    await claim();
    await record(completed('analyze', partsFor('work', '1', '2', '3', '4', '5')));
    await tasker.resolveStep(taskUuid, 'work_1');
    await tasker.completeStep(taskUuid, 'work_2');
    await record(completed('prepare'));
    await invariants(sql);
    expect(await claim()).toEqual(['work_3', 'work_4']);
    await record(completed('work_4'));
    expect(await claim()).toEqual(['work_5']);
    await record(completed('work_3'), completed('work_5'));
    expect(await claim()).toEqual(['join']);
    await invariants(sql);
  });
});

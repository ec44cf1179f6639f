import { describe, expect, it } from 'vitest';
import type { Recording } from '../../src/engine/engine.ts';
import { handBench, handWorker, partsFor, workers } from '../support/hand-worker.ts';
import { invariants } from '../support/setup.ts';

const EVENTS = { size: 1, text: () => JSON.stringify({ execution: {}, events: [] }) };
const BATCH = {
  analyze: { type: 'batchable', dependencies: [] },
  work: workers(['analyze']),
  join: { type: 'deferred_convergence', dependencies: ['work'] },
};
const CHILDREN = { b: ['a'], c: ['a'], d: ['a'] };

// There is a separate statement for each combination: with or without batches, with or without events.
describe.each([
  ['a template', {}, {}],
  ['a template with events', {}, { events: EVENTS }],
  ['a template with batches', BATCH, {}],
  ['a template with batches and events', BATCH, { events: EVENTS }],
])('steps of %s that become ready', (_, more, recorded) => {
  const withA = async () => {
    const hand = await handWorker({ a: [], ...more, ...CHILDREN });
    await hand.claim();
    const [worker] = await hand.sql<{ id: number }>('select id::int from tasker.worker');
    const token = worker!.id * 2 ** 24 + 99;
    const batch: Recording[] = [{ ...hand.completed('a'), ...recorded }];
    const steps = async () => {
      const columns = 's.state::text, claim is not null claimed, attempts, started_at is not null started';
      return hand.sql(
        `select ${columns} from tasker.step s join tasker.task t using (task_uuid)
           join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = s.idx
          where ts.name in ('b', 'c', 'd') order by ts.idx`,
      );
    };
    return { hand, token, batch, steps };
  };
  const taken = { state: 'in_progress', claimed: true, attempts: 1, started: true };
  const queued = { state: 'enqueued', claimed: false, attempts: 0, started: false };

  it('are claimed for the free slots of the worker, and the others are queued', async () => {
    const { hand, token, batch, steps } = await withA();
    const answer = await hand.engine.record(batch, { freeSlots: 2, token, lastRank: 0 });
    expect([answer.children.length, answer.queued]).toEqual([2, 1]);
    expect(await steps()).toEqual([taken, taken, queued]);
    await invariants(hand.sql);
  });

  it('are queued while steps of a higher priority wait', async () => {
    const { hand, token, batch, steps } = await withA();
    const answer = await hand.engine.record(batch, { freeSlots: 3, token, lastRank: -1 });
    expect([answer.children.length, answer.queued]).toEqual([0, 3]);
    expect(await steps()).toEqual([queued, queued, queued]);
    await invariants(hand.sql);
  });
});

describe('batch workers', () => {
  it.each([
    ['without events', {}],
    ['with events', { events: EVENTS }],
  ])('do not change the batches of other tasks (%s)', async (_, recorded) => {
    const bench = await handBench();
    const [one, other] = [await handWorker(BATCH, bench), await handWorker(BATCH, bench)];
    for (const hand of [one, other]) {
      await hand.claim();
      await hand.record(hand.completed('analyze', partsFor('work', '1', '2')));
      expect(await hand.claim()).toEqual(['work_1', 'work_2']);
    }
    await one.record({ ...one.completed('work_1'), ...recorded });
    await invariants(bench.sql);
  });
});

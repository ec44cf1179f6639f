import { describe, expect, it } from 'vitest';
import { partsFor, sharedHandWorkers, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const handWorker = sharedHandWorkers();

/** The steps that a rerun covers, as `name change`. */
const changes = (steps: readonly { step: string; change: string }[]) =>
  steps.map(({ step, change }) => (change === 'again' ? step : `${step} ${change}`));

const batchOf = (config: Record<string, unknown> = {}, more: string[] = []) => ({
  cut: { type: 'batchable', dependencies: [] },
  ...Object.fromEntries(more.map((name) => [name, []])),
  rows: workers(['cut', ...more], config),
  sum: { type: 'deferred_convergence', dependencies: ['rows'] },
});

describe('a rerun of a task with a batch', () => {
  it('an analyzer that runs again may create a different number of workers, whose attempts count from 1', async () => {
    const hand = await handWorker(batchOf());
    const round = async (...ids: string[]) => {
      await hand.claim();
      await hand.record(hand.completed('cut', partsFor('rows', ...ids)));
      const names = ids.map((id) => `rows_${id}`).sort();
      expect(await hand.claim()).toEqual(names);
      await hand.record(...names.map((name) => hand.completed(name, { name })));
      expect(await hand.claim()).toEqual(['sum']);
      await hand.record(hand.completed('sum'));
      await invariants(hand.sql);
      expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    };
    await round('1', '2', '3');
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'cut' });
    expect(changes(steps).sort()).toEqual(['cut', 'rows_1 removed', 'rows_2 removed', 'rows_3 removed', 'sum removed']);
    await invariants(hand.sql);
    for (const table of ['batch', 'batch_worker']) {
      expect(await hand.sql(`select * from tasker.${table} where task_uuid = '${hand.taskUuid}'`)).toEqual([]);
    }
    await round('x');
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'cut' });
    await round('1', '2', '3', '4');
    const history = (await hand.tasker.getHistory(hand.taskUuid)).filter(({ kind }) => kind === 'attempt');
    expect(
      history
        .filter(({ step }) => step!.startsWith('rows'))
        .map(({ step, attempt, rerun }) => `${step} ${attempt} ${rerun}`)
        .sort(),
    ).toEqual([
      'rows_1 1 0',
      'rows_1 1 2',
      'rows_2 1 0',
      'rows_2 1 2',
      'rows_3 1 0',
      'rows_3 1 2',
      'rows_4 1 2',
      'rows_x 1 1',
    ]);
  });

  it('a rerun before a batch whose analyzer does not run again keeps the parts and the parallelism of the batch', async () => {
    const hand = await handWorker(batchOf({ parallelism: 2 }, ['rate']));
    await hand.claim();
    await hand.record(hand.completed('cut', partsFor('rows', '1', '2', '3')), hand.completed('rate'));
    const work = async () => {
      expect(await hand.claim()).toEqual(['rows_1', 'rows_2']);
      await hand.record(hand.completed('rows_1'), hand.completed('rows_2'));
      expect(await hand.claim()).toEqual(['rows_3']);
      await hand.record(hand.completed('rows_3'));
      expect(await hand.claim()).toEqual(['sum']);
      await hand.record(hand.completed('sum'));
      expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
      await invariants(hand.sql);
    };
    await work();
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from: 'rate' });
    expect(changes(steps).sort()).toEqual(['rate', 'rows_1', 'rows_2', 'rows_3', 'sum']);
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual(['rate']);
    await hand.record(hand.completed('rate'));
    await work();
  });

  it.each(['rows', 'rows_2'])('a rerun from %s runs the whole batch again, or only that worker', async (from) => {
    const hand = await handWorker(batchOf({ parallelism: 2 }));
    await hand.claim();
    await hand.record(hand.completed('cut', partsFor('rows', '1', '2', '3')));
    await hand.claim();
    await hand.record(hand.completed('rows_1'), hand.completed('rows_2'));
    await hand.claim();
    await hand.record(hand.completed('rows_3'));
    await hand.claim();
    await hand.record(hand.completed('sum'));
    const { steps } = await hand.tasker.rerunTask(hand.taskUuid, { from });
    await invariants(hand.sql);
    if (from === 'rows') {
      expect(changes(steps).sort()).toEqual(['rows_1', 'rows_2', 'rows_3', 'sum']);
      expect(await hand.claim()).toEqual(['rows_1', 'rows_2']);
      await hand.record(hand.completed('rows_1'));
      expect(await hand.claim()).toEqual(['rows_3']);
      await hand.record(hand.completed('rows_2'), hand.completed('rows_3'));
    } else {
      expect(changes(steps).sort()).toEqual(['rows_2', 'sum']);
      expect(await hand.claim()).toEqual(['rows_2']);
      await hand.record(hand.completed('rows_2'));
    }
    expect(await hand.claim()).toEqual(['sum']);
    await hand.record(hand.completed('sum'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('a rerun from one worker of a full batch waits for a free place', async () => {
    const hand = await handWorker(batchOf({ parallelism: 1 }));
    await hand.claim();
    await hand.record(hand.completed('cut', partsFor('rows', '1', '2', '3')));
    await hand.claim();
    await hand.record(hand.completed('rows_1'));
    expect(await hand.claim()).toEqual(['rows_2']);
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'rows_1' });
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual([]);
    await hand.record(hand.completed('rows_2'));
    expect(await hand.claim()).toEqual(['rows_1']);
    await hand.record(hand.completed('rows_1'));
    expect(await hand.claim()).toEqual(['rows_3']);
    await hand.record(hand.completed('rows_3'));
    expect(await hand.claim()).toEqual(['sum']);
    await invariants(hand.sql);
  });

  it('in a cancelled task, a rerun continues other batches, except a batch that fail_fast has stopped', async () => {
    const hand = await handWorker({ other: [], ...batchOf({ parallelism: 2, failure_strategy: 'fail_fast' }) });
    await hand.claim();
    await hand.record(hand.completed('other'), hand.completed('cut', partsFor('rows', '1', '2', '3', '4')));
    await hand.claim();
    await hand.record(hand.completed('rows_1'));
    await hand.tasker.cancelTask(hand.taskUuid);
    const first = await hand.tasker.rerunTask(hand.taskUuid, { from: 'other' });
    expect(changes(first.steps).sort()).toEqual([
      'other',
      'rows_2 returned',
      'rows_3 returned',
      'rows_4 returned',
      'sum returned',
    ]);
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual(['other', 'rows_2', 'rows_3']);
    await hand.record(hand.completed('other'), hand.failed('rows_2'));
    expect(await hand.states()).toMatchObject({ rows_2: 'error', rows_3: 'cancelled', rows_4: 'cancelled' });
    await hand.tasker.cancelTask(hand.taskUuid);
    const second = await hand.tasker.rerunTask(hand.taskUuid, { from: 'other' });
    expect(changes(second.steps).sort()).toEqual(['other', 'rows_2 returned', 'sum returned']);
    await invariants(hand.sql);
    expect(await hand.claim()).toEqual(['other', 'rows_2']);
    await hand.record(hand.completed('other'), hand.completed('rows_2'));
    expect(await hand.claim()).toEqual(['sum']);
    await hand.record(hand.completed('sum'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });

  it('the results of workers that were lost or failed before a rerun are not read after the rerun', async () => {
    const hand = await handWorker(batchOf({ failure_strategy: 'continue_on_failure' }));
    await hand.claim();
    await hand.record(hand.completed('cut', partsFor('rows', '1', '2')));
    await hand.claim();
    await hand.record(hand.failed('rows_1'));
    const late = hand.completed('rows_2');
    await hand.tasker.rerunTask(hand.taskUuid, { from: 'cut' });
    await invariants(hand.sql);
    await hand.claim();
    await hand.record(hand.completed('cut', partsFor('rows', '2', '1')));
    // The worker that lost the step before the rerun does not know about the rerun.
    await hand.claim();
    expect((await hand.record(late)).refused).toEqual([0]);
    expect((await hand.die()).steps.length).toBe(2);
    await invariants(hand.sql);
    await hand.claim();
    expect(hand.held.get('rows_2')!.row).toMatchObject({ attempts: 3, spared: 1, rerun: 1 });
    await hand.record(hand.completed('rows_1'), hand.completed('rows_2'));
    await hand.claim();
    await hand.record(hand.completed('sum'));
    expect((await hand.tasker.getTask(hand.taskUuid)).status).toBe('complete');
    await invariants(hand.sql);
  });
});

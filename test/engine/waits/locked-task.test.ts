import { expect, it } from 'vitest';
import { openSession } from '../../support/database.ts';
import { handWorker } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

it('a wait and a result of a locked task fail together with the error of the lock, and are recorded later', async () => {
  const hand = await handWorker({ ask: [], pay: [] });
  await hand.claim();
  const session = await openSession(hand.url);
  await session.query('begin');
  await session.query('select 1 from tasker.task where task_uuid = $1 for update', [hand.taskUuid]);
  const wait = { kind: 'signal', settings: { name: 'paid' } } as const;
  const batch = [hand.waits('ask', wait), hand.completed('pay')];
  // The recorder puts a locked task aside by this code. Any other error would block the results of other tasks.
  await expect(hand.record(...batch)).rejects.toMatchObject({ code: '55P03' });
  await session.query('rollback');
  expect((await hand.record(...batch)).refused).toEqual([]);
  expect(await hand.states()).toEqual({ ask: 'waiting', pay: 'complete' });
  await invariants(hand.sql);
});

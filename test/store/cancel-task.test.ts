import { expect, it } from 'vitest';
import { opening } from '../../src/db/opening.ts';
import { claimSteps } from '../../src/store/claim-steps.ts';
import { handWorker } from '../support/hand-worker.ts';
import { deferred, invariants, until } from '../support/setup.ts';

it('a cancellation that waits for a claim counts the claimed step as running', async () => {
  const { sql, engine, taskUuid, states } = await handWorker({ a: [] });
  const [worker] = await sql<{ id: number }>('select id::int from tasker.worker');
  const [queued] = await sql<{ namespace_id: number }>('select namespace_id from tasker.queue');
  const token = worker!.id * 2 ** 24 + 1;
  const claim = { limit: 9, token, workerId: worker!.id, namespaceIds: [queued!.namespace_id], excluded: [] };
  const [claimed, done] = [deferred(), deferred()];
  const claiming = engine.database.transaction(opening(), async (tx) => {
    expect((await claimSteps(tx, claim)).taken).toBe(1);
    claimed.resolve();
    await done.promise;
  });
  await claimed.promise;
  const cancelling = engine.cancelTask(taskUuid, {});
  const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await until(
    () => sql(waiting),
    (rows) => rows.length > 0,
  );
  done.resolve();
  await claiming;
  await cancelling;
  expect(await states()).toEqual({ a: 'cancelled' });
  expect(await sql('select attempt, outcome::text from tasker.history')).toEqual([
    { attempt: 1, outcome: 'cancelled' },
  ]);
  await invariants(sql);
});

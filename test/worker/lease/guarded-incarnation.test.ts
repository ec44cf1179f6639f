import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { Incarnation, incarnationOf } from '../../../src/worker/lease/incarnation.ts';
import { SharedLoopState, sharedNow } from '../../../src/worker/lease/loop-watch.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

/** A worker whose event loop seems blocked to its heartbeat thread, and whose fences are soon used up. */
async function silentWorker() {
  await shared.setup({ a: [] }, { worker: false, migrate: true });
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  const memory = new SharedLoopState();
  memory.turned();
  const lost = deferred<readonly number[]>();
  const incarnation = new Incarnation(
    new Engine(database, silentLogger),
    {
      name: 'silent',
      namespaces: () => [],
      callables: () => [],
      concurrency: 1,
      leaseMs: 600,
      blockedLoopBoundMs: 600_000,
      fences: 2,
      memory,
    },
    { lost: lost.resolve, othersLost: () => {}, inDoubt: () => true },
    silentLogger,
  );
  await incarnation.start();
  onTestFinished(() => incarnation.stop(false));
  /** Closes the worker's own connections, and waits for a heartbeat, which only the thread can send then. */
  const provenByThread = async () => {
    await database.close();
    const closedAt = sharedNow();
    await until(
      () => memory.provenAt,
      (at) => at > closedAt,
    );
  };
  return { incarnation, lost, provenByThread };
}

it('the heartbeat thread keeps the lease of a worker whose event loop is blocked', async () => {
  const { provenByThread } = await silentWorker();
  await provenByThread();
});

it('the heartbeat thread keeps the lease after an earlier id of the worker was declared dead', async () => {
  const { incarnation, lost, provenByThread } = await silentWorker();
  const old = incarnation.id;
  for (let i = 0; i < 3; i++) incarnation.token();
  await until(
    () => incarnation.id,
    (id) => id !== old,
  );
  await shared.sql(`update tasker.worker set state = 'dead' where id = $1`, [old]);
  expect(await lost.promise).toEqual([old]);
  expect(incarnationOf(incarnation.token())).not.toBe(old);
  await provenByThread();
});

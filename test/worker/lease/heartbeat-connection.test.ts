import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { openHeartbeatConnection } from '../../../src/engine/heartbeat-connection.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { openSession } from '../../support/database.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';

const shared = sharedDatabase();

it('a heartbeat without a response fails early enough for another one within the lease', async () => {
  await shared.setup({ a: [] }, { worker: false });
  const database = await Database.connect({ url: shared.url, poolSize: 1, logger: silentLogger });
  onTestFinished(() => database.close());
  const identity = { name: 'w', host: 'h', pid: 1, namespaces: [], callables: [], concurrency: 1 };
  const id = await new Engine(database, silentLogger).registerWorker({ ...identity, leaseMs: 60_000 });
  const line = openHeartbeatConnection(database.reach);
  onTestFinished(() => line.close());
  expect(await line.heartbeat([id], 60_000)).toMatchObject({ alive: [id] });
  const session = await openSession(shared.url);
  await session.query('begin');
  await session.query('select 1 from tasker.worker where id = $1 for update', [id]);
  const leaseMs = 2_000;
  const unanswered = () => msOf(() => expect(line.heartbeat([id], leaseMs)).rejects.toThrow());
  expect(await leastOf(leaseMs, unanswered, 5)).toBeLessThan(leaseMs);
});

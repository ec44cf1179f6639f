import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { Incarnation, incarnationOf } from '../../../src/worker/lease/incarnation.ts';
import { SharedLoopState, sharedNow } from '../../../src/worker/lease/loop-watch.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

it('a worker whose fences are used up continues under another id, and keeps the old one as long as it may hold steps', async () => {
  await shared.setup({ a: [] }, { worker: false, migrate: true });
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  let doubtful = true;
  let asked = 0;
  const incarnation = new Incarnation(
    new Engine(database, silentLogger),
    {
      name: 'counting',
      namespaces: () => [],
      callables: () => [],
      concurrency: 1,
      leaseMs: 300,
      fences: 3,
      keepRetiredMs: 200,
    },
    {
      lost: () => {},
      othersLost: () => {},
      inDoubt: () => {
        asked++;
        return doubtful;
      },
    },
    silentLogger,
  );
  await incarnation.start();
  onTestFinished(() => incarnation.stop(true));
  const old = incarnation.id;
  for (let i = 0; i < 4; i++) expect(incarnationOf(incarnation.token())).toBe(old);
  await until(
    () => incarnation.id,
    (id) => id !== old,
  );
  expect(incarnationOf(incarnation.token())).toBe(incarnation.id);
  const stateOf = async (id: number) =>
    (await shared.sql<{ state: string }>('select state::text from tasker.worker where id = $1', [id]))[0]!.state;
  const retiredAt = performance.now();
  await until(
    () => asked,
    (times) => times > 4,
  );
  expect(performance.now() - retiredAt).toBeGreaterThan(200);
  expect(await stateOf(old)).toBe('alive');
  doubtful = false;
  await until(
    () => stateOf(old),
    (state) => state === 'stopped',
  );
  expect(await stateOf(incarnation.id)).toBe('alive');
});

it('a worker that was declared dead owns only its later claims', async () => {
  await shared.setup({ a: [] }, { worker: false, migrate: true });
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  const lost = deferred<readonly number[]>();
  const incarnation = new Incarnation(
    new Engine(database, silentLogger),
    { name: 'lost', namespaces: () => [], callables: () => [], concurrency: 1, leaseMs: 300 },
    { lost: lost.resolve, othersLost: () => {}, inDoubt: () => false },
    silentLogger,
  );
  await incarnation.start();
  onTestFinished(() => incarnation.stop(true));
  const before = incarnation.token();
  expect(incarnation.owns(before)).toBe(true);
  await shared.sql(`update tasker.worker set state = 'dead' where id = $1`, [incarnation.id]);
  expect(await lost.promise).toEqual([incarnationOf(before)]);
  expect(incarnation.owns(before)).toBe(false);
  await until(
    () => incarnation.id,
    (id) => id !== incarnationOf(before),
  );
  expect(incarnation.owns(incarnation.token())).toBe(true);
  expect(incarnation.owns(before)).toBe(false);
});

it('a worker announces its namespaces and handlers only when they change', async () => {
  await shared.setup({ a: [] }, { worker: false, migrate: true });
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  let callables = ['charge'];
  const incarnation = new Incarnation(
    new Engine(database, silentLogger),
    { name: 'changing', namespaces: () => ['shop'], callables: () => callables, concurrency: 1, leaseMs: 60_000 },
    { lost: () => {}, othersLost: () => {}, inDoubt: () => false },
    silentLogger,
  );
  await incarnation.start();
  onTestFinished(() => incarnation.stop(true));
  // The worker has fences for many claims, so it keeps its id.
  expect(incarnationOf(incarnation.token())).toBe(incarnation.id);
  const announced = () => shared.sql('select namespaces, callables from tasker.worker where id = $1', [incarnation.id]);
  expect(await announced()).toEqual([{ namespaces: ['shop'], callables: ['charge'] }]);
  callables = ['charge', 'refund'];
  await incarnation.announce();
  expect(await announced()).toEqual([{ namespaces: ['shop'], callables: ['charge', 'refund'] }]);
  await shared.sql(`update tasker.worker set callables = '{}' where id = $1`, [incarnation.id]);
  await incarnation.announce();
  expect(await announced()).toEqual([{ namespaces: ['shop'], callables: [] }]);
  expect(await shared.sql(`select id::int from tasker.worker where name = 'changing'`)).toEqual([
    { id: incarnation.id },
  ]);
});

it('a worker that was cut off waits for a whole lease before it takes over the steps of lost workers', async () => {
  await shared.setup({ a: [] }, { worker: false, migrate: true });
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  onTestFinished(() => database.close());
  const leaseMs = 600;
  const memory = new SharedLoopState();
  const othersLost = deferred<number>();
  const incarnation = new Incarnation(
    new Engine(database, silentLogger),
    { name: 'back', namespaces: () => [], callables: () => [], concurrency: 1, leaseMs, memory },
    { lost: () => {}, othersLost: () => othersLost.resolve(sharedNow()), inDoubt: () => false },
    silentLogger,
  );
  await shared.sql(`insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
    values ('gone', 'h', 1, '{}', '{}', 1, now() - interval '1 minute')`);
  onTestFinished(async () => {
    await shared.sql(`delete from tasker.worker where name = 'gone'`);
  });
  await incarnation.start();
  onTestFinished(() => incarnation.stop(true));
  const backAt = sharedNow();
  memory.cameBack(backAt);
  expect((await othersLost.promise) - backAt).toBeGreaterThan(leaseMs - 1);
});

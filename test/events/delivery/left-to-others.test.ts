import { describe, expect, it } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { consumer, deliveries } from '../../support/events/deliveries.ts';
import { deferred, until } from '../../support/setup.ts';

/** An event of a new task. The events of all these tasks are in one part. */
const ofPart = (n: unknown) => ({ taskUuid: `${uuidV7().slice(0, -1)}0`, payload: { n } });

describe('a process that stops during a slow delivery', () => {
  it('releases events that it has not started, so that another process delivers them immediately', async () => {
    const { start, publish } = await deliveries();
    const may = deferred();
    const slow = consumer({ concurrency: 1 }, () => may.promise);
    const first = await start([slow], { slowMs: 50 });
    await publish(ofPart('slow'), ofPart('next'));
    await until(
      () => slow.ns,
      (ns) => ns.length === 1,
    );
    const other = consumer();
    await start([other]);
    const stopped = first.stop({ drainTimeoutMs: 60_000 });
    await until(
      () => other.ns,
      (ns) => ns.length === 1,
    );
    may.resolve();
    await stopped;
    expect(slow.ns).toEqual(['slow']);
    expect(other.ns).toEqual(['next']);
  });

  it('releases retries that it has not started, so that another process delivers them immediately', async () => {
    const { start, publish, sql, connect } = await deliveries();
    const may = deferred();
    const slow = consumer({ concurrency: 4 }, ({ payload }, { replayed }) => {
      const { n } = payload as { n: unknown };
      return (replayed || n === 'slow') && may.promise;
    });
    const first = await start([slow], { slowMs: 50 });
    await publish({ ...ofPart(1), name: 'again.a' }, { ...ofPart(2), name: 'again.b' });
    await until(
      () => slow.ns,
      (ns) => ns.length === 2,
    );
    await publish(ofPart('slow'), ofPart('slow'), ofPart('slow'));
    await until(
      () => sql('select 1 from tasker.event_retry where holder is not null'),
      (rows) => rows.length === 3,
    );
    const log = new Engine(await connect(), silentLogger).events;
    expect(await log.replay({ group: 'audit', name: 'again.*' })).toBe(2);
    await until(
      () => sql('select 1 from tasker.event_retry where holder is not null'),
      (rows) => rows.length === 5,
    );
    await until(
      () => slow.ns,
      (ns) => ns.length === 6,
    );
    const other = consumer();
    await start([other]);
    const stopped = first.stop({ drainTimeoutMs: 60_000 });
    await until(
      () => other.ns,
      (ns) => ns.length === 1,
    );
    may.resolve();
    await stopped;
    expect(slow.ns).toHaveLength(6);
    expect(other.got.map(({ attempt, replayed }) => ({ attempt, replayed }))).toEqual([{ attempt: 1, replayed: true }]);
    await until(
      () => sql('select 1 from tasker.event_retry'),
      (rows) => rows.length === 0,
    );
  });

  it('aborts the delivery at the end of the drain time, even if the release of the part has not been confirmed', async () => {
    const { url, startOn, publish } = await deliveries();
    const proxy = await startProxy(url);
    const database = await Database.connect({ url: proxy.url, poolSize: 4, logger: silentLogger });
    const signals: AbortSignal[] = [];
    const slow = consumer({}, (_, { halt: { signal } }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    const first = await startOn(database, [slow], { slowMs: 50 });
    await publish(ofPart('slow'));
    await until(
      () => signals.length,
      (count) => count === 1,
    );
    proxy.decide = (sent) => (sent.includes('finish_event_part') ? 'held' : undefined);
    await until(
      () => proxy.counts.held,
      (count) => count === 1,
    );
    const stopped = first.stop({ drainTimeoutMs: 0 });
    await until(
      () => signals.map(({ aborted }) => aborted),
      ([aborted]) => aborted === true,
    );
    proxy.decide = () => undefined;
    proxy.release();
    await stopped;
    await database.close();
  });
});

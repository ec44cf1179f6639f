import { describe, expect, it } from 'vitest';
import type { LoggedEvent } from '../../../src/engine/events/logged-event.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { consumer, deliveries, numbered } from '../../support/events/deliveries.ts';
import { deferred, until } from '../../support/setup.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const sorted = (ns: unknown[]) => (ns as number[]).toSorted((a, b) => a - b);

describe('durable events', () => {
  it('reach a consumer once with their task, name, payload and execution result', async () => {
    const { start, publish } = await deliveries();
    const got = deferred<unknown>();
    await start([consumer({}, (event) => got.resolve(event))]);
    const taskUuid = uuidV7();
    await publish({ taskUuid, name: 'payment.done', payload: { amount: 5 } });
    expect(await got.promise).toMatchObject({
      name: 'payment.done',
      taskUuid,
      payload: { amount: 5 },
      executionResult: expect.objectContaining({ result: { amount: 5 } }),
    });
  });

  it('are delivered to each group once, even if several patterns match or the group is registered several times', async () => {
    const { start, publish } = await deliveries();
    const twice = consumer({ group: 'twice' });
    const overlapping = consumer({ group: 'overlapping', patterns: ['payment.*', '*.done', 'payment.done'] });
    const orders = consumer({ group: 'orders', patterns: ['order.*'] });
    const others = consumer({ group: 'orders', patterns: ['payment.*'] });
    await start([twice, twice, overlapping, orders, others]);
    await publish({ name: 'payment.done' }, { name: 'order.done' }, { name: 'orderxdone' });
    const names = (one: typeof twice) => one.got.map(({ name }) => name).sort();
    await until(
      () => [twice.got.length, overlapping.got.length, others.got.length],
      ([a, b, c]) => a! >= 3 && b! >= 2 && c! >= 1,
    );
    await publish({ name: 'order.last' });
    await until(
      () => [twice.got.length, orders.got.length],
      ([a, b]) => a! >= 4 && b! >= 2,
    );
    expect(names(twice)).toEqual(['order.done', 'order.last', 'orderxdone', 'payment.done']);
    expect(names(overlapping)).toEqual(['order.done', 'payment.done']);
    expect(names(orders)).toEqual(['order.done', 'order.last']);
    expect(names(others)).toEqual(['payment.done']);
  });

  it('are each handled by one process of a group', async () => {
    const { start, publish, sql } = await deliveries();
    const one = consumer();
    const two = consumer();
    const three = consumer();
    for (const process of [one, two, three]) await start([process]);
    for (let i = 0; i < 6; i++) await publish(...numbered(100));
    const all = () => [...one.got, ...two.got, ...three.got];
    await until(
      () => all().length,
      (count) => count >= 600,
    );
    await until(
      () => sql('select 1 from tasker.event_cursor where holder is not null'),
      (held) => held.length === 0,
    );
    expect(new Set(all().map(({ id }) => id)).size).toBe(600);
    expect(all()).toHaveLength(600);
    expect([one, two, three].filter(({ got }) => got.length > 0).length).toBeGreaterThan(1);
  });

  it('are not delivered again after a clean restart, even if they were handled out of order', async () => {
    const { start, publish } = await deliveries();
    const hangs = deferred();
    const before = consumer({ concurrency: 3 }, ({ payload }) => (payload as { n: number }).n === 1 && hangs.promise);
    const delivery = await start([before]);
    // All in one part, so that the hanging event is before the others.
    const tasks = upTo(6).map(() => `${uuidV7().slice(0, -1)}0`);
    await publish(...tasks.map((taskUuid, n) => ({ taskUuid, payload: { n } })));
    await until(
      () => before.got.length,
      (count) => count === 6,
    );
    await delivery.stop({ drainTimeoutMs: 0 });
    const after = consumer();
    await start([after]);
    await publish({ payload: { n: 6 } });
    await until(
      () => after.ns,
      (ns) => ns.includes(6) && ns.includes(1),
    );
    expect(sorted(after.ns)).toEqual([1, 6]);
    // An abandoned delivery is not a failed attempt.
    expect(after.got.map(({ attempt }) => attempt)).toEqual([1, 1]);
    hangs.resolve();
  });

  it('can still be handled within the drain time if their delivery is running when the process stops', async () => {
    const { start, publish, sql } = await deliveries();
    const runs = deferred();
    const may = deferred();
    const first = consumer({}, () => {
      runs.resolve();
      return may.promise;
    });
    const delivery = await start([first]);
    await publish({ payload: { n: 0 } });
    await runs.promise;
    const stopped = delivery.stop({ drainTimeoutMs: 60_000 });
    may.resolve();
    await stopped;
    expect(
      await sql(
        `select 1 from tasker.event_retry union all select 1 from tasker.event_cursor where holder is not null`,
      ),
    ).toEqual([]);
    const after = consumer();
    await start([after]);
    await publish({ payload: { n: 1 } });
    await until(
      () => after.ns,
      (ns) => ns.length > 0,
    );
    expect(after.ns).toEqual([1]);
  });

  it('are not delivered to consumers that a slow startup adds after delivery has stopped', async () => {
    const { start, sql } = await deliveries();
    const delivery = await start([]);
    await delivery.stop();
    let closed = 0;
    const late = consumer({ close: async () => void closed++ });
    const running = delivery.run([late]);
    await delivery.start();
    await running.started;
    await running.stop();
    expect(closed).toBe(1);
    expect(delivery.load).toEqual([]);
    expect(await sql('select name from tasker.event_group')).toEqual([]);
  });

  it('wait while an earlier event of their task is retried, and events of other tasks do not', async () => {
    const { start, publish, sql } = await deliveries();
    const handled: unknown[] = [];
    let failures = 0;
    const flaky = consumer({}, ({ payload }) => {
      const { n } = payload as { n: number };
      if (n === 1 && failures++ < 1) throw new Error('not now');
      handled.push(n);
    });
    await start([flaky]);
    const taskUuid = uuidV7();
    await publish(...upTo(3).map((n) => ({ taskUuid, payload: { n } })));
    await until(
      () => failures,
      (count) => count === 1,
    );
    // This event arrives while the retry of an earlier one is pending.
    await publish({ taskUuid, payload: { n: 3 } }, { payload: { n: 'another' } });
    await until(
      () => handled.length,
      (count) => count === 5,
    );
    expect(handled.filter((n) => n !== 'another')).toEqual([0, 1, 2, 3]);
    expect(handled.indexOf('another')).toBeLessThan(handled.indexOf(1));
    expect(flaky.got.filter(({ n }) => n === 1).map(({ attempt }) => attempt)).toEqual([1, 2]);
    await until(
      () => sql('select 1 from tasker.event_retry'),
      (rows) => rows.length === 0,
    );
  });

  it('that take longer than the lease are handled once and block only their own task', async () => {
    const { start, publish, sql } = await deliveries();
    const may = deferred();
    const got: unknown[] = [];
    const [first, second] = [consumer({}, handle), consumer({}, handle)];
    function handle({ payload }: LoggedEvent): unknown {
      const { n } = payload as { n: unknown };
      got.push(n);
      return n === 'slow' && may.promise;
    }
    for (const one of [first, second]) await start([one], { slowMs: 50, leaseMs: 5_000 });
    const all = () => got;
    // All in one part.
    const slow = `${uuidV7().slice(0, -1)}0`;
    await publish({ taskUuid: slow, payload: { n: 'slow' } }, { taskUuid: slow, payload: { n: 'behind' } });
    await until(all, (ns) => ns.length === 1);
    for (let n = 0; n < 3; n++) {
      await publish(
        { taskUuid: `${uuidV7().slice(0, -1)}0`, payload: { n } },
        { taskUuid: slow, payload: { n: `behind ${n}` } },
      );
      await until(all, (ns) => ns.includes(n));
    }
    // Longer than the lease.
    await sql('select pg_sleep(6)');
    expect(all()).toEqual(['slow', 0, 1, 2]);
    may.resolve();
    await until(all, (ns) => ns.length === 8);
    expect(all().filter((n) => typeof n === 'string')).toEqual(['slow', 'behind', 'behind 0', 'behind 1', 'behind 2']);
    const attempts = [...first.got, ...second.got].map(({ attempt }) => attempt);
    expect(attempts).toEqual(Array(8).fill(1));
    await until(
      () => sql('select 1 from tasker.event_retry'),
      (waiting) => waiting.length === 0,
    );
  });

  it('that take long and then fail or time out are retried before later events of their task', async () => {
    const { start, publish } = await deliveries();
    const may = deferred();
    const slow = consumer({ timeoutMs: 1_500 }, async ({ payload }, { attempt }) => {
      if (attempt > 1) return;
      const { n } = payload as { n: string };
      if (n === 'hangs') await new Promise(() => {});
      if (n === 'fails') await may.promise.then(() => Promise.reject(new Error('not now')));
    });
    await start([slow], { slowMs: 50 });
    const tasks = [0, 1].map(() => `${uuidV7().slice(0, -1)}0`);
    await publish(
      { taskUuid: tasks[0]!, payload: { n: 'hangs' } },
      { taskUuid: tasks[0]!, payload: { n: 'behind hangs' } },
      { taskUuid: tasks[1]!, payload: { n: 'fails' } },
      { taskUuid: tasks[1]!, payload: { n: 'behind fails' } },
    );
    await until(
      () => slow.ns,
      (ns) => ns.length === 2,
    );
    await publish({ taskUuid: `${uuidV7().slice(0, -1)}0`, payload: { n: 'another' } });
    await until(
      () => slow.ns,
      (ns) => ns.includes('another'),
    );
    may.resolve();
    await until(
      () => slow.ns,
      (ns) => ns.length === 7,
    );
    for (const n of ['hangs', 'fails'])
      expect(slow.got.filter((one) => String(one.n).includes(n)).map((one) => [one.n, one.attempt])).toEqual([
        [n, 1],
        [n, 2],
        [`behind ${n}`, 1],
      ]);
  });

  it('that take longer than the drain time of a stop are delivered again, unlike events that are handled within it', async () => {
    const { start, publish, sql } = await deliveries();
    const may = deferred();
    const slow = () => {
      const signals: AbortSignal[] = [];
      const one = consumer({}, (_, { halt: { signal } }) => {
        signals.push(signal);
        return may.promise;
      });
      return { ...one, signals, got: one.got };
    };
    const inRetries = () => sql<{ holder: string | null }>('select holder from tasker.event_retry');
    const one = slow();
    const first = await start([one], { slowMs: 50, leaseMs: 60_000 });
    await publish({ payload: { n: 0 } });
    await until(inRetries, (rows) => rows.length === 1);
    await first.stop({ drainTimeoutMs: 0 });
    expect(one.signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(await inRetries()).toEqual([{ holder: null }]);
    const two = slow();
    const second = await start([two], { slowMs: 50, leaseMs: 60_000 });
    await until(
      () => two.got.length,
      (count) => count === 1,
    );
    const stopped = second.stop({ drainTimeoutMs: 60_000 });
    may.resolve();
    await stopped;
    expect(two.signals.map(({ aborted }) => aborted)).toEqual([false]);
    expect(await inRetries()).toEqual([]);
  });

  it('become dead deliveries if they cannot be delivered, and later events of their task are delivered', async () => {
    const { start, publish, sql } = await deliveries();
    const broken = consumer({ maxDeliveries: 2 }, ({ payload }) => {
      if ((payload as { n: number }).n === 0) throw Object.assign(new Error('no\0thing to be done'), { retryAfter: 0 });
    });
    const picky = consumer({ group: 'picky' }, ({ payload }) => {
      if ((payload as { n: number }).n === 0) throw Object.assign(new Error('never'), { retryable: false });
    });
    await start([broken, picky]);
    const taskUuid = uuidV7();
    await publish(...upTo(3).map((n) => ({ taskUuid, payload: { n } })));
    await until(
      () => [...broken.ns, ...picky.ns],
      (ns) => ns.filter((n) => n === 2).length === 2,
    );
    expect(broken.ns).toEqual([0, 0, 1, 2]);
    expect(picky.ns).toEqual([0, 1, 2]);
    const dead = await until(
      () =>
        sql(
          `select g.name, d.attempts, d.error from tasker.event_dead d join tasker.event_group g on g.id = d.group_id order by 1`,
        ),
      (rows) => rows.length === 2,
    );
    expect(dead).toEqual([
      { name: 'audit', attempts: 2, error: 'nothing to be done' },
      { name: 'picky', attempts: 1, error: 'never' },
    ]);
  });

  it('are aborted and retried if they time out, and a late end changes nothing', async () => {
    const { start, publish, sql } = await deliveries();
    const reasons: unknown[] = [];
    const late = deferred();
    const slow = consumer({ timeoutMs: 50 }, async (_, { attempt, halt: { signal } }) => {
      if (attempt > 1) return;
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      await late.promise;
    });
    const delivery = await start([slow]);
    await publish({ payload: { n: 0 } });
    await until(
      () => slow.got.length,
      (count) => count === 2,
    );
    expect(reasons).toEqual([expect.objectContaining({ code: 'timeout' })]);
    expect(delivery.load).toEqual([expect.objectContaining({ group: 'audit', late: 1 })]);
    late.resolve();
    await until(
      () => delivery.load,
      ([load]) => load!.late === 0 && load!.held === 0,
    );
    expect(await sql('select 1 from tasker.event_retry union all select 1 from tasker.event_dead')).toEqual([]);
    expect(slow.got).toHaveLength(2);
  });

  it('reach a new group from its creation on, or with `from: beginning` from the oldest stored event', async () => {
    const { start, publish } = await deliveries();
    await publish({ payload: { n: 0 } });
    const now = consumer({ group: 'now' });
    const all = consumer({ group: 'all', from: 'beginning' });
    await start([now, all]);
    await publish({ payload: { n: 1 } });
    await until(
      () => [now.got.length, all.got.length],
      ([a, b]) => a! >= 1 && b! >= 2,
    );
    expect(now.ns).toEqual([1]);
    expect(sorted(all.ns)).toEqual([0, 1]);
  });

  it('are delivered even if their notification is lost', async () => {
    const { start, sql } = await deliveries();
    const audit = consumer();
    await start([audit]);
    await sql(`insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
               select gen_random_uuid(), 'quiet', gen_random_uuid(), 0, 1, 'default', '{"n": 1}', '{"worker_id": "w", "execution_time_ms": 1}'
                 from (select pg_current_xact_id() offset 0) x`);
    await until(
      () => audit.ns,
      (ns) => ns.length === 1,
    );
  });
});

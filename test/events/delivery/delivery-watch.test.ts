import { expect, it } from 'vitest';
import { TaskerMetrics } from '../../../src/metrics/metrics.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { consumer, deliveries } from '../../support/events/deliveries.ts';
import { deferred, until } from '../../support/setup.ts';

it('an idle process polls the database with one round trip for all its groups', async () => {
  const { startOn, connect } = await deliveries();
  const database = await connect();
  await startOn(
    database,
    ['one', 'two', 'three'].map((group) => consumer({ group })),
    { pollMs: 100 },
  );
  const timeOf = async (count: number) => {
    const [from, startedAt] = [database.statements, performance.now()];
    await until(
      () => database.statements,
      (now) => now >= from + count,
    );
    return performance.now() - startedAt;
  };
  // Waits until the work at startup has finished.
  await until(
    // BEGIN, the planner setting, the query, COMMIT.
    () => timeOf(4 * 4),
    (ms) => ms > 3 * 100 - 20,
  );
});

it('metrics count deliveries and failures, and show the lag of each group in events and seconds', async () => {
  const { start, publish, sql } = await deliveries();
  const metrics = new TaskerMetrics();
  const may = deferred();
  const audit = consumer({ group: 'audit', concurrency: 1 }, async (_, { attempt }) => {
    if (attempt === 1) throw Object.assign(new Error('not yet'), { retryAfter: 3_600 });
  });
  const picky = consumer({ group: 'picky', maxDeliveries: 1 }, () => {
    throw new Error('never');
  });
  const good = consumer({ group: 'good' });
  const late = consumer({ group: 'late' }, () => may.promise);
  await start([audit, picky, good, late], { metrics });
  const taskUuid = uuidV7();
  await publish({ taskUuid }, { taskUuid });
  // The results of the first three groups are stored. The last group still holds its part.
  const placesOf = () =>
    sql<{ name: string }>(
      `select g.name from tasker.event_cursor c join tasker.event_group g on g.id = c.group_id where c.holder is not null`,
    );
  await until(
    async () => ({ got: [audit, picky, good, late].map(({ got }) => got.length), held: await placesOf() }),
    ({ got, held }) => `${got}` === '1,2,2,1' && held.length === 1,
  );
  const aged = performance.now();
  await sql(`update tasker.event_chunk set made_at = now() - interval '1 hour'`);
  const read = await metrics.json();
  const took = (performance.now() - aged) / 1_000;
  const reported = Object.fromEntries(
    Object.entries(read)
      .filter(([name]) => name.startsWith('tasker_domain_events'))
      .map(([name, { value }]) => [name.replace('tasker_domain_events_', ''), value]),
  );
  expect(reported).toMatchObject({
    'delivered_total{group="good"}': 2,
    'failed_total{group="audit"}': 1,
    'failed_total{group="picky"}': 2,
    'dead_total{group="picky"}': 2,
    'retrying{group="audit"}': 2,
    'retrying{group="late"}': 0,
    'waiting{group="audit"}': 0,
    'waiting{group="good"}': 0,
    'waiting{group="late"}': 2,
    'lag_seconds{group="audit"}': 0,
    'lag_seconds{group="good"}': 0,
  });
  expect(reported['lag_seconds{group="late"}']).toBeGreaterThanOrEqual(3_600);
  expect(reported['lag_seconds{group="late"}']).toBeLessThanOrEqual(3_600 + took + 0.1);
  may.resolve();
});

it('a consumer can read an event in its wire format', async () => {
  const { start, publish } = await deliveries();
  const got = deferred<unknown>();
  await start([consumer({}, async (_, { envelope }) => got.resolve(await envelope()))]);
  await publish({ name: 'order.done', payload: { amount: 3 } });
  expect(await got.promise).toMatchObject({ event_name: 'order.done', payload: expect.any(Object) });
});

it('old events are deleted once every group has passed them', async () => {
  const { start, publish, sql } = await deliveries();
  const audit = consumer();
  await start([audit], { retentionMs: 1, tidyEveryMs: 50 });
  await publish({ payload: { n: 0 } });
  await until(
    () => sql('select 1 from tasker.domain_event union all select 1 from tasker.event_chunk'),
    (rows) => rows.length === 0,
  );
  expect(audit.ns).toEqual([0]);
});

it('a group that is removed while in use is recreated', async () => {
  const { start, publish, sql } = await deliveries();
  const audit = consumer();
  await start([audit], { pollMs: 20 });
  await publish({ payload: { n: 0 } });
  await until(
    () => audit.ns,
    (ns) => ns.includes(0),
  );
  const groups = () => sql<{ id: number; patterns: string[] }>('select id, patterns from tasker.event_group');
  const [before] = await groups();
  for (const table of ['event_cursor', 'event_group_member', 'event_group']) await sql(`delete from tasker.${table}`);
  const [after] = await until(groups, (now) => now.length === 1);
  expect(after!.id).not.toBe(before!.id);
  await publish({ payload: { n: 1 } });
  await until(
    () => audit.ns,
    (ns) => ns.includes(1),
  );
});

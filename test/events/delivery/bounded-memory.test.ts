import { expect } from 'vitest';
import { consumer, deliveries } from '../../support/events/deliveries.ts';
import { heapMb } from '../../support/heap.ts';
import { deferred, itOnce, until } from '../../support/setup.ts';

const COUNT = 4_000;
const KILOBYTES = 20;
/** Each group may have 400 events in memory, and timed-out deliveries that are still running. */
const MOST_OF_TWO_GROUPS_MB = (2 * 400 * KILOBYTES) / 1_024;

itOnce('slow and hanging groups keep only a few of their waiting events in memory', async () => {
  const { start, sql } = await deliveries();
  const never = deferred();
  const slow = consumer({ group: 'slow', concurrency: 2 }, () => never.promise);
  const hanging = consumer({ group: 'hanging', timeoutMs: 20, concurrency: 2 }, () => never.promise);
  const good = consumer({ group: 'good' });
  const delivery = await start([slow, hanging, good]);
  await sql(
    `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
     select gen_random_uuid(), 'demo.done', gen_random_uuid(), 0, 1, 'default',
            jsonb_build_object('n', n, 'text', repeat('x', $2)), '{"worker_id": "w", "execution_time_ms": 1}'
       from generate_series(1, $1) n, (select pg_current_xact_id() offset 0) x`,
    [COUNT, KILOBYTES * 1_024],
  );
  await sql('notify tasker_events');
  await until(
    () => good.got.length,
    (count) => count === COUNT,
    60_000,
  );
  await until(
    () => delivery.load,
    ([, hangs]) => hangs!.late >= 20,
  );
  const full = await heapMb();
  const held = delivery.load.map(({ held }) => held);
  never.resolve();
  await delivery.stop();
  // Compares with the memory after the stop, because the process may have garbage of other tests before the test.
  const grown = full - (await heapMb());
  // If this were not so, the test could not fail.
  expect(held[0]).toBeGreaterThan(100);
  expect(grown).toBeGreaterThan((100 * KILOBYTES) / 1_024);
  // All events would take 78 MB for each group.
  expect(grown).toBeLessThan(MOST_OF_TWO_GROUPS_MB + 10);
});

import { expect, it } from 'vitest';
import { OverviewGauges } from '../../src/app/overview/gauges.ts';
import { Database } from '../../src/db/database.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { TaskerMetrics } from '../../src/metrics/metrics.ts';
import { openSession } from '../support/database.ts';
import { until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { leastOf, msOf } from '../support/suite/measure.ts';

const shared = sharedDatabase();

async function open() {
  const database = await Database.connect({ url: shared.url, poolSize: 2, logger: silentLogger });
  const metrics = new TaskerMetrics();
  const gauges = new OverviewGauges(database, metrics.instruments);
  const values = async () =>
    Object.fromEntries(Object.entries(await metrics.json()).map(([name, { value }]) => [name, value]));
  return { database, metrics, gauges, values };
}

it('every process reports the open tasks, the queue and the unserved steps of every namespace', async () => {
  const bad = defineHandler('a', {}, () => {
    throw new PermanentError('no');
  });
  const here = await shared.setup({ a: [] }, { handlers: [bad] });
  const elsewhere = await shared.setup({ b: [], c: [] }, { worker: false });
  const { taskUuid } = await here.tasker.createTask(here.demo);
  await here.tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
  await elsewhere.tasker.createTask(elsewhere.demo);
  await here.tasker.deadLetters.add(taskUuid);
  const [blocked, waiting] = [here.demo.namespace, elsewhere.demo.namespace];
  await until(
    async () => (await here.tasker.listTasks({ open: true }, {})).tasks.length,
    (count) => count >= 2,
  );
  const { database, gauges, values } = await open();
  await gauges.collect();
  gauges.age();
  const seen = await values();
  expect(seen).toMatchObject({
    [`tasker_tasks_open{namespace="${blocked}",state="blocked_by_failures"}`]: 1,
    [`tasker_tasks_open{namespace="${waiting}",state="pending"}`]: 1,
    [`tasker_queue_depth{namespace="${blocked}"}`]: 0,
    [`tasker_queue_depth{namespace="${waiting}"}`]: 2,
    [`tasker_unserved_steps{namespace="${waiting}"}`]: 2,
    [`tasker_unserved_steps{namespace="${blocked}"}`]: 0,
    [`tasker_dlq_pending_investigations{namespace="${blocked}"}`]: 1,
    [`tasker_dlq_pending_investigations{namespace="${waiting}"}`]: 0,
    'tasker_workers{state="running"}': 1,
    'tasker_workers{state="draining"}': 0,
  });
  expect(seen[`tasker_queue_oldest_message_age_seconds{namespace="${waiting}"}`]).toBeGreaterThan(0);
  expect(seen['tasker_overview_age_seconds']).toBeLessThan(30);
  await database.close();
  // A tasker without a worker reports them, too.
  await expect.poll(() => elsewhere.tasker.metrics.text()).toContain(`tasker_unserved_steps{namespace="${waiting}"} 2`);
});

it('concurrent callers share one reading, and the next reading waits for a pause', async () => {
  const { database, gauges } = await open();
  const before = database.statements;
  await Promise.all(Array.from({ length: 20 }, () => gauges.collect()));
  const once = database.statements - before;
  await gauges.collect();
  expect(database.statements - before).toBe(once);
  expect(once).toBeLessThan(17);
  await database.close();
});

it('namespaces beyond the first hundred are added up as one label', async () => {
  const { demo } = await shared.setup({ a: [] }, { worker: false });
  await shared.sql(
    `insert into tasker.namespace (name) select 'many_' || lpad(g::text, 3, '0') from generate_series(1, 120) g`,
  );
  await shared.sql(
    `insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
     select id, 0, gen_random_uuid(), 0, 0 from tasker.namespace where name like 'many_%'`,
  );
  const { database, gauges, values } = await open();
  await gauges.collect();
  const depths = Object.entries(await values()).filter(([name]) => name.startsWith('tasker_queue_depth'));
  expect(depths.length).toBe(101);
  expect(Object.fromEntries(depths)['tasker_queue_depth{namespace="other"}']).toBeGreaterThan(20);
  expect(depths.reduce((sum, [, value]) => sum + value, 0)).toBeGreaterThanOrEqual(120);
  expect(demo.namespace).toBeDefined();
  await shared.sql(`delete from tasker.queue where template_id = 0`);
  await shared.sql(`delete from tasker.namespace where name like 'many_%'`);
  await database.close();
});

it('old values that cannot be refreshed are removed, and return once they can be read', async () => {
  const { demo } = await shared.setup({ a: [] }, { worker: false });
  const { database, metrics, values } = await open();
  const gauges = new OverviewGauges(database, metrics.instruments, { leastMs: 0, staleMs: 200 });
  const depth = `tasker_queue_depth{namespace="${demo.namespace}"}`;
  await gauges.collect();
  gauges.age();
  expect((await values())[depth]).toBe(0);
  const session = await openSession(shared.url);
  await session.query('begin');
  await session.query('lock table tasker.namespace in access exclusive mode');
  await expect(gauges.collect()).rejects.toThrow();
  gauges.age();
  const seen = await values();
  expect(seen[depth]).toBeUndefined();
  expect(seen['tasker_overview_age_seconds']).toBeGreaterThan(0.2);
  await session.query('rollback');
  await gauges.collect();
  gauges.age();
  expect((await values())[depth]).toBe(0);
  await database.close();
});

it('a database that does not respond delays the metrics by at most one second', async () => {
  const { tasker, another } = await shared.setup({ a: [] }, { worker: false });
  const taskers = [tasker, await another(), await another()];
  const session = await openSession(shared.url);
  await session.query('begin');
  await session.query('lock table tasker.namespace in access exclusive mode');
  let text = '';
  const read = async () => {
    text = await taskers.pop()!.metrics.text();
  };
  expect(await leastOf(3_000, () => msOf(read), taskers.length)).toBeLessThan(3_000);
  expect(text).toMatch(/^tasker_worker_uptime_seconds /m);
  expect(text).not.toMatch(/^tasker_queue_depth\{/m);
  await session.query('rollback');
});

import { describe, expect, it } from 'vitest';
import { flowOf } from '../../../src/app/overview/queue-flow.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import type { Sql } from '../../support/database.ts';
import { DEMO, endStates, setup, template } from '../../support/setup.ts';

const since = (sql: Sql, age: string) => sql('update tasker.analytics_state set since = now() - $1::interval', [age]);
const made = (count: number) => Array.from({ length: count }, () => DEMO);

it('a queue without a worker grows, and its steps are counted as in, not as out', async () => {
  const { tasker, sql } = await setup({ worker: false, templates: template({ work: [] }) });
  await since(sql, '5 minutes');
  await tasker.createTasks(made(30));
  const [queue] = await tasker.queues();
  expect(queue).toMatchObject({ ready: 30, outPerMinute: 0, isGrowing: true });
  expect(queue!.inPerMinute).toBeCloseTo(6, 0);
  expect(Date.now() - Date.parse(queue!.flowSince!)).toBeGreaterThan(290_000);
});

it('a queue whose steps run as they arrive does not grow, and as many go out as come in', async () => {
  const { tasker, sql } = await setup({
    templates: template({ first: [], second: ['first'] }),
    handlers: [defineHandler('first', {}, () => ({})), defineHandler('second', {}, () => ({}))],
  });
  await since(sql, '5 minutes');
  await endStates(tasker, await tasker.createTasks(made(25)));
  await tasker.engine.search.flush();
  await tasker.engine.analytics.flush();
  const [queue] = await tasker.queues();
  expect(queue).toMatchObject({ ready: 0, isGrowing: false });
  expect(queue!.outPerMinute).toBeCloseTo(10, 0);
  expect(queue!.inPerMinute).toBe(queue!.outPerMinute);
});

it('depths are stored once a minute and kept for an hour, and the queue is compared with that of ten minutes ago', async () => {
  const { tasker, sql } = await setup({ worker: false, templates: template({ work: [] }) });
  await since(sql, '3 days');
  expect(await tasker.queues()).toMatchObject([
    { inPerMinute: null, outPerMinute: null, isGrowing: null, flowSince: null },
  ]);
  await tasker.createTasks(made(5));
  // The reading above may have noted a depth.
  await sql('delete from tasker.queue_depth');
  await sql(`insert into tasker.queue_depth select now() - interval '2 hours', id, 9, 9 from tasker.namespace`);
  for (let i = 0; i < 2; i++) {
    await sql(`update tasker.analytics_state set pruned_at = now() - interval '2 minutes'`);
    await tasker.engine.analytics.count({ olderMs: 0 });
  }
  expect(await sql('select ready, running from tasker.queue_depth')).toEqual([{ ready: 5, running: 0 }]);

  await sql(`update tasker.queue_depth set at = now() - interval '10 minutes', ready = 105`);
  await sql(
    `insert into tasker.queue_depth select now() - interval '5 minutes 10 seconds', id, 5, 0 from tasker.namespace`,
  );
  const [queue] = await tasker.queues();
  const byMinute = queue!.readyByMinute.flatMap((ready, at) => (ready === null ? [] : [[59 - at, ready]]));
  // Reading the queues may have stored the depth of now.
  expect(byMinute.filter(([minutes]) => minutes !== 0)).toEqual([
    [10, 105],
    [5, 5],
  ]);
  expect(queue!.readyByMinute.length).toBe(60);
  // 100 steps left the queue, although none was started: they were cancelled, for example.
  expect(queue).toMatchObject({ ready: 5, inPerMinute: 0, outPerMinute: 10, isGrowing: false });
  expect(Date.now() - Date.parse(queue!.flowSince!)).toBeGreaterThan(599_000);
});

it('the minute in which a depth was stored counts in part', async () => {
  const { tasker, sql } = await setup({ worker: false, templates: template({ work: [] }) });
  await since(sql, '3 days');
  await sql(`insert into tasker.queue_depth
             select date_trunc('minute', now()) - interval '615 seconds', id, 0, 0 from tasker.namespace`);
  await sql(`
    insert into tasker.analytics (minutes, at, template_id, idx, completed, failed, lost, cancelled, resolved, released, retried,
                                  gave_up, run_count, run_us, run_hist, wait_count, wait_us, wait_hist, last_at)
    select 1, date_trunc('minute', now()) - interval '11 minutes', id, -2, 400, 0, 0, 0, 0, 0, 0, 0, 400, 0, '{}', 400, 0, '{}', now()
      from tasker.template`);
  const [queue] = await tasker.queues();
  // The depth was noted 45 seconds after the beginning of the minute, so a quarter of its attempts came later.
  expect(queue!.outPerMinute! * ((Date.now() - Date.parse(queue!.flowSince!)) / 60_000)).toBeCloseTo(100, -1);
});

it('in and out are unknown while attempts are not counted', async () => {
  const { tasker, sql } = await setup({
    worker: false,
    templates: template({ work: [] }),
    analyticsEnabled: false,
  });
  await since(sql, '5 minutes');
  await sql(`update tasker.analytics_state set counted_at = now() - interval '10 minutes'`);
  expect(await tasker.queues()).toMatchObject([{ inPerMinute: null, outPerMinute: null, isGrowing: null }]);
});

describe('the flow of a queue', () => {
  const then = {
    namespaceId: 1,
    since: '2026-01-01T00:00:00.000000Z',
    minutes: 10,
    ready: 100,
    running: 5,
    ended: 200,
  };

  it('counts running steps as out', () => {
    expect(flowOf(then, { ready: 100, running: 25 })).toMatchObject({
      inPerMinute: 22,
      outPerMinute: 22,
      isGrowing: false,
    });
  });

  it('is growing if the queue grew by more than 5 % of the steps that left it', () => {
    expect(flowOf(then, { ready: 110, running: 5 })).toMatchObject({
      inPerMinute: 21,
      outPerMinute: 20,
      isGrowing: false,
    });
    expect(flowOf(then, { ready: 111, running: 5 }).isGrowing).toBe(true);
    expect(flowOf({ ...then, ended: 0 }, { ready: 101, running: 5 }).isGrowing).toBe(true);
  });

  it('has no number of incoming steps for a queue that is too long to count', () => {
    const long = { ...then, ready: 100_000 };
    expect(flowOf(long, { ready: 100_000, running: 5 })).toMatchObject({
      inPerMinute: null,
      outPerMinute: 20,
      isGrowing: null,
    });
    expect(flowOf(then, { ready: 100_000, running: 5 })).toMatchObject({
      inPerMinute: null,
      outPerMinute: 20,
      isGrowing: true,
    });
    expect(flowOf(long, { ready: 90_000, running: 5 })).toMatchObject({ inPerMinute: null, isGrowing: false });
  });

  it('is not exaggerated in the first minute, and unknown without a depth', () => {
    expect(flowOf({ ...then, minutes: 0.1, ready: 0 }, { ready: 10, running: 5 })).toMatchObject({ inPerMinute: 210 });
    expect(flowOf(undefined, { ready: 1, running: 1 })).toMatchObject({ inPerMinute: null, isGrowing: null });
  });
});

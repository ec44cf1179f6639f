import { expect, it } from 'vitest';
import { handWorker } from '../../support/hand-worker.ts';
import { letStartLater } from '../../support/waits/waits.ts';

const TIMER = { type: 'timer', handler: undefined, timer: { for: '1h' } } as const;
const HOUR_S = 3_600;

it('a wait is not part of the handler durations, and its child becomes ready at the end of the wait', async () => {
  const hand = await handWorker({ wait: TIMER, after: ['wait'] });
  const { tasker, sql, engine } = hand;
  await hand.claim();
  await hand.record(hand.waits('wait', { kind: 'timer', forMs: HOUR_S * 1_000, settings: {} }));
  for (const [table, columns] of [
    ['task', ['created_at']],
    ['step', ['started_at']],
    ['wait', ['since', 'until', 'due_at']],
  ] as const) {
    await sql(`update tasker.${table} set ${columns.map((at) => `${at} = ${at} - interval '2 hours'`).join()}`);
  }
  await engine.endDueWaits();
  await hand.claim();
  await hand.record(hand.completed('after'));
  await tasker.engine.analytics.flush();
  const { tasks, slowSteps, steps } = await tasker.analytics();
  expect(steps).toMatchObject({ attempts: 2, completed: 2 });
  expect(tasks.duration.maxMs).toBeGreaterThan(2 * HOUR_S * 1_000);
  const of = Object.fromEntries(slowSteps.map((step) => [step.step, step]));
  expect(of.wait ?? null).toMatchObject({ duration: { count: 0 } });
  expect(of.after!.duration.count).toBe(1);
  for (const { queueing } of slowSteps) expect(queueing.maxMs).toBeLessThan(60_000);
});

it('the queueing time and the duration of a task that starts later begin at its start', async () => {
  const hand = await handWorker({ a: [] });
  const { tasker, sql } = hand;
  await letStartLater(sql, hand.taskUuid, HOUR_S);
  await sql(`update tasker.task set created_at = created_at - interval '2 hours'`);
  await sql(`update tasker.wait set since = since - interval '2 hours', ended_at = now(), ended_by = 'elapsed'`);
  await sql('update tasker.task set n_wait = 0, n_active = 1');
  await sql(`update tasker.step set state = 'enqueued'`);
  await sql(`insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
             select m.queue_id, 0, t.task_uuid, 0, m.id from tasker.task t join tasker.template m on m.id = t.template_id`);
  await tasker.engine.search.keeper.compare(new Date(0), 0);
  const [queue] = await tasker.queues();
  expect(queue!.oldestReadyMs).toBeLessThan(60_000);
  const { steps } = await tasker.listSteps({ stepState: 'enqueued' });
  expect(Date.now() - Date.parse(steps[0]!.since)).toBeLessThan(60_000);
  expect(await hand.claim()).toEqual(['a']);
  await hand.record(hand.completed('a'));
  await tasker.engine.analytics.flush();
  const found = await tasker.analytics();
  expect(found.tasks.duration.maxMs).toBeLessThan(60_000);
  expect(found.slowSteps[0]!.queueing.maxMs).toBeLessThan(60_000);
});

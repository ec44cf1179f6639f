import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { openSession } from '../../support/database.ts';
import { choosing, handWorker } from '../../support/hand-worker.ts';
import { DEMO, invariants, setup, template, until } from '../../support/setup.ts';

const HOUR = 3_600_000;
const TIMER = { type: 'timer', handler: undefined, timer: { for: '1h' } } as const;
const wait = (kind: 'timer' | 'completion') => ({ kind, forMs: HOUR, settings: {} }) as const;

it('timers and other waits that are due at the same time each end by their own rule', async () => {
  const hand = await handWorker({ one: TIMER, two: TIMER, join: ['one', 'two'], call: {}, last: TIMER });
  const dynamic = await handWorker(
    { begin: [], route: { type: 'decision', dependencies: ['begin'] }, pause: { ...TIMER, dependencies: ['route'] } },
    hand,
  );
  const ended = await handWorker({ only: TIMER }, hand);
  await hand.claim();
  await hand.record(...['one', 'two', 'last'].map((name) => hand.waits(name, wait('timer'))));
  await hand.record(hand.waits('call', wait('completion')));
  await dynamic.claim();
  await dynamic.record(dynamic.completed('begin'));
  await dynamic.claim();
  await dynamic.record(dynamic.completed('route', choosing('pause')));
  await dynamic.claim();
  await dynamic.record(dynamic.waits('pause', wait('timer')));
  await ended.claim();
  await ended.record(ended.waits('only', wait('timer')));
  const { sql, engine } = hand;
  await sql(`update tasker.wait set until = now(), due_at = now()`);
  await sql(
    `update tasker.wait w set due_at = now() + interval '1 hour', until = now() + interval '1 hour'
              where task_uuid = $1 and idx = 4`,
    [hand.taskUuid],
  );
  expect(await engine.endDueWaits()).toBe(5);
  expect(await hand.states()).toEqual({
    ...{ one: 'complete', two: 'complete', join: 'enqueued', last: 'waiting' },
    call: expect.stringMatching(/^(enqueued|waiting_for_retry)$/),
  });
  expect(await dynamic.states()).toEqual({ begin: 'complete', route: 'complete', pause: 'complete' });
  for (const other of [dynamic, ended])
    expect(await other.tasker.getTask(other.taskUuid)).toMatchObject({ status: 'complete' });
  const [only] = await ended.tasker.getHistory(ended.taskUuid);
  expect(only).toMatchObject({ step: 'only', attempt: 1, what: 'completed', durationMs: null });
  const rows = await sql(`select ended_by from tasker.wait where ended_at is not null`);
  expect(rows.map((row) => row.ended_by).sort()).toEqual(['elapsed', 'elapsed', 'elapsed', 'elapsed', 'timeout']);
  await invariants(sql);
  expect(await engine.endDueWaits()).toBe(0);
});

it('450 timers end with fewer than 40 statements, and the callers that wait for their tasks are notified', async () => {
  const templates = template({ a: [], pause: { ...TIMER, dependencies: ['a'] } });
  const { tasker, sql, another } = await setup({ templates, worker: false });
  const worker = await another({ worker: true, handlers: [defineHandler('a', {}, () => ({}))] });
  const tasks = await tasker.createTasks(Array.from({ length: 450 }, () => DEMO));
  await until(
    () => sql<{ n: number }>('select count(*)::int n from tasker.wait'),
    ([row]) => row!.n === 450,
  );
  await worker.stop();
  const ends = Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
  await sql('update tasker.wait set until = now(), due_at = now()');
  const before = tasker.statements;
  expect(await tasker.engine.endDueWaits()).toBe(450);
  expect(tasker.statements - before).toBeLessThan(40);
  expect(new Set((await ends).map(({ status }) => status))).toEqual(new Set(['complete']));
  await invariants(sql);
});

it('timers end once and task counters stay right while the rows of tasks and waits change constantly', async () => {
  const templates = template({ pause: TIMER, beside: [], after: ['pause'], join: ['after', 'beside'] });
  const { tasker, sql, another, url } = await setup({ templates, worker: false });
  const worker = await another({ worker: true });
  const tasks = await tasker.createTasks(Array.from({ length: 1_500 }, () => DEMO));
  await until(
    () => sql<{ n: number }>('select count(*)::int n from tasker.wait'),
    ([row]) => row!.n === 1_500,
  );
  await worker.stop();
  await sql('update tasker.wait set until = now(), due_at = now()');
  const sessions = await Promise.all([openSession(url), openSession(url)]);
  const pick = () => tasks[Math.floor(Math.random() * tasks.length)]!.taskUuid;
  let changes = 0;
  const [moving, tagging] = [
    repeatedly(async () => {
      await sessions[0]!.query('update tasker.task set tags = tags where task_uuid = $1', [pick()]);
      changes++;
    }),
    // Locks the task first, like an operator who moves a timer.
    repeatedly(async () => {
      await sessions[1]!.query(
        `with t as (select task_uuid from tasker.task where task_uuid = $1 for update)
         update tasker.wait w set until = until from t where w.task_uuid = t.task_uuid and w.ended_at is null`,
        [pick()],
      );
      changes++;
    }),
  ];
  await until(
    () => Promise.all([tasker.engine.endDueWaits(), tasker.engine.endDueWaits()]),
    ([one, two]) => one + two === 0,
  );
  await Promise.all([moving.stop(), tagging.stop()]);
  await tasker.engine.endDueWaits();
  expect(changes).toBeGreaterThan(0);
  await invariants(sql);
  expect(
    await sql(`select (select count(*)::int from tasker.wait where ended_by = 'elapsed') ended,
                      (select count(*)::int from tasker.history where outcome = 'completed') recorded,
                      (select count(*)::int from tasker.queue) queued,
                      (select count(*)::int from tasker.task where n_wait <> 0 or n_active <> 2) miscounted`),
  ).toEqual([{ ended: 1_500, recorded: 1_500, queued: 3_000, miscounted: 0 }]);
});

/** Repeats an action without pauses until it is stopped. */
function repeatedly(act: () => Promise<void>) {
  let stopped = false;
  const running = (async () => {
    while (!stopped) await act();
  })();
  return {
    stop: () => {
      stopped = true;
      return running;
    },
  };
}

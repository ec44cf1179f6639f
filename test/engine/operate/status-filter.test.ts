import { expect, it } from 'vitest';
import type { TaskFilter } from '../../../src/engine/search/filter.ts';
import { openSession } from '../../support/database.ts';
import { invariants, until } from '../../support/setup.ts';
import { sharedWaitingBenches } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const STEPS = { pay: [], ship: ['pay'] };

/** Three tasks: the first has not begun, the second runs its first step, and the third is ready for its second step. */
async function night() {
  const bench = await waitingBench(STEPS);
  const [ready, running] = [await bench.create(), await bench.create()];
  const batch = await bench.claim();
  await bench.record(batch.filter(({ taskUuid }) => taskUuid === ready));
  const fresh = await bench.create();
  await bench.engine.search.flush();
  const found = async (filter: TaskFilter) => {
    const { tasks, total } = await bench.tasker.listTasks(filter, {});
    expect(total).toBe(tasks.length);
    return tasks.map(({ taskUuid, status }) => [taskUuid, status]).sort();
  };
  const status = async (taskUuid: string) => (await bench.tasker.getTask(taskUuid)).status;
  return { ...bench, fresh, running, ready, found, status };
}

const inProcess = (...ids: string[]) => ids.map((id) => [id, 'steps_in_process']).sort();

it('a list of tasks in a state has only tasks that are shown in this state', async () => {
  const { tasker, found, fresh, running, ready } = await night();
  expect(await found({ status: 'pending' })).toEqual([[fresh, 'pending']]);
  expect(await found({ status: 'steps_in_process' })).toEqual(inProcess(running, ready));
  expect(await found({ status: ['pending', 'steps_in_process'] })).toHaveLength(3);
  expect(await found({ stepState: 'in_progress', status: 'pending' })).toEqual([]);
  expect(await found({ step: 'pay', stepState: 'enqueued', status: 'pending' })).toEqual([[fresh, 'pending']]);
  expect(await found({ step: 'ship', stepState: 'enqueued', status: 'steps_in_process' })).toEqual(inProcess(ready));
  expect((await tasker.summarizeTasks()).states).toEqual({ pending: 1, steps_in_process: 2 });
});

it('a list without the search tables has only tasks that are shown in this state', async () => {
  const bench = await waitingBench(STEPS);
  const quiet = await bench.another({ searchEnabled: false, worker: false });
  const running = await bench.create();
  await bench.claim();
  const fresh = await bench.create();
  const ids = async (status: string) => (await quiet.listTasks({ status })).map(({ taskUuid }) => taskUuid);
  expect(await ids('pending')).toEqual([fresh]);
  expect(await ids('steps_in_process')).toEqual([running]);
});

it('a task that starts later and a task that has not begun are both pending', async () => {
  const { engine, create, found } = await night();
  const later = await create({ startAt: '2050-01-01T00:00:00Z' });
  const fresh = await create();
  await engine.search.flush();
  const pending = (await found({ status: 'pending' })).map(([id]) => id);
  expect(pending).toHaveLength(3);
  expect(pending).toEqual(expect.arrayContaining([later, fresh]));
});

it('cancelling pending tasks leaves the tasks that have begun', async () => {
  const { tasker, sql, fresh, running, ready, status } = await night();
  const act = tasker.bulk.cancel({ status: 'pending' });
  expect(await act.preview()).toMatchObject({ matched: 1, sample: [{ taskUuid: fresh, status: 'pending' }] });
  expect(await act.result()).toMatchObject({ done: 1, skipped: [] });
  expect(await Promise.all([fresh, running, ready].map(status))).toEqual([
    'cancelled',
    'steps_in_process',
    'steps_in_process',
  ]);
  await invariants(sql);
});

it('cancelling tasks in steps_in_process leaves the tasks that have not begun', async () => {
  const { tasker, sql, fresh, running, ready, status } = await night();
  expect(await tasker.bulk.cancel({ status: 'steps_in_process' }).result()).toMatchObject({ done: 2, skipped: [] });
  expect(await Promise.all([fresh, running, ready].map(status))).toEqual(['pending', 'cancelled', 'cancelled']);
  await invariants(sql);
});

it('a pending task that begins after the preview is not cancelled', async () => {
  const { tasker, claim, fresh, status } = await night();
  const act = tasker.bulk.cancel({ status: 'pending' });
  expect(await act.preview()).toMatchObject({ matched: 1 });
  await claim();
  expect(await act.result()).toMatchObject({
    done: 0,
    skipped: [{ taskUuid: fresh, why: 'it is in steps_in_process now' }],
  });
  expect(await status(fresh)).toBe('steps_in_process');
});

it('a pending task that a worker is claiming at this moment is not cancelled', async () => {
  const { tasker, url, sql, fresh, status } = await night();
  const act = tasker.bulk.cancel({ status: 'pending' });
  await act.preview();
  const session = await openSession(url);
  await session.query('begin');
  await session.query('delete from tasker.queue where task_uuid = $1', [fresh]);
  await session.query(
    `update tasker.step set state = 'in_progress', attempts = attempts + 1, claim = 1 << 24, started_at = clock_timestamp()
      where task_uuid = $1 and idx = 0`,
    [fresh],
  );
  const acted = act.result();
  await until(
    () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
    (waiting) => waiting.length === 1,
  );
  await session.query('commit');
  expect(await acted).toMatchObject({ done: 0, skipped: [{ why: 'it is in steps_in_process now' }] });
  expect(await status(fresh)).toBe('steps_in_process');
});

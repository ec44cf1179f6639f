import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import type { TaskRequest } from '../../src/engine/create-task.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { openSession } from '../support/database.ts';
import { databaseTime, noneStarted, queued, targets } from '../support/pauses.ts';
import { DEMO, endStates, invariants, setup, template, until } from '../support/setup.ts';

const steps = { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] };
/** Some steps end while a pause begins, and some only after `pause` has returned. */
const quick = Object.keys(steps).map((name) => defineHandler(name, {}, () => sleep(1 + 40 * Math.random())));
const SHORT = { ...DEMO, name: 'short' };
const ROUNDS = 3;

/**
 * Runs two workers and creators until `stop`. One creator adds many tasks together, so that some of its transactions
 * begin before a pause and end after the pause.
 */
async function busy() {
  const templates = [template(steps), template({ a: [] }, { name: 'short' })];
  const { tasker, sql, another } = await setup({ templates, worker: false });
  const workers: Tasker[] = [];
  for (const concurrency of [60, 60])
    workers.push(await another({ handlers: quick, worker: true, concurrency, pollMs: 20 }));
  const tasks: { taskUuid: string }[] = [];
  let stopped = false;
  const creating = async (one: Tasker, requests: TaskRequest[], pauseMs: number) => {
    while (!stopped) {
      for (const task of await one.createTasks(requests)) tasks.push(task);
      await sleep(pauseMs);
    }
  };
  const creators = [
    ...workers.map((one) => creating(one, [DEMO, DEMO], 10)),
    creating(
      tasker,
      Array.from({ length: 50 }, () => SHORT),
      60,
    ),
  ];
  const stop = async () => {
    stopped = true;
    await Promise.all(creators);
  };
  onTestFinished(stop);
  return { tasker, sql, another, tasks, stop };
}

/** Vacuums the queue and rewrites it as a worker does, until `stop`. */
async function tidying({ sql }: Awaited<ReturnType<typeof busy>>, over: () => boolean): Promise<void> {
  while (!over()) {
    await sql(`begin; lock table tasker.queue in access exclusive mode;
      create temp table kept on commit drop as select * from tasker.queue; truncate tasker.queue;
      insert into tasker.queue overriding system value select * from kept; commit`);
    await sql('vacuum tasker.queue');
    await sleep(3);
  }
}

describe('while workers and creators run at full speed', () => {
  it.each([
    ['namespace', undefined],
    ['template', 'short'],
  ] as const)('no step of a paused %s starts once pause has returned', async (kind, name) => {
    const { tasker, sql, tasks, stop } = await busy();
    const target = name === undefined ? { namespace: 'test' } : { template: `test/${name}` };
    for (let round = 0; round < 2 * ROUNDS; round++) {
      await sleep(40);
      await tasker.pause(target);
      const from = await databaseTime(sql);
      await sleep(round % 3 === 0 ? 60 : 10);
      const to = await databaseTime(sql);
      await tasker.resume(target);
      await noneStarted(sql, from, to, name);
    }
    await stop();
    expect(kind).toBeDefined();
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(await queued(sql)).toEqual({ ready: 0, paused: 0 });
    await invariants(sql);
  });

  it('no step of a paused task starts once pause has returned', async () => {
    const { tasker, sql, tasks, stop } = await busy();
    for (let round = 0; round < 4 * ROUNDS; round++) {
      await sleep(round % 5);
      const { taskUuid } = await tasker.createTask(DEMO);
      await sleep(5 * (round % 7));
      const answer = await tasker.pause({ task: taskUuid }).catch((error: unknown) => error);
      if (answer instanceof Error) {
        expect(answer).toMatchObject({ code: 'illegal_transition' });
        continue;
      }
      const from = await databaseTime(sql);
      await sleep(20);
      const to = await databaseTime(sql);
      await tasker.resume({ task: taskUuid });
      await noneStarted(sql, from, to, taskUuid);
      tasks.push({ taskUuid });
    }
    await stop();
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    await invariants(sql);
  });

  it('concurrent pauses and resumes of all targets lose no step even while the queue is compacted and vacuumed', async () => {
    const load = await busy();
    const { tasker, sql, tasks, stop, another } = load;
    let over = false;
    const tidied = tidying(load, () => over);
    const operators = [tasker, await another(), await another()];
    await Promise.all(
      operators.map(async (operator, i) => {
        const kind = (['namespace', 'template', 'version'] as const)[i]!;
        for (let round = 0; round < ROUNDS; round++) {
          const { taskUuid } = await operator.createTask(DEMO);
          tasks.push({ taskUuid });
          const one = targets(taskUuid);
          await Promise.all([operator.pause(one[kind]), operator.pause(one.task).catch(() => undefined)]);
          const from = await databaseTime(sql);
          await sleep(10);
          const to = await databaseTime(sql);
          await Promise.all([operator.resume(one.task), operator.resume(one[kind])]);
          await noneStarted(sql, from, to, 'demo');
        }
      }),
    );
    over = true;
    await tidied;
    await stop();
    expect(await endStates(tasker, tasks)).toEqual(['complete']);
    expect(await tasker.pauses()).toEqual([]);
    await invariants(sql);
  });
});

it('if several calls pause or resume the same target at the same time, only one of them reports a change', async () => {
  const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
  await tasker.createTasks([DEMO, DEMO, DEMO]);
  const other = await another();
  for (const verb of ['pause', 'resume'] as const) {
    const answers = await Promise.all([tasker, other, tasker].map((one) => one[verb]({ namespace: 'test' })));
    expect(answers.map(({ changed }) => changed).sort()).toEqual([false, false, true]);
    expect(await queued(sql)).toEqual(verb === 'pause' ? { ready: 0, paused: 3 } : { ready: 3, paused: 0 });
  }
  expect(await sql('select action from tasker.operator_action order by id')).toHaveLength(2);
});

it('a pause waits for a transaction that adds a step it cannot see yet, and delays no other transaction', async () => {
  const { tasker, sql, url, another } = await setup({ templates: template({ a: [] }), worker: false });
  await tasker.createTask(DEMO);
  const open = await openSession(url);
  await open.query('begin');
  await open.query(
    `insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
     select namespace_id, rank, task_uuid, idx, template_id from tasker.queue`,
  );
  let answered = false;
  const pausing = tasker.pause({ namespace: 'test' }).then(() => (answered = true));
  await until(
    () => sql(`select 1 from tasker.pause`),
    (rows) => rows.length === 1,
  );
  const other = await another();
  await other.createTask(DEMO);
  expect(answered).toBe(false);
  await open.query('commit');
  await pausing;
  expect(await queued(sql)).toEqual({ ready: 0, paused: 3 });
});

import { describe, expect, it, vi } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { Housekeeping } from '../../src/worker/lease/housekeeping.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { openSession, type Sql } from '../support/database.ts';
import { DEMO, endStates, invariants, setup, states, template } from '../support/setup.ts';

const MISSING = 'ready steps were missing from the queue; queued again';
const queued = 'select count(*)::int n from tasker.queue';
const doubled = 'select count(*)::int n from tasker.queue group by task_uuid, idx having count(*) > 1';

/** Registers a worker in the database, as another process would. */
function register({ engine }: Tasker): Promise<number> {
  const identity = { name: 'w', host: 'h', pid: 1, namespaces: ['test'], callables: ['a'], concurrency: 1 };
  return engine.registerWorker({ ...identity, leaseMs: 600_000 });
}

/** Checks the whole queue as the longest-running worker does. */
async function check(tasker: Tasker, workerId: number): Promise<number> {
  const checked = await tasker.engine.checkQueue({ workerIds: [workerId] });
  expect(checked?.next).toBe(undefined);
  return checked!.requeued.length;
}

async function waiting(count: number, steps: Parameters<typeof template>[0] = { a: [] }) {
  const made = await setup({ templates: template(steps), worker: false });
  const tasks = await made.tasker.createTasks(Array.from({ length: count }, (_, i) => ({ ...DEMO, priority: i % 3 })));
  return { ...made, tasks, workerId: await register(made.tasker) };
}

async function countOf(sql: Sql, text: string): Promise<number> {
  return (await sql<{ n: number }>(text))[0]?.n ?? 0;
}

it('steps that are missing from the queue, as after a restored backup, run when a worker starts', async () => {
  const { tasker, sql, another } = await setup({ templates: template({ a: [], b: ['a'] }), worker: false });
  const tasks = await tasker.createTasks(Array.from({ length: 30 }, () => DEMO));
  await sql('truncate tasker.queue');
  const { logger, lines } = collectingLogger();
  const handlers = ['a', 'b'].map((name) => defineHandler(name, {}, () => ({})));
  const worker = await another({ worker: true, handlers, logger });

  expect(await endStates(tasker, tasks)).toEqual(['complete']);

  const warnings = lines.filter(({ message }) => message === MISSING);
  expect(warnings).toMatchObject([{ level: 'warn', fields: { steps: 30, tasks: 30 } }]);
  expect((warnings[0]!.fields as { task_uuids: string[] }).task_uuids).toHaveLength(10);
  expect(await worker.metrics.text()).toMatch(/^tasker_steps_requeued_total 30$/m);
  await invariants(sql);
});

it('only the missing steps of a task are queued, and they get the priority of the task', async () => {
  const { tasker, sql, tasks, workerId } = await waiting(3, { a: [], b: [], c: ['a', 'b'] });
  const { taskUuid } = tasks[0]!;
  const rows = 'select namespace_id, rank, task_uuid, idx, template_id from tasker.queue order by task_uuid, idx';
  const before = await sql(rows);
  await sql('delete from tasker.queue where task_uuid = $1 and idx = 1', [taskUuid]);

  expect(await check(tasker, workerId)).toBe(1);

  expect(await sql(rows)).toEqual(before);
  expect(await check(tasker, workerId)).toBe(0);
});

it('steps that run, wait for a parent, for a retry or for a place in their batch are not queued', async () => {
  const parts = Array.from({ length: 5 }, (_, i) => ({ batch_id: String(i), start_cursor: i }));
  const batch = { batch_size: 1, parallelism: 2, cursor_field: 'id', worker_template: 'part' };
  const { tasker, sql, another } = await setup({
    templates: template({
      cut: { type: 'batchable', dependencies: [] },
      part: {
        type: 'batch_worker',
        dependencies: ['cut'],
        batch_config: { ...batch, failure_strategy: 'continue_on_failure' },
      },
      join: { type: 'deferred_convergence', dependencies: ['part'] },
      flaky: { dependencies: [], retry: { backoff: 'linear', backoff_base_ms: 60_000 } },
    }),
    worker: false,
  });
  const started: (() => void)[] = [];
  const running = new Promise<void>((resolve) => started.push(resolve));
  const worker = await another({
    worker: true,
    handlers: [
      defineHandler('cut', {}, () => ({
        batch_processing_outcome: { type: 'create_batches', cursor_configs: parts },
      })),
      defineHandler('part', {}, ({ context }) => {
        started[0]!();
        return new Promise((resolve) => context.signal.addEventListener('abort', () => resolve({}), { once: true }));
      }),
      defineHandler('flaky', {}, () => Promise.reject(new Error('again'))),
    ],
    concurrency: 50,
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await running;
  await expect.poll(async () => (await states(tasker, taskUuid)).flaky).toBe('waiting_for_retry');
  const before = await states(tasker, taskUuid);
  expect(Object.values(before).filter((state) => state === 'pending')).toHaveLength(4);
  const workerIds = (await sql<{ id: number }>('select id::int from tasker.worker')).map((row) => row.id);

  // While the worker's own check runs, this check is skipped.
  await expect.poll(() => tasker.engine.checkQueue({ workerIds })).toEqual({ next: undefined, requeued: [] });

  expect(await states(tasker, taskUuid)).toEqual(before);
  expect(await countOf(sql, queued)).toBe(0);
  await worker.cancelTask(taskUuid);
});

it('rows of steps that were completed by hand do not hide missing steps', async () => {
  const { tasker, sql, tasks, workerId } = await waiting(2, { a: [], b: [], c: [] });
  const { taskUuid } = tasks[0]!;
  await tasker.completeStep(taskUuid, 'a', { result: {} });
  await sql('delete from tasker.queue where task_uuid = $1 and idx > 0', [taskUuid]);
  expect(await check(tasker, workerId)).toBe(2);
  expect(await countOf(sql, doubled)).toBe(0);
});

it('a step of a cancelled task is not queued', async () => {
  const { tasker, sql, tasks, workerId } = await waiting(2);
  await sql('truncate tasker.queue');
  await tasker.cancelTask(tasks[0]!.taskUuid);
  expect(await check(tasker, workerId)).toBe(1);
  expect(await sql('select task_uuid from tasker.queue')).toEqual([{ task_uuid: tasks[1]!.taskUuid }]);
});

it('one check queues more missing steps than one transaction takes', async () => {
  const { tasker, sql, workerId } = await waiting(10_500);
  await sql('truncate tasker.queue');
  expect(await check(tasker, workerId)).toBe(10_500);
  expect(await countOf(sql, queued)).toBe(10_500);
  expect(await countOf(sql, doubled)).toBe(0);
});

it('one check queues more missing steps than one scan finds, except steps of a locked task', async () => {
  const { tasker, sql, url, tasks, workerId } = await waiting(20);
  await sql('truncate tasker.queue');
  const session = await openSession(url);
  await session.query('begin');
  await session.query('select 1 from tasker.task where task_uuid = $1 for update', [tasks[7]!.taskUuid]);
  const checked = await tasker.engine.checkQueue({ workerIds: [workerId], steps: 3 });
  expect(checked).toMatchObject({ next: undefined, requeued: { length: 19 } });
  await session.query('rollback');
});

it('a check continues where its last slice ended, and ends at the last task', async () => {
  const { tasker, sql, tasks, workerId } = await waiting(5);
  await sql('truncate tasker.queue');
  const found: string[][] = [];
  let after: string | undefined;
  do {
    const checked = await tasker.engine.checkQueue({ workerIds: [workerId], after, tasks: 2 });
    found.push(checked!.requeued.map(({ taskUuid }) => taskUuid).sort());
    after = checked!.next;
  } while (after !== undefined);
  const ids = tasks.map(({ taskUuid }) => taskUuid).sort();
  expect(found).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
});

it('a task that another transaction has locked is left for the next check, and does not delay other tasks', async () => {
  const { tasker, sql, url, tasks, workerId } = await waiting(3);
  await sql('truncate tasker.queue');
  const session = await openSession(url);
  await session.query('begin');
  await session.query('select 1 from tasker.task where task_uuid = $1 for update', [tasks[1]!.taskUuid]);
  expect(await check(tasker, workerId)).toBe(2);
  await session.query('rollback');
  expect(await check(tasker, workerId)).toBe(1);
});

describe('several processes', () => {
  it('that check at the same time queue each missing step once', async () => {
    const { tasker, another, sql, workerId } = await waiting(2_000);
    const others = await Promise.all([another(), another(), another()]);
    for (let round = 0; round < 5; round++) {
      await sql('delete from tasker.queue where id % 2 = 0');
      const missing = 2_000 - (await countOf(sql, queued));
      const checks = [tasker, ...others].map(({ engine }) => engine.checkQueue({ workerIds: [workerId] }));
      const requeued = (await Promise.all(checks)).reduce((sum, checked) => sum + (checked?.requeued.length ?? 0), 0);
      expect(requeued).toBe(missing);
      expect(await countOf(sql, queued)).toBe(2_000);
      expect(await countOf(sql, doubled)).toBe(0);
    }
  });

  it('only the longest-running worker checks the queue, and the next worker takes over when its lease expires', async () => {
    const { tasker, sql, workerId } = await waiting(1);
    const younger = await register(tasker);
    await sql('truncate tasker.queue');
    expect(await tasker.engine.checkQueue({ workerIds: [younger] })).toBe(undefined);
    await sql(`update tasker.worker set lease_until = now() - interval '1 second' where id = $1`, [workerId]);
    expect(await tasker.engine.checkQueue({ workerIds: [workerId] })).toBe(undefined);
    expect((await tasker.engine.checkQueue({ workerIds: [younger] }))?.requeued).toHaveLength(1);
  });

  it('can claim and record while the queue is checked, and no step is mistaken for missing', async () => {
    const handlers = ['a', 'b', 'c'].map((name) => defineHandler(name, {}, () => ({})));
    const { tasker, sql, another } = await setup({ templates: template({ a: [], b: [], c: ['a', 'b'] }), handlers });
    await another();
    const ids = async () => (await sql<{ id: number }>('select id::int from tasker.worker')).map((row) => row.id);
    const workerIds = await ids();
    const ends = endStates(
      tasker,
      (await Promise.all(Array.from({ length: 10 }, () => tasker.createTasks(Array(200).fill(DEMO))))).flat(),
    );
    let over = false;
    void ends.finally(() => {
      over = true;
    });
    let checks = 0;
    while (!over) {
      const checked = await tasker.engine.checkQueue({ workerIds });
      if (checked) {
        checks++;
        expect(checked.requeued).toEqual([]);
      }
    }
    expect(await ends).toEqual(['complete']);
    expect(checks).toBeGreaterThan(3);
    await invariants(sql);
  });
});

it('a worker checks again within five minutes', async () => {
  const { tasker, sql, workerId } = await waiting(3);
  const housekeeping = new Housekeeping(tasker.engine, { leaseMs: 30_000, workerIds: () => [workerId] }, silentLogger);
  await housekeeping.look();
  await sql('truncate tasker.queue');
  await housekeeping.look();
  expect(await countOf(sql, queued)).toBe(0);
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 299_000);
  try {
    await housekeeping.look();
  } finally {
    clock.mockRestore();
  }
  expect(await countOf(sql, queued)).toBe(3);
});

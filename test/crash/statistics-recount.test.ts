import { expect, it } from 'vitest';
import { isConnectionError } from '../../src/db/connection-error.ts';
import { isTaskerError } from '../../src/errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { compareWithJournal, keepJournal } from '../support/crash/attempt-journal.ts';
import { openJournal, startWorker, workTemplate } from '../support/crash/workers.ts';
import { DEMO, setup, until } from '../support/setup.ts';

const PROVE = process.env.PROVE === '1';
const LEASE_MS = 1_500;
const TASKS = PROVE ? 2_000 : 200;
const RUN_MS = PROVE ? 120_000 : 6_000;
const KINDS = ['killed', 'terminated', 'deleted', 'cancelled', 'rerun', 'retried', 'pruned', 'redriven'];

/** Open tasks that are not blocked by a failure. */
const OPEN = `select 1 from tasker.task where done_at is null and state <> 'blocked_by_failures' limit 21`;
const ENDED = ['complete', 'cancelled'];

/** Refusals that depend on the current state of the task, and lost connections. */
const EXPECTED = [
  'illegal_transition',
  'task_not_found',
  'step_not_found',
  'task_busy',
  'database_unavailable',
  'record_in_doubt',
  'database_error',
  'nothing_failed',
  'conflict',
  'dead_letter_not_found',
];

it('the statistics equal a recount after workers were killed, sessions terminated, and tasks deleted, cancelled and rerun at random', {
  timeout: PROVE ? 600_000 : 240_000,
}, async () => {
  const templates = [
    workTemplate({
      a: [],
      b: { dependencies: ['a'], retry: { max_attempts: 3, backoff: 'none' } },
      c: ['a'],
      d: ['b', 'c'],
    }),
    workTemplate({ a: { retry: { retryable: false } }, b: ['a'] }, { name: 'other' }),
  ];
  const { tasker, sql, url, another } = await setup({ templates, worker: false, logger: silentLogger });
  const other = await another({ worker: false });
  await keepJournal(sql);
  const journal = openJournal();
  const start = () => startWorker({ databaseUrl: url, journal, leaseMs: LEASE_MS, concurrency: 20, pollMs: 200 });
  const workers = [await start(), await start()];
  const done: Record<string, number> = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  let over = false;
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const pick = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 2 ** 31) * below);
  };
  const tasks: string[] = [];
  const attempt = async (kind: string, act: () => Promise<unknown>) => {
    try {
      if ((await act()) !== 0) done[kind]! += 1;
    } catch (error) {
      const expected = isTaskerError(error) ? EXPECTED.includes(error.code) : isConnectionError(error);
      if (!expected) throw error;
    }
  };
  const create = async () => {
    // Continues until each kind of act has been done, because the acts use up tasks.
    for (let i = 0; !over; i += 10) {
      while (!over && i >= TASKS && (await sql(OPEN)).length > 20)
        await new Promise((resolve) => setTimeout(resolve, 100));
      const requests = Array.from({ length: 10 }, (_, n) => ({
        ...DEMO,
        name: n % 3 === 0 ? 'other' : 'demo',
        context: {
          '*': { ms: pick(3) === 0 ? pick(60) : 0 },
          ...(pick(3) === 0 && { b: { fail: pick(2) === 0 ? 'once' : 'always' } }),
        },
      }));
      await tasker.createTasks(requests).then(
        (made) => tasks.push(...made.map((one) => one.taskUuid)),
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, RUN_MS / (TASKS / 10) / 2));
    }
  };
  const operate = async () => {
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const taskUuid = tasks.at(-1 - pick(Math.min(tasks.length, 40)));
      if (taskUuid === undefined) continue;
      const by = pick(2) === 0 ? tasker : other;
      // Chooses a suitable action, so that few are refused.
      const status = await by.getTask(taskUuid).then(
        (task) => task.status,
        () => 'gone',
      );
      const what = pick(10);
      if (what === 9 && pick(8) === 0) {
        await attempt('pruned', async () => {
          const prune = by.prune({ olderThan: '0s', name: 'other' }, { share: 1 });
          return (await prune.result()).deleted;
        });
      } else if (['blocked_by_failures', 'cancelled'].includes(status) && what >= 7) {
        await attempt('redriven', async () => {
          await by.deadLetters.add(taskUuid);
          await by.deadLetters.redrive(taskUuid);
        });
      } else if (status === 'blocked_by_failures') await attempt('retried', () => by.retryTask(taskUuid));
      else if (!ENDED.includes(status)) {
        if (what < 2) await attempt('cancelled', () => by.cancelTask(taskUuid));
      } else if (what < 6) await attempt('deleted', () => by.deleteTask(taskUuid));
      else await attempt('rerun', () => by.rerunTask(taskUuid, { from: pick(2) === 0 ? 'a' : 'b' }));
    }
  };
  const kill = async () => {
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, RUN_MS / 6));
      if (over) break;
      await workers[0]!.end('SIGKILL');
      done.killed! += 1;
      workers.push(await start());
      workers.shift();
    }
  };
  const terminate = async () => {
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const ended = await sql(`
          select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
             and (query like '%analytics%' or random() < 0.02) and random() < 0.2`);
      done.terminated! += ended.length;
    }
  };
  const running = Promise.all([create(), ...[1, 2, 3, 4].map(operate), kill(), terminate()]);
  await new Promise((resolve) => setTimeout(resolve, RUN_MS));
  // A slow machine needs longer until each kind of act has been done.
  await until(
    () => KINDS.filter((kind) => done[kind] === 0),
    (missing) => missing.length === 0,
    120_000,
  );
  over = true;
  await running;
  await until(
    () => sql(`select 1 from tasker.step where state in ('in_progress', 'enqueued') limit 1`),
    (open) => open.length === 0,
  );
  await Promise.all(workers.map((worker) => worker.stop()));
  await until(
    async () => {
      await other.engine.analytics.flush();
      return 'counted';
    },
    () => true,
  );
  const sizes = await compareWithJournal(sql);
  console.log(`seed ${seed}: ${JSON.stringify({ ...sizes, ...done })}`);
  for (const kind of KINDS) expect(done[kind], kind).toBeGreaterThan(0);
  expect(sizes.attempts).toBeGreaterThan(TASKS);
  const [server] = await sql(`select deadlocks::int from pg_stat_database where datname = current_database()`);
  expect(server).toEqual({ deadlocks: 0 });
});

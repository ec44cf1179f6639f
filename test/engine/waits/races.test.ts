import { describe, expect, it, onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine, KIND, type Recording } from '../../../src/engine/engine.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { handBench } from '../../support/hand-worker.ts';
import { DEMO, invariants, template } from '../../support/setup.ts';

const ROUNDS = Number(process.env.TASKER_RACE_ROUNDS ?? 120);
/** More actions at the same time would wait too long for connections. */
const AT_ONCE = 1_000;
/** The limits pass in the middle of the actions of a round. On a busy machine, acts need a longer time. */
const WINDOWS_MS = [1_000, 4_000, 16_000];
const IN_TIME = { timeoutMs: 5_000 };

interface Racer {
  taskUuid: string;
  token: string;
}

/** Tasks that wait for a completion whose limit passes soon, and a second process. */
async function racing(windowMs: number) {
  const bench = await handBench();
  const database = await Database.connect({ url: bench.url, poolSize: 4, logger: silentLogger });
  onTestFinished(() => database.close());
  const other = new Engine(database, silentLogger);
  const steps = { wait: { retry: { max_attempts: 1 } }, after: ['wait'] };
  await bench.tasker.registerTemplates([template(steps, { namespace: 'race' })]);
  const { engine } = bench;
  const leaseMs = 600_000;
  const name = { name: 'hand', host: 'h', pid: 1, namespaces: ['race'], callables: [], concurrency: 9 };
  const workerId = await engine.registerWorker({ ...name, leaseMs });
  const namespaceIds = await engine.namespaceIds(['race']);
  let claims = 0;

  /** Creates waiting tasks, and returns them when their limits are about to pass. */
  const start = async (count: number): Promise<Racer[]> => {
    for (let left = count; left > 0; left -= 500) {
      const requests = Array.from({ length: Math.min(500, left) }, () => ({ ...DEMO, namespace: 'race' }));
      await bench.tasker.createTasks(requests);
    }
    const token = workerId * 2 ** 24 + ++claims;
    const claimed = await engine.claim({ limit: count, token, workerId, namespaceIds, excluded: [] });
    const racers: Racer[] = [];
    for (const { taskUuid, idx } of claimed.steps) {
      racers.push({ taskUuid, token: (await engine.saveToken({ taskUuid, idx, claim: token }, IN_TIME))! });
    }
    const batch = claimed.steps.map(({ taskUuid, idx, templateId, rank }): Recording => {
      const wait = { kind: 'completion', forMs: 60_000, settings: {} } as const;
      const base = { taskUuid, idx, claim: token, templateId, rank, durationMs: 1, delayMs: 0 };
      return { ...base, kind: KIND.waits, result: 'null', detail: 'null', wait };
    });
    await engine.record(batch, { freeSlots: 0, token: 0, lastRank: -101 });
    await bench.sql(
      `update tasker.wait set until = x.due, due_at = x.due
         from (select task_uuid, now() + random() * ${windowMs} * interval '1 ms' as due from tasker.wait where ended_at is null) x
        where wait.task_uuid = x.task_uuid`,
    );
    return racers;
  };

  /** Ends what is due in two processes, until all limits have passed. */
  const drain = async (): Promise<void> => {
    const until = performance.now() + windowMs + 100;
    const loop = async (each: Engine) => {
      do await each.promoteDue();
      while (performance.now() < until);
    };
    await Promise.all([loop(engine), loop(other)]);
  };

  return { ...bench, other, start, drain };
}

type Act = (racer: Racer, engine: Engine) => Promise<unknown>;

/** How the wait of a racer ended, and whether its action won. */
interface RaceRow {
  ended_by: string;
  state: string;
  ends: number;
  won: boolean;
}

/** Runs acts at random moments while limits pass. Returns whether each act won, and the end of its wait. */
async function race(act: Act): Promise<RaceRow[]> {
  const all: RaceRow[] = [];
  while (all.length < ROUNDS) all.push(...(await raceOnce(act, Math.min(AT_ONCE, ROUNDS - all.length))));
  return all;
}

async function raceOnce(act: Act, rounds: number, [windowMs, ...longer] = WINDOWS_MS): Promise<RaceRow[]> {
  const { start, drain, engine, other, sql } = await racing(windowMs!);
  const racers = await start(rounds);
  const won = new Map<string, boolean>();
  const acts = racers.map(async (racer, i) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * windowMs!));
    const done = await act(racer, i % 2 === 0 ? engine : other).then(
      (answer) => answer !== false,
      (error: { code: string }) => {
        if (['illegal_transition', 'wait_over'].includes(error.code)) return false;
        throw error;
      },
    );
    won.set(racer.taskUuid, done);
  });
  await Promise.all([...acts, drain()]);
  // Ends the waits whose tasks were locked until the last moment.
  await engine.promoteDue();
  await invariants(sql);
  const rows = await sql<{ task_uuid: string; ended_by: string; state: string; ends: number }>(
    `select w.task_uuid, w.ended_by, s.state,
            (select count(*)::int from tasker.history h where h.task_uuid = w.task_uuid and h.idx = w.idx) ends
       from tasker.wait w join tasker.step s on s.task_uuid = w.task_uuid and s.idx = w.idx`,
  );
  expect(rows).toHaveLength(rounds);
  for (const row of rows) expect(row.ends).toBe(1);
  const timeouts = rows.filter(({ ended_by }) => ended_by === 'timeout');
  // If one side has won all rounds, the race has tested nothing.
  if ((timeouts.length === 0 || timeouts.length === rows.length) && longer.length > 0)
    return raceOnce(act, rounds, longer);
  expect(timeouts.length).toBeGreaterThan(0);
  expect(rows.length - timeouts.length).toBeGreaterThan(0);
  return rows.map(({ task_uuid, ...row }) => ({ ...row, won: won.get(task_uuid)! }));
}

describe('a wait that a timeout and an action try to end at the same time', { timeout: 240_000 + ROUNDS * 60 }, () => {
  it('ends by either the timeout or a token, and a late token gets an error', async () => {
    for (const row of await race(({ token }, engine) => engine.completeByToken(token, { ok: true }))) {
      expect(row).toMatchObject(
        row.won ? { ended_by: 'token', state: 'complete' } : { ended_by: 'timeout', state: 'error' },
      );
    }
  });

  it('ends by either the timeout or a cancellation', async () => {
    for (const row of await race(({ taskUuid }, engine) => engine.cancelTask(taskUuid))) {
      // After a timeout, the task with its failed step can still be cancelled.
      expect(['cancel', 'timeout']).toContain(row.ended_by);
      expect(row).toMatchObject({ won: true, state: 'cancelled' });
    }
  });

  it('ends by either the timeout or an operator, whose completion also repairs a timeout', async () => {
    const act: Act = ({ taskUuid }, engine) => engine.completeStep({ taskUuid, step: 'wait' }, { result: {} });
    for (const row of await race(act)) {
      expect(['operator', 'timeout']).toContain(row.ended_by);
      expect(row.state).toBe('complete');
    }
  });

  it('is ended by only one of two calls with the same token, and the other call is a repetition', async () => {
    const uses: boolean[][] = [];
    const act: Act = async ({ token }, engine) => {
      const both = await Promise.all([engine.completeByToken(token, 1), engine.completeByToken(token, 2)]);
      uses.push(both.map(({ repeated }) => repeated));
    };
    for (const row of await race(act)) expect(row.ended_by).toBe(row.won ? 'token' : row.ended_by);
    for (const pair of uses) expect(pair.sort()).toEqual([false, true]);
  });

  it('adds no claimable step to the queue if its task is paused at the same time', async () => {
    const { start, drain, engine, sql, tasker } = await racing(WINDOWS_MS[0]!);
    const racers = await start(40);
    const pausing = racers.map(async ({ taskUuid, token }) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 50));
      await Promise.all([
        tasker.pause({ task: taskUuid }),
        engine.completeByToken(token, {}).catch((error: { code: string }) => expect(error.code).toBe('wait_over')),
      ]);
    });
    await Promise.all([...pausing, drain()]);
    await invariants(sql);
    const open = await sql(`select 1 from tasker.queue where namespace_id > 0`);
    expect(open).toEqual([]);
  });
});

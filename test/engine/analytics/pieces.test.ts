import { describe, expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { AttemptCounter } from '../../../src/engine/analytics/attempt-counter.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { compareWithJournal, keepJournal } from '../../support/crash/attempt-journal.ts';
import { openSession, type Sql } from '../../support/database.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

const TASKS = 200;
const STEPS = 3;
/** Maximum number of attempts in a pass of these tests. */
const BOUND = 60;

/**
 * Ends tasks in the current transaction, with all their attempts and an entry in the audit. All rows have the time of
 * the end, so each row shows that the task ended.
 */
const END_ALL = `
  with ended as (
    update tasker.task set n_open = 0, n_active = 0, done_at = now() where done_at is null returning task_uuid),
  acts as (
    insert into tasker.operator_action (task_uuid, action, from_state, to_state, actor, door)
    select task_uuid, 'complete', 'steps_in_process', 'complete', 'ada', 'cli' from ended)
  insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
  select task_uuid, idx, 1, 1, 'completed', 'complete', now(), 5 from ended, generate_series(0, ${STEPS - 1}) idx`;

/** A database with open tasks and a journal, and a counter whose passes are small. No process counts on its own. */
async function bench() {
  const templates = template({ a: [], b: [], c: [] });
  const made = await setup({ templates, worker: false, analyticsEnabled: false });
  await keepJournal(made.sql);
  const tasks = await made.tasker.createTasks(Array.from({ length: TASKS }, () => DEMO));
  const counter = counterOf(made.tasker);
  await counter.flush();
  return { ...made, tasks, counter };
}

function counterOf(tasker: Tasker, attempts = BOUND): AttemptCounter {
  return new AttemptCounter(tasker.engine.database, silentLogger, { attempts });
}

/** Counts until everything is counted. Returns the number of attempts in each pass. */
async function passesOf(counter: AttemptCounter, between?: (pass: number) => Promise<unknown>): Promise<number[]> {
  const passes: number[] = [];
  for (let complete = false; !complete; ) {
    const counted = (await counter.count({ olderMs: 0 }))!;
    passes.push(counted.attempts);
    complete = counted.complete;
    await between?.(passes.length);
  }
  return passes;
}

const sum = (passes: readonly number[]) => passes.reduce((total, one) => total + one, 0);

/** Uses up transaction numbers. */
async function burn(sql: Sql, count: number): Promise<void> {
  await sql('create table if not exists public.burnt (n int)');
  await sql(`
    do $$ begin for i in 1..${count} loop
      begin insert into public.burnt values (1); exception when others then null; end;
    end loop; end $$`);
}

describe('statistics of a transaction with more attempts than a pass may count', () => {
  it('count each attempt and each end once over several passes', async () => {
    const { sql, counter } = await bench();
    await sql(END_ALL);
    const passes = await passesOf(counter);
    expect(sum(passes)).toBe(TASKS * STEPS);
    // The attempts of a task are never divided. The first attempts and the first actions of a pass may be of different
    // tasks, which depends on the plan.
    expect(Math.max(...passes)).toBeLessThanOrEqual(2 * BOUND * STEPS);
    expect(await compareWithJournal(sql)).toEqual({ attempts: TASKS * STEPS, ends: TASKS });
    expect(sum(await passesOf(counter))).toBe(0);
  });

  it.each([10, 3000])(
    'are complete if the transaction commits after %i later transactions were counted',
    async (others) => {
      const { sql, url, tasker, counter } = await bench();
      const huge = await openSession(url);
      await huge.query('begin');
      await huge.query(END_ALL);
      const { taskUuid } = await tasker.createTask(DEMO);
      await burn(sql, others);
      await sql(
        `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
       values ($1, 0, 1, 1, 'completed', 'complete', now(), 5)`,
        [taskUuid],
      );
      await counter.flush();
      expect(await countedAttempts(sql)).toBe(1);
      await huge.query('commit');
      expect(Math.max(...(await passesOf(counter)))).toBeLessThanOrEqual(2 * BOUND * STEPS);
      expect(await compareWithJournal(sql)).toEqual({ attempts: TASKS * STEPS + 1, ends: TASKS });
    },
  );

  it('are exact if other transactions commit, tasks are deleted and other processes count between the passes', async () => {
    const { sql, url, tasker, tasks, counter } = await bench();
    const late = await openSession(url);
    await late.query('begin');
    await late.query(
      `insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms)
       select task_uuid, 0, 2, 1, 'completed', 'complete', now(), 5 from tasker.task`,
    );
    await sql(END_ALL);
    const other = counterOf(tasker, BOUND * 2);
    await passesOf(counter, async (pass) => {
      if (pass === 2) await late.query('commit');
      if (pass === 3) await other.count({ olderMs: 0 });
      if (pass >= 3 && pass <= 8) await tasker.deleteTask(tasks[pass * 20]!.taskUuid);
    });
    expect(await compareWithJournal(sql)).toEqual({ attempts: TASKS * (STEPS + 1), ends: TASKS });
    expect(await passesOf(tasker.engine.analytics)).toEqual([0]);
  });

  it('are counted in smaller passes after passes that ran into the statement timeout', async () => {
    const { sql, tasker } = await bench();
    await sql(END_ALL);
    // Simulates a statement timeout, because a real one depends on the speed of the machine.
    await sql(`
      create function public.time_out() returns trigger language plpgsql as $$
        begin
          if new.completed > 100 then raise exception 'canceling statement due to statement timeout' using errcode = '57014'; end if;
          return new;
        end $$;
      -- The rows of a pass. Those of ten days are totals.
      create trigger time_out before insert on tasker.analytics
        for each row when (new.minutes < 14400) execute function public.time_out();`);
    const counter = counterOf(tasker, 10_000);
    let failed = 0;
    for (let complete = false; !complete && failed < 50; ) {
      complete = await counter.count({ olderMs: 0 }).then(
        (counted) => counted!.complete,
        (error: Error) => {
          expect(error.message).toContain('statement timeout');
          failed += 1;
          return false;
        },
      );
    }
    expect(failed).toBeGreaterThan(0);
    expect(await compareWithJournal(sql)).toEqual({ attempts: TASKS * STEPS, ends: TASKS });
  });
});

async function countedAttempts(sql: Sql): Promise<number> {
  const [row] = await sql<{ n: number }>(
    `select coalesce(sum(completed), 0)::int n from tasker.analytics where minutes = 1 and idx = -2`,
  );
  return row!.n;
}

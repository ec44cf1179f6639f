import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import type { CreateTaskerOptions } from '../../src/app/create-tasker.ts';
import { type Journal, openJournal, startWorker, type WorkerProcess } from '../support/crash/workers.ts';
import type { Sql } from '../support/database.ts';
import { DEMO, invariants, setup, template, until } from '../support/setup.ts';

const PROVE = process.env.PROVE === '1';
const LEASE_MS = 1_000;
const BATCH = {
  type: 'batch_worker',
  batch_config: { batch_size: 1_000, parallelism: 8, cursor_field: 'id', failure_strategy: 'fail_fast' },
  // The number is high, because an attempt that is killed before it saves a checkpoint is used up.
  retry: { backoff: 'none', max_attempts: 100 },
};
const worker = (name: string, dependencies: string[]) => ({
  ...BATCH,
  dependencies,
  batch_config: { ...BATCH.batch_config, worker_template: name },
});

/** Worker processes that are killed and replaced one after the other. */
class Victims {
  readonly #options: CreateTaskerOptions & { databaseUrl: string };
  readonly #journal: Journal;
  readonly #workers: WorkerProcess[] = [];
  kills = 0;
  #stopped = false;

  constructor(options: CreateTaskerOptions & { databaseUrl: string }) {
    this.#options = options;
    this.#journal = openJournal();
  }

  async start(count: number): Promise<this> {
    this.#workers.push(...(await Promise.all(Array.from({ length: count }, () => this.#start()))));
    return this;
  }

  #start(): Promise<WorkerProcess> {
    return startWorker({
      poolSize: 4,
      leaseMs: LEASE_MS,
      pollMs: 200,
      ...this.#options,
      journal: this.#journal,
      program: 'dynamic-worker.mjs',
    });
  }

  /**
   * Kills the next process every `ms` until stopped, if that process has been replaced since its last kill. Leaves
   * half of the processes alive, because otherwise slowly starting processes would never do any work.
   */
  async killEvery(ms: number): Promise<void> {
    const coming: Promise<void>[] = [];
    for (let next = 0; !this.#stopped; next = (next + 1) % this.#workers.length) {
      await sleep(ms);
      if (this.#stopped) break;
      const place = next;
      const victim = this.#workers[place];
      const living = this.#workers.filter(({ code }) => code === undefined).length;
      if (!victim || victim.code !== undefined || living * 2 <= this.#workers.length) continue;
      await victim.end('SIGKILL');
      this.kills++;
      coming.push(this.#replace(place));
    }
    await Promise.all(coming);
  }

  async #replace(place: number): Promise<void> {
    this.#workers[place] = await this.#start();
  }

  /** Replaces the processes that ended. */
  async revive(): Promise<void> {
    for (const [place, { code }] of this.#workers.entries()) {
      if (code === undefined) continue;
      this.kills++;
      await this.#replace(place);
    }
  }

  stopKilling(): void {
    this.#stopped = true;
  }
}

const openTasks = async (sql: Sql) =>
  (await sql<{ n: number }>(`select count(*)::int n from tasker.task where done_at is null`))[0]!.n;

/** Finds unfinished changes in one snapshot: a decision or analyzer is complete without its steps, or the reverse. */
const HALF_DONE = `
  select s.task_uuid, m.name, 'branches' what
    from tasker.step s join tasker.task t using (task_uuid) join tasker.template_step m using (template_id, idx)
   where m.name = 'route' and (s.state = 'complete') <> (
     (select count(*) from tasker.step b join tasker.template_step n on n.template_id = t.template_id and n.idx = b.idx
       where b.task_uuid = s.task_uuid and n.name in ('left', 'right', 'join')) =
     1 + jsonb_array_length(coalesce(s.result -> 'decision_point_outcome' -> 'step_names', t.context -> 'branches')))
  union all
  select s.task_uuid, m.name, 'workers'
    from tasker.step s join tasker.task t using (task_uuid) join tasker.template_step m using (template_id, idx)
    left join tasker.batch b on b.task_uuid = s.task_uuid and b.analyzer_idx = s.idx
   where m.name = 'cut' and ((s.state = 'complete') <> (b.size is not null) or (
     b.size is not null and (b.size <> (t.context ->> 'parts')::int or b.size <> (
       select count(*) from tasker.step w where w.task_uuid = s.task_uuid and w.idx >= 131072) or not exists (
       select 1 from tasker.step c join tasker.template_step n on n.template_id = t.template_id and n.idx = c.idx
        where c.task_uuid = s.task_uuid and n.name = 'total'))))
  union all
  select s.task_uuid, m.name, 'convergence'
    from tasker.step s join tasker.task t using (task_uuid) join tasker.template_step m using (template_id, idx)
   where m.name = 'total' and s.state = 'pending' and not exists (
     select 1 from tasker.step w where w.task_uuid = s.task_uuid and w.idx >= 131072 and w.state <> 'complete')`;

const SECONDS = PROVE ? 60 : 5;

describe('workers that are killed at any moment', () => {
  it('every decision gets its branches, every analyzer its workers and every batch its convergence', {
    timeout: SECONDS * 1_000 + 240_000,
  }, async () => {
    // On a slow machine, a step may be killed many times before it ends.
    const retry = { backoff: 'none', max_attempts: 100 };
    const templates = template({
      start: { handler: 'plain', retry },
      route: { type: 'decision', dependencies: ['start'], retry },
      left: { handler: 'plain', dependencies: ['route'], retry },
      right: { handler: 'plain', dependencies: ['route'], retry },
      join: { handler: 'plain', type: 'deferred_convergence', dependencies: ['left', 'right'], retry },
      cut: { type: 'batchable', dependencies: ['join'], retry },
      work: { ...worker('work', ['cut']), handler: 'plain' },
      total: { type: 'deferred_convergence', dependencies: ['work'], retry },
    });
    const { tasker, sql, url } = await setup({ templates, worker: false });
    const victims = await new Victims({ databaseUrl: url, concurrency: 20 }).start(3);
    const killing = victims.killEvery(250);
    let [checks, created, working] = [0, 0, 0];
    const end = performance.now() + SECONDS * 1_000;
    const enough = () => victims.kills >= 5 && checks > 20 && created > 20;
    while (performance.now() < end || (!enough() && performance.now() < end + 90_000)) {
      if (working < 30) {
        const branches = [['left'], ['right'], ['left', 'right']][created % 3];
        const context = { ms: created % 7, branches, rows: 10, parts: 1 + (created % 5) };
        created += (await tasker.createTasks(Array.from({ length: 5 }, () => ({ ...DEMO, context })))).length;
      }
      expect(await sql(HALF_DONE)).toEqual([]);
      await invariants(sql);
      working = await openTasks(sql);
      checks++;
    }
    victims.stopKilling();
    await killing;
    await until(
      () => openTasks(sql),
      (open) => open === 0,
      60_000,
    );
    console.log(`${created} tasks, ${victims.kills} workers killed, ${checks} checks`);
    expect(victims.kills).toBeGreaterThanOrEqual(5);
    expect(checks).toBeGreaterThan(20);
    expect(created).toBeGreaterThan(20);
    expect(await sql(HALF_DONE)).toEqual([]);
    expect(await sql(`select 1 from tasker.task where state <> 'complete'`)).toEqual([]);
    await invariants(sql);
  });

  const ROWS = PROVE ? 1_000_000 : inject('postgres') === '18' ? 20_000 : 10_000;

  it(`write each of ${ROWS} rows exactly once if their batch workers write in transactions`, {
    timeout: PROVE ? 1_200_000 : 480_000,
  }, async () => {
    const templates = template({
      cut: { type: 'batchable', dependencies: [] },
      copy: worker('copy', ['cut']),
      total: { type: 'deferred_convergence', dependencies: ['copy'] },
    });
    const { tasker, sql, url } = await setup({ templates, worker: false });
    // The table has no key, so that duplicate rows are visible.
    await sql('create table copied (id int not null)');
    const victims = await new Victims({ databaseUrl: url, concurrency: 2 }).start(4);
    const started = performance.now();
    const killing = victims.killEvery(300);
    const context = { rows: ROWS, parts: PROVE ? 100 : 16, at_once: PROVE ? 500 : 100, ms: 10 };
    let lost = 0;
    // Without a kill during a step, a run proves nothing, so it is repeated.
    for (let runs = 0; lost === 0 && runs < 10; runs++) {
      await sql('truncate copied');
      const { taskUuid } = await tasker.createTask({ ...DEMO, context });
      const task = await tasker.waitForTask(taskUuid, { timeoutMs: PROVE ? 1_000_000 : 90_000 });
      expect(task.status).toBe('complete');
      const [rows] = await sql(
        `select count(*)::int n, count(distinct id)::int distinct, min(id) first, max(id) last from copied`,
      );
      expect(rows).toEqual({ n: ROWS, distinct: ROWS, first: 0, last: ROWS - 1 });
      expect((await tasker.getStep(taskUuid, 'total')).results!.result).toEqual({ workers: context.parts });
      [{ n: lost }] = (await sql(`select count(*)::int n from tasker.history where outcome = 'worker_lost'`)) as [
        { n: number },
      ];
    }
    const seconds = (performance.now() - started) / 1_000;
    victims.stopKilling();
    await killing;
    console.log(`${ROWS} rows in ${seconds.toFixed(1)} s, ${victims.kills} kills, ${lost} starts lost`);
    expect(lost).toBeGreaterThan(0);
    await invariants(sql);
  });

  it('a step survives more kills than it has attempts if each attempt saves a checkpoint, and fails if it makes no progress', async () => {
    const retry = { max_attempts: 2, backoff: 'none' };
    const templates = [
      template({ a: { handler: 'save_and_die', retry } }, { name: 'saves' }),
      template({ a: { handler: 'stuck', retry } }, { name: 'stuck' }),
    ];
    const { tasker, sql, url } = await setup({ templates, worker: false });
    const victims = await new Victims({ databaseUrl: url, concurrency: 1 }).start(1);
    const run = async (name: string) => {
      const { taskUuid } = await tasker.createTask({ ...DEMO, name, context: { times: 4 } });
      await until(
        async () => {
          await victims.revive();
          return (await tasker.getTask(taskUuid)).status;
        },
        (status) => status === 'complete' || status === 'blocked_by_failures',
        100_000,
      );
      return tasker.getStep(taskUuid, 'a');
    };
    const saves = await run('saves');
    expect(saves).toMatchObject({ currentState: 'complete', attempts: 1, results: { result: { saved: 4 } } });
    expect(victims.kills).toBe(4);
    const stuck = await run('stuck');
    expect(stuck).toMatchObject({
      currentState: 'error',
      attempts: 2,
      results: { error: { error_type: 'worker_lost' } },
    });
    // The attempt that saved a checkpoint does not count.
    expect(victims.kills).toBe(4 + 3);
    await invariants(sql);
  }, 240_000);

  it('the history shows an attempt that was killed after a checkpoint with the number that its handler saw', async () => {
    const templates = template({ a: { handler: 'save_and_die', retry: { max_attempts: 2, backoff: 'none' } } });
    const { tasker, sql, url } = await setup({ templates, worker: false });
    const victims = await new Victims({ databaseUrl: url, concurrency: 1 }).start(1);
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { times: 1 } });
    const ended = async () => {
      await victims.revive();
      return tasker.getTask(taskUuid);
    };
    await until(ended, ({ status }) => status === 'complete', 60_000);
    const step = await tasker.getStep(taskUuid, 'a');
    expect(step).toMatchObject({ attempts: 1, results: { result: { saved: 1, attempt: 1 } } });
    expect((await tasker.getHistory(taskUuid)).map(({ attempt, what }) => [attempt, what])).toEqual([
      [1, 'worker_lost'],
      [1, 'completed'],
    ]);
    await invariants(sql);
  }, 120_000);
});

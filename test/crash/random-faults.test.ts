import { expect, inject, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { compareWithJournal, keepJournal } from '../support/crash/attempt-journal.ts';
import { ENOUGH_TASKS, FAULTS, FaultDriver, seeded } from '../support/crash/faults.ts';
import { startServer } from '../support/crash/server.ts';
import { WAITING_TEMPLATE } from '../support/crash/wait-faults.ts';
import { lostAcknowledgements, openJournal, startedTwice, workTemplate } from '../support/crash/workers.ts';
import { look } from '../support/dead-letters.ts';
import { invariants } from '../support/setup.ts';
import { PROVE, randomSeed } from '../support/suite/effort.ts';

const AGAIN = { retry: { max_attempts: 4, backoff: 'linear', backoff_base_ms: 100 } };
const ONCE = { retry: { retryable: false } };
const TEMPLATES = [
  workTemplate(
    {
      root: AGAIN,
      left: { ...AGAIN, dependencies: ['root'] },
      right: { ...AGAIN, dependencies: ['root'] },
      join: { ...AGAIN, dependencies: ['left', 'right'] },
      last: { ...AGAIN, dependencies: ['join'] },
    },
    { name: 'again', lifecycle: { on_blocked: 'dlq' } },
  ),
  workTemplate(
    { root: ONCE, left: { ...ONCE, dependencies: ['root'] }, right: { ...ONCE, dependencies: ['left'] } },
    { name: 'once' },
  ),
  workTemplate(
    {
      root: AGAIN,
      route: { ...AGAIN, type: 'decision', dependencies: ['root'] },
      left: { ...AGAIN, dependencies: ['route'] },
      right: { ...AGAIN, dependencies: ['route'] },
      join: { ...AGAIN, type: 'deferred_convergence', dependencies: ['left', 'right'] },
      find: { ...AGAIN, type: 'batchable', dependencies: ['root'] },
      part: {
        ...AGAIN,
        type: 'batch_worker',
        dependencies: ['find'],
        batch_config: {
          batch_size: 1,
          parallelism: 2,
          cursor_field: 'id',
          worker_template: 'part',
          failure_strategy: 'fail_fast',
        },
      },
      total: { ...AGAIN, type: 'deferred_convergence', dependencies: ['part', 'join'] },
    },
    { name: 'dynamic' },
  ),
  WAITING_TEMPLATE,
];

const SECONDS = Number(process.env.FAULT_SECONDS ?? (PROVE ? 60 : 14));
const SEEDS = PROVE ? Array.from({ length: 100 }, (_, i) => i + 1) : [randomSeed()];

it('seeded returns the same numbers for the same seed', () => {
  const [first, second, other] = [seeded(7), seeded(7), seeded(8)];
  const draw = (random: () => number) => Array.from({ length: 5 }, random);
  const numbers = draw(first);
  expect(draw(second)).toEqual(numbers);
  expect(draw(other)).not.toEqual(numbers);
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
});

// One server version is enough for random faults. The targeted tests run on all versions.
if (inject('postgres') === '18') {
  for (const seed of SEEDS) {
    it(`random faults for ${SECONDS} s (SEED=${seed}) lose nothing and break no invariant, and every task ends`, {
      timeout: SECONDS * 3_000 + 300_000,
    }, async () => {
      const server = await startServer();
      const { sql, url } = server;
      const tasker = await createTasker({
        databaseUrl: url,
        templates: TEMPLATES,
        worker: false,
        // Acts on locked tasks wait for their locks, and must not delay the faults.
        poolSize: 30,
        logger: silentLogger,
      });
      onTestFinished(() => tasker.stop({ drainTimeoutMs: 100 }));
      await keepJournal(sql);
      const journal = openJournal();
      const driver = new FaultDriver({ server, tasker, journal, leaseMs: 1_500, random: seeded(seed) });
      await driver.start();
      await driver.go(SECONDS * 1_000, ['again', 'once', 'dynamic', 'waits', 'waits']);
      await driver.settle(120_000);
      expect(await driver.stop()).toEqual([0, 0, 0]);

      console.log(`seed ${seed}: ${driver.created.length} tasks, ${JSON.stringify(driver.done)}`);
      console.log(`acts on waits: ${JSON.stringify(driver.waits.done)}`);
      expect(driver.fallen).toEqual([]);

      // The archives contain exactly the deleted tasks.
      const archived = await driver.prunes.archived();
      const rows = await sql<{ id: string }>('select task_uuid id from tasker.task');
      const known = [...archived, ...rows.map((row) => row.id)];
      expect(known.length - new Set(known).size).toBe(0);
      await tasker.engine.analytics.flush();
      await compareWithJournal(sql);
      expect(await driver.prunes.restore()).toBe(archived.length);
      const [kept] = await sql<{ n: number }>(`select count(*)::int n from tasker.task where task_uuid = any ($1)`, [
        driver.created,
      ]);
      expect(kept!.n).toBe(driver.created.length);
      expect(await lostAcknowledgements(journal, sql)).toEqual([]);
      await driver.waits.check(new Set(archived));
      await invariants(sql);
      // Workers that were killed did not write all their changes to the search tables. The comparison finds the rest.
      await tasker.engine.search.flush();
      await tasker.engine.search.keeper.compare(new Date(0), 0);
      expect(
        await sql(`
          select task_uuid, t.state live, s.state found from tasker.task t full join tasker.task_search s using (task_uuid)
           where t.state is distinct from s.state or t.done_at is distinct from s.done_at
          union all
          select task_uuid, null, null from tasker.step_search s full join (
            select * from tasker.step where state in ('error', 'resolved_manually')) l using (task_uuid, idx)
           where s.state is distinct from l.state limit 3`),
      ).toEqual([]);
      // All tasks have ended, so that only dead letters that were added afterwards are open.
      await look(tasker, { checkMs: 60_000 });
      expect(
        await sql(`select d.task_uuid, d.reason from tasker.dead_letter d left join tasker.task t using (task_uuid)
                    where d.status = 'pending' and (t.done_at > d.created_at) is not false`),
      ).toEqual([]);
      // A step that must not run twice may have started twice only if an operator reset it.
      const reset = await sql<{ key: string }>(
        `select a.task_uuid || ' ' || m.name key from tasker.operator_action a join tasker.task t using (task_uuid)
           join tasker.template_step m on m.template_id = t.template_id and m.idx = a.idx where a.action = 'reset'`,
      );
      const once = await sql<{ id: string }>(
        `select task_uuid id from tasker.task t join tasker.template m on m.id = t.template_id where m.name = 'once'`,
      );
      const [resetSteps, onceTasks] = [new Set(reset.map((row) => row.key)), new Set(once.map((row) => row.id))];
      const twice = startedTwice(journal).filter((key) => onceTasks.has(key.split(' ')[0]!));
      expect(twice.filter((key) => !resetSteps.has(key.replace(/ \d+\.\d+$/, '')))).toEqual([]);
      expect(server.log()).not.toContain('deadlock detected');
      // If a driver has done nothing, the run proves nothing.
      for (const fault of FAULTS) expect([fault, driver.done[fault]]).not.toEqual([fault, 0]);
      for (const [act, times] of Object.entries(driver.waits.done)) expect([act, times]).not.toEqual([act, 0]);
      expect(driver.created.length).toBeGreaterThan(ENOUGH_TASKS);
    });
  }
}

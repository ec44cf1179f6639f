import { expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startPgbouncer } from '../support/crash/pgbouncer.ts';
import { DEMO, deferred, invariants, RETRY_AT_ONCE, setup, template } from '../support/setup.ts';
import { describeWith } from '../support/suite/programs.ts';

const STEPS = Array.from({ length: 20 }, (_, i) => `s${i}`);
const ROWS = 5;

/** Runs steps on a worker that reaches the database through pgbouncer in transaction mode, with few connections. */
async function behindPooler(names: readonly string[], body: (context: StepContext, name: string) => unknown) {
  const retry = { ...RETRY_AT_ONCE, max_attempts: 50 };
  const steps = Object.fromEntries(names.map((name) => [name, { retry }]));
  const { tasker, sql, url, another } = await setup({ templates: template(steps), worker: false });
  await sql('create table written (step text, at int)');
  const pooler = await startPgbouncer(url, { maxPreparedStatements: 200 });
  const handlers = names.map((name) => defineHandler(name, {}, ({ context }) => body(context, name)));
  const worker = await another({ databaseUrl: pooler.url, worker: true, handlers, logger: silentLogger });
  // Runs before the pooler stops.
  onTestFinished(() => worker.stop({ drainTimeoutMs: 100 }));
  const { taskUuid } = await tasker.createTask(DEMO);
  const written = () => sql<{ step: string; at: number }>('select step, at from written order by step, at');
  return { tasker, sql, taskUuid, written };
}

/** Returns the expected rows: each step has written each of its rows once. */
const once = (names: readonly string[]) =>
  [...names].sort().flatMap((step) => Array.from({ length: ROWS }, (_, at) => ({ step, at })));

/** Writes one row in each transaction, until all are written. */
async function writeAll(context: StepContext, step: string, meanwhile?: (at: number) => Promise<void>): Promise<void> {
  for (let next: number | undefined = 0; next !== undefined; ) {
    next = await context.transaction(async (tx, cursor) => {
      const at = Number(cursor ?? 0);
      if (at === ROWS) return undefined;
      await tx.query('insert into written values ($1, $2)', [step, at]);
      await meanwhile?.(at);
      return at + 1;
    });
  }
}

describeWith('pgbouncer', 'a transaction of a handler, through pgbouncer in transaction mode', () => {
  it('commits its rows together with the checkpoint of its step, and rolls both back if it throws', async () => {
    const failed = new Set<string>();
    const { tasker, sql, taskUuid, written } = await behindPooler(STEPS, (context, step) =>
      writeAll(context, step, async (at) => {
        if (at !== 3 || failed.has(step)) return;
        failed.add(step);
        throw new Error('this row must be rolled back');
      }),
    );
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
    expect(failed.size).toBe(STEPS.length);
    expect(await written()).toEqual(once(STEPS));
    await invariants(sql);
  });

  it('leaves no settings or locks in the session', async () => {
    const seen: unknown[] = [];
    const { tasker, sql, taskUuid } = await behindPooler(['s0'], async (context) => {
      for (let i = 0; i < 10; i++) {
        await context.transaction(async (tx) => {
          const { rows } = await tx.query(
            `select current_setting('idle_in_transaction_session_timeout') as idle, current_setting('app.step', true) as own`,
          );
          seen.push(rows[0]);
          await tx.query(`select set_config('app.step', $1, true), pg_advisory_xact_lock(7)`, [String(i)]);
          return i;
        });
      }
    });
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
    expect(seen).toHaveLength(10);
    for (const row of seen) expect(row).toMatchObject({ idle: '0', own: expect.toBeOneOf([null, '']) });
    expect(
      await sql(`select 1 from pg_locks l join pg_database d on d.oid = l.database
                  where l.locktype = 'advisory' and d.datname = current_database() and l.objid = 7`),
    ).toEqual([]);
  });

  it('writes each row once even if its server sessions are terminated midway', async () => {
    let terminated = 0;
    const { tasker, sql, taskUuid, written } = await behindPooler(STEPS.slice(0, 3), (context, step) =>
      writeAll(context, step, async (at) => {
        if (at !== 2 || terminated > 1) return;
        terminated++;
        await sql(
          `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`,
        );
      }),
    );
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
    expect(terminated).toBe(2);
    expect(await written()).toEqual(once(STEPS.slice(0, 3)));
    await invariants(sql);
  });

  it('writes nothing if its step was cancelled before the commit', async () => {
    const [begun, cancelled, refused] = [deferred(), deferred(), deferred<unknown>()];
    const { tasker, taskUuid, written } = await behindPooler(['s0'], (context, step) =>
      writeAll(context, step, async () => {
        begun.resolve();
        await cancelled.promise;
      }).catch(refused.resolve),
    );
    await begun.promise;
    await tasker.cancelTask(taskUuid);
    cancelled.resolve();
    expect(await refused.promise).toMatchObject({ code: 'step_taken_away' });
    expect(await written()).toEqual([]);
  });
});

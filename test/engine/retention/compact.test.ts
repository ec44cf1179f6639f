import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { compactDatabase, planToCompact } from '../../../src/app/project/compact-database.ts';
import { OF_THIS_DATABASE, openSession } from '../../support/database.ts';
import { completed } from '../../support/retention.ts';
import { DEMO, endStates, invariants, until } from '../../support/setup.ts';

/** A database whose table of steps has more than 8 MB of free space before the rows that are needed. */
async function withFreeSpace({ beforeDeletion }: { beforeDeletion?(url: string): Promise<void> } = {}) {
  const made = await completed(0);
  const { sql, tasker } = made;
  await sql(`insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
             select gen_random_uuid(), 0, 'cancelled', 0, 1, true from generate_series(1, 60000)`);
  const tasks = await tasker.createTasks(Array.from({ length: 20 }, (_, n) => ({ ...DEMO, context: { n } })));
  await endStates(tasker, tasks);
  await beforeDeletion?.(made.url);
  await sql(`delete from tasker.step where state = 'cancelled'`);
  return made;
}

const sizeOf = async (sql: Awaited<ReturnType<typeof completed>>['sql']) =>
  Number((await sql<{ n: string }>(`select pg_total_relation_size('tasker.step') n`))[0]!.n);

it('a full compaction rewrites only tables with much free space, and reports the space that it returned', async () => {
  const { tasker, sql } = await withFreeSpace();
  await sql('vacuum (analyze) tasker.step');
  await sql('vacuum (analyze) tasker.task');
  const before = await sizeOf(sql);
  const plan = await planToCompact(tasker, { full: true });
  expect(plan[0]).toMatchObject({ table: 'step', rows: 40 });
  expect(plan.find(({ table }) => table === 'task')).toMatchObject({ action: 'vacuum', lockedMs: 0 });
  const seen: string[] = [];
  const all = await compactDatabase(tasker, plan, { actor: 'ada', done: ({ table }) => void seen.push(table) });
  expect(seen).toEqual(plan.map(({ table }) => table));
  expect(all.filter(({ why }) => why !== null)).toEqual([]);
  expect(await sizeOf(sql)).toBeLessThan(before / 10);
  expect((await tasker.audit({ action: 'compact' })).entries).toMatchObject([
    { actor: 'ada', target: 'database', details: { freed_bytes: expect.any(Number) } },
  ]);
  await invariants(sql);
});

it('a rewrite waits for transactions that still see the deleted rows, and skips the table if one stays open', async () => {
  let session!: Awaited<ReturnType<typeof openSession>>;
  const { tasker, sql } = await withFreeSpace({
    async beforeDeletion(url) {
      session = await openSession(url);
      await session.query("set application_name = 'report'");
      await session.query('begin isolation level repeatable read');
      await session.query('select 1 from tasker.namespace');
    },
  });
  await sql('vacuum (analyze) tasker.step');
  const plan = (await planToCompact(tasker, { full: true })).filter(({ table }) => table === 'step');
  expect(plan).toMatchObject([{ action: 'rewrite' }]);
  const before = await sizeOf(sql);
  const [left] = await compactDatabase(tasker, plan, { done: () => undefined });
  expect(left).toMatchObject({ table: 'step', ms: 0 });
  expect(left!.why).toMatch(
    /^a transaction of the process \d+ \(report\), open for \d+ s, still sees the deleted rows, so a rewrite would free nothing; run the command again after it has ended$/,
  );
  const ended = setTimeout(() => void session.query('commit'), 2_000);
  const [rewritten] = await compactDatabase(tasker, plan, { done: () => undefined });
  clearTimeout(ended);
  expect(rewritten).toMatchObject({ table: 'step', why: null });
  expect(await sizeOf(sql)).toBeLessThan(before / 10);
  await invariants(sql);
});

it('a compaction without full locks nothing that a worker needs', async () => {
  const { tasker, sql, url } = await withFreeSpace();
  const plan = await planToCompact(tasker, { full: false });
  expect(plan.every(({ action, lockedMs }) => action !== 'rewrite' && lockedMs === 0)).toBe(true);
  // A transaction that has read and written the tables, like a slow recording.
  const session = await openSession(url);
  await session.query('begin');
  await session.query('select 1 from tasker.task for update');
  const vacuums = plan.map((one) => ({ ...one, action: 'vacuum' as const }));
  const all = await compactDatabase(tasker, vacuums, { done: () => undefined });
  expect(all.filter(({ why }) => why !== null)).toEqual([]);
  await session.query('commit');
  await invariants(sql);
});

it('a table that stays locked is skipped, and the others are compacted', async () => {
  const { tasker, sql, url } = await completed(1);
  const session = await openSession(url);
  await session.query('begin');
  await session.query('lock table tasker.checkpoint in access share mode');
  const plan = (await planToCompact(tasker, { full: true })).filter(({ table }) => /^(checkpoint|batch)$/.test(table));
  const rewrites = plan.map((one) => ({ ...one, action: 'rewrite' as const }));
  const releasing = (async () => {
    await until(
      () =>
        sql(
          `select 1 from pg_locks where relation = 'tasker.checkpoint'::regclass and not granted and ${OF_THIS_DATABASE}`,
        ),
      (waiting) => waiting.length > 0,
    );
    await sleep(2_000);
    await session.query('commit');
  })();
  const all = await compactDatabase(tasker, rewrites, { done: () => undefined });
  await releasing;
  expect(all.map(({ table, why }) => [table, why]).sort()).toEqual([
    ['batch', null],
    ['checkpoint', null],
  ]);
  expect(all.find(({ table }) => table === 'checkpoint')!.ms).toBeGreaterThan(1_500);
});

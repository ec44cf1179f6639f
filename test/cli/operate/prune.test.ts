import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { OF_THIS_DATABASE, openSession } from '../../support/database.ts';
import { until } from '../../support/setup.ts';
import { PAIR, projectOnDatabase } from '../installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR });

/** Tasks that were cancelled some hours ago. */
async function cancelled(count: number, key?: string): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++)
    ids.push(await on.project.create('pair', ...(key === undefined ? [] : ['-k', key + i])));
  await on.project.run(['task', 'cancel', ...ids, '--yes']);
  await on.database.sql(`update tasker.task set done_at = done_at - interval '3 hours' where task_uuid = any ($1)`, [
    ids,
  ]);
  return ids.sort();
}

const archive = () => path.join(on.project.folder, 'archive');
const files = () => readdirSync(archive()).map((name) => path.join(archive(), name));

it('tasks are pruned into an archive, shown from it, and restored', async () => {
  const ids = await cancelled(3, 'key');
  const dry = await on.project.run(['db', 'prune', '--older-than', '2h', '--dry-run']);
  expect(dry.code).toBe(0);
  expect(dry.stdout).toContain('would delete 3 tasks with their steps, results and history');
  expect(dry.stdout).toMatch(/demo\/pair +3 +3 +20/);
  expect(dry.stdout).toMatch(/archive +none; --archive FOLDER keeps a copy/);
  const refused = await on.project.run(['db', 'prune', '--older-than', '2h']);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('delete 3 tasks without an archive? Standard input is not a terminal'),
  ]);
  const done = await on.project.json<{ deleted: number; files: string[] }>([
    'db',
    'prune',
    '--older-than',
    '2h',
    '--archive',
    'archive',
    '--by',
    'ada',
    '--yes',
  ]);
  expect(done).toMatchObject({ matched: 3, deleted: 3, skipped: 0, failed: 0, files: files() });
  const status = await on.project.run(['status']);
  expect(status.stdout).toMatch(/\npruned +3 tasks by an operator, ended [\d.]+ m?s ago\n/);
  const again = await on.project.run(['task', 'create', 'pair', '-k', 'key0', '--return-existing']);
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringMatching(/with the idempotency key key0 was pruned at 20/),
  ]);

  const shown = await on.project.run(['archive', 'show', 'archive']);
  expect(shown.stdout).toMatch(/^archive\/tasks-\d{8}T\d{6}Z-prune-\d+-0001\.ndjson\.gz\n3 tasks, [\d.]+ k?B\n/);
  expect(shown.stdout).toMatch(new RegExp(`${ids[0]} +demo/pair@1\\.0\\.0 +cancelled +20`));
  const one = await on.project.run(['archive', 'show', files()[0]!, '--task', ids[1]!]);
  expect(one.stdout).toMatch(/first +cancelled/);
  expect(one.stdout).toMatch(/cancel +\S+/);
  const json = await on.project.json<{ task_uuid: string }>(['archive', 'show', 'archive', '--task', ids[1]!]);
  expect(json).toMatchObject({ task_uuid: ids[1], template: { name: 'pair' } });
  const missing = await on.project.run([
    'archive',
    'show',
    'archive',
    '--task',
    '00000000-0000-0000-0000-000000000000',
  ]);
  expect([missing.code, missing.stderr]).toEqual([
    1,
    expect.stringContaining('task 00000000-0000-0000-0000-000000000000 not found'),
  ]);

  const restored = await on.project.run(['archive', 'restore', files()[0]!, '--task', ids[1]!]);
  expect(restored.stdout).toContain(`restored 1 of 1 task of ${files()[0]}`);
  const nobody = await on.project.run([
    'archive',
    'restore',
    'archive',
    '--task',
    '00000000-0000-0000-0000-000000000000',
  ]);
  expect([nobody.code, nobody.stderr]).toEqual([1, 'task not found in 1 file\n']);
  const rest = await on.project.run(['archive', 'restore', 'archive']);
  expect(rest.stdout).toContain('restored 2 of 3 tasks of archive/tasks-');
  expect(rest.stdout).toContain('; 1 already existed');
  expect(await on.project.json(['task', 'list', '--status', 'cancelled'])).toMatchObject({ total: 3 });
});

it('the command uses the configured archive folder unless --no-archive is given', async () => {
  await on.project.write('tasker.toml', '[retention]\narchive_folder = "archive"\nrelease_keys = true\n');
  await cancelled(2, 'again');
  const before = files().length;
  const dry = await on.project.json(['db', 'prune', '--older-than', '2h', '--dry-run']);
  expect(dry).toMatchObject({ matched: 2, archive: archive(), release_keys: true, dry_run: true });
  const done = await on.project.run(['db', 'prune', '--older-than', '2h', '--no-archive', '--yes']);
  expect(done.stdout).toMatch(/^deleted 2 tasks \(prune \d+\)\n$/);
  expect(files()).toHaveLength(before);
  expect((await on.project.run(['task', 'create', 'pair', '-k', 'again0'])).code).toBe(0);
  const none = await on.project.run(['db', 'prune', '--older-than', '30d', '--yes']);
  expect([none.code, none.stderr]).toEqual([0, 'no task ended long enough ago\n']);
});

/**
 * Waits until a process has handled SIGTERM: the signal is not pending, and the main thread waits again, or the process has
 * ended. Only Linux shows this.
 */
async function untilHandled(pid: number): Promise<void> {
  if (process.platform !== 'linux') return void (await new Promise((resolve) => setTimeout(resolve, 2_000)));
  const status = () => {
    try {
      return readFileSync(`/proc/${pid}/status`, 'utf8');
    } catch {
      return 'State:\tX (ended)';
    }
  };
  const pending = (text: string) =>
    [...text.matchAll(/^(?:Sig|Shd)Pnd:\s+(\w+)/gm)].some(([, mask]) => BigInt(`0x${mask}`) & (1n << 14n));
  await until(status, (text) => !pending(text) && /^State:\s+[SX]/m.test(text));
}

it('a prune that is stopped while it counts reports that it deleted nothing', async () => {
  const session = await openSession(on.database.url);
  await session.query('begin');
  await session.query('lock table tasker.task in access exclusive mode');
  const prune = on.project.start(['db', 'prune', '--older-than', '0s', '--dry-run']);
  await until(
    () =>
      on.database.sql<{ n: number }>(`select count(*)::int n from pg_locks where not granted and ${OF_THIS_DATABASE}`),
    ([row]) => row!.n > 0,
  );
  prune.process.kill('SIGTERM');
  await untilHandled(prune.process.pid!);
  await session.query('commit');
  const { code, stderr } = await prune.ended;
  expect([code, stderr]).toEqual([130, 'stopped before anything was deleted\n']);
});

it('invalid arguments are rejected with advice', async () => {
  const stderr = async (...args: string[]) => {
    const { code, stderr } = await on.project.run(args);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await stderr('db', 'prune')).toContain("required option '--older-than <time>' not specified");
  expect(await stderr('db', 'prune', '--older-than', 'soon')).toContain(
    'an age, such as 90s, 15m, 2h, 24h30m or 7d, or today or yesterday',
  );
  expect(await stderr('db', 'prune', '--older-than', '1h', '--share', '0')).toContain('a number from 0.01 to 1');
  expect(await stderr('db', 'prune', '--older-than', '1h', '--status', 'blocked_by_failures', '--yes')).toContain(
    'blocked_by_failures is not a state in which a task has ended',
  );
  expect(await stderr('archive', 'show', 'nowhere')).toContain('cannot read nowhere');
  expect(await stderr('archive', 'restore', 'templates')).toContain('no archive files found in templates');
});

it('db compact shows which tables it would lock, asks for confirmation, and reports the returned space', async () => {
  const dry = await on.project.json<{ tables: { table: string; action: string }[] }>([
    'db',
    'compact',
    '--full',
    '--dry-run',
  ]);
  expect(dry.tables.find(({ table }) => table === 'step')).toMatchObject({ action: 'vacuum', locked_ms: 0 });
  const refused = await on.project.run(['db', 'compact']);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/^.*compact \d+ tables\? Workers continue\./),
  ]);
  const done = await on.project.run(['db', 'compact', '--yes']);
  expect(done.code).toBe(0);
  expect(done.stderr).not.toContain('failed');
  expect(done.stdout).toMatch(/^(returned|no space to return)/);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readArchive } from '../../src/app/retention.ts';
import { openSession } from '../support/database.ts';
import { completed, endTurn, rowsOf, temporaryFolder } from '../support/retention.ts';
import { invariants } from '../support/setup.ts';

const PROVE = process.env.PROVE === '1';
const TASKS = PROVE ? 10_000 : 1_500;
const KILLS = PROVE ? 60 : 6;

/** Starts the command in a folder without a configuration. */
function prune(url: string, archive: string, cwd: string) {
  const program = path.resolve('bin/tasker.js');
  const args = ['db', 'prune', '--older-than', '0s', '--archive', archive, '--share', '1', '--yes'];
  return spawn(process.execPath, [program, '--database-url', url, ...args], { cwd, stdio: 'ignore' });
}

it('a prune that is killed at any moment deletes no task without archiving it, and archives no task twice', async () => {
  const { tasker, url, sql, taskUuids } = await completed(TASKS);
  const folder = temporaryFolder();
  const home = temporaryFolder();
  let [kills, useful] = [0, 0];
  const left = async () => (await sql<{ n: number }>('select count(*)::int n from tasker.task'))[0]!.n;
  // One task stays until the last kill, so that no killed prune has deleted all tasks.
  const holder = await openSession(url);
  await holder.query('begin');
  await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [[...taskUuids].sort().at(-1)]);
  for (let before = TASKS; before > 0; ) {
    const earlier = new Set(readdirSync(folder));
    const child = prune(url, folder, home);
    const ended = once(child, 'exit');
    if (kills < KILLS) {
      // Kills the prune at a random moment after it has created its file. Every second time, it has also deleted tasks.
      const hasBegun = () => readdirSync(folder).some((name) => name.endsWith('.part') && !earlier.has(name));
      while (!hasBegun() && child.exitCode === null) await sleep(2);
      const deletes = kills % 2 === 0;
      while (deletes && (await left()) === before && child.exitCode === null) await sleep(2);
      await sleep(Math.random() * (deletes ? 30 : 300));
      child.kill('SIGKILL');
      if (++kills === KILLS) await holder.query('rollback');
    }
    await ended;
    await endTurn(sql);
    const now = await left();
    if (now < before && now > 0) useful++;
    before = now;
  }
  expect(useful).toBeGreaterThan(0);
  const names = readdirSync(folder).sort();
  expect(names.filter((name) => !name.endsWith('.ndjson.gz'))).toEqual([]);
  const archived: string[] = [];
  for (const name of names) {
    for await (const { taskUuid } of readArchive(path.join(folder, name))) archived.push(taskUuid);
  }
  expect(archived).toHaveLength(TASKS);
  expect([...archived].sort()).toEqual([...taskUuids].sort());
  const reports = [];
  for (const name of [...names, ...names]) {
    reports.push(await tasker.restoreArchive(path.join(folder, name)).result());
  }
  expect(reports.reduce((sum, { restored }) => sum + restored, 0)).toBe(TASKS);
  expect(reports.every(({ failed, damage }) => failed === 0 && damage === null)).toBe(true);
  expect(await rowsOf(sql, taskUuids)).toMatchObject({ task: TASKS, step: 2 * TASKS, history: 2 * TASKS });
  await invariants(sql);
});

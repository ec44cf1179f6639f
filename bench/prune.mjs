// Measures the size of ended tasks of seven steps, and the speed of pruning them.
//   node bench/prune.mjs [tasks=20000] [share=1] [archive folder]     DATABASE_URL, or an embedded server
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';
import { fillNight, nightTemplates } from './fill-night.mjs';
import { probeOf, withDatabase, withServer } from './harness.mjs';
import { serverCpu } from './server-cpu.mjs';

const TASKS = Number(process.argv[2] ?? 20_000);
const SHARE = Number(process.argv[3] ?? 1);
const ARCHIVE = process.argv[4];

/** Returns the bytes of each table and of its indexes. */
async function sizes(probe) {
  // Runs twice, because index pages that one vacuum finds empty are free only after the next one.
  await probe.query('vacuum');
  await probe.query('vacuum analyze');
  const { rows } = await probe.query(`
    select c.relname name, pg_table_size(c.oid)::float8 bytes, pg_indexes_size(c.oid)::float8 indexes
      from pg_class c where c.relnamespace = 'tasker'::regnamespace and c.relkind = 'r'`);
  return new Map(rows.map((row) => [row.name, row]));
}

/** Adds ended tasks of seven steps, each with an identity. */
async function fill(probe) {
  await fillNight(probe, { ended: TASKS, open: 0 });
  await probe.query(`
    insert into tasker.task_identity (hash, task_uuid)
    select sha256(task_uuid::text::bytea), task_uuid from tasker.task on conflict do nothing`);
  // The statistics count tasks long before a prune deletes them.
  await probe.query('update tasker.analytics_state set counted = pg_current_snapshot()');
}

const total = (tables) => [...tables.values()].reduce((sum, { bytes, indexes }) => sum + bytes + indexes, 0);

/** Prints the growth of each table in bytes per task. */
function print(before, after, tasks) {
  for (const [name, { bytes, indexes }] of after) {
    const was = before.get(name);
    const [table, index] = [(bytes - was.bytes) / tasks, (indexes - was.indexes) / tasks];
    if (table + index >= 1)
      console.log(`${name.padEnd(16)}${table.toFixed(0).padStart(8)}${index.toFixed(0).padStart(8)}`);
  }
  console.log(`${'total'.padEnd(16)}${((total(after) - total(before)) / tasks).toFixed(0).padStart(16)}`);
}

/** Runs an operation, and prints its time and the server's CPU time. */
async function measured(what, probe, run) {
  const cpu = await serverCpu(probe);
  const [began, used] = [performance.now(), cpu()];
  const result = await run();
  const seconds = (performance.now() - began) / 1000;
  console.log(`${what}: ${seconds.toFixed(1)} s, ${((cpu() - used) / 1e6).toFixed(1)} s CPU time of the server`);
  return { result, seconds };
}

await withServer((server) =>
  withDatabase(server, async (url) => {
    const options = {
      databaseUrl: url,
      templates: nightTemplates(),
      worker: false,
      autoStart: false,
      logger: silentLogger,
    };
    const tasker = await createTasker(options);
    const probe = await probeOf(url);
    const empty = await sizes(probe);
    await fill(probe);
    const filled = await sizes(probe);
    console.log(`bytes per task: table, indexes (${TASKS} tasks)`);
    print(empty, filled, TASKS);
    const prune = () => tasker.prune({ olderThan: '0s' }, { share: SHARE, archive: ARCHIVE });
    const { result: preview } = await measured('preview', probe, () => prune().preview());
    console.log(`${preview.matched} tasks`);
    const { result, seconds } = await measured('prune', probe, () => prune().result());
    console.log(`${result.deleted} deleted, ${(result.deleted / seconds).toFixed(0)} per second`);
    const pruned = await sizes(probe);
    await fill(probe);
    const again = await sizes(probe);
    console.log('growth of the files when the tasks are added again, in bytes per task: table, indexes');
    print(filled, again, TASKS);
    console.log(`files: ${[empty, filled, pruned, again].map((one) => (total(one) / 1e6).toFixed(1)).join(' → ')} MB`);
    if (ARCHIVE !== undefined) {
      const names = await readdir(ARCHIVE);
      const bytes = await Promise.all(names.map(async (name) => (await stat(path.join(ARCHIVE, name))).size));
      console.log(`archive: ${(bytes.reduce((sum, one) => sum + one, 0) / result.deleted).toFixed(0)} bytes per task`);
    }
    await probe.end();
    await tasker.stop();
  }),
);

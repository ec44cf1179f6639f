// Sums up a large file in 50 batches, kills the worker process halfway, and continues in another process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { createTasker, silentLogger } from 'tasker-core';
import { writeSales } from './sales-file.mjs';

const HELP = `node examples/csv/import-csv.mjs [options]

  --rows N         default 1000000
  --workers N      number of batches, which all run at the same time; default 50
  --pause MS       pause of a batch after each checkpoint, to slow down a small file; default 0
  --folder PATH    folder of the embedded PostgreSQL; default: .tasker of this repository
  --help           print this help

DATABASE_URL selects another PostgreSQL server. Exit code: 0 if no row was lost or counted twice.`;

/** The lease of a worker process. It is short, so that the steps of the killed process run again soon. */
const LEASE_MS = 3_000;
const here = import.meta.dirname;
const number = (value) => Number(value).toLocaleString('en');
const wholeNumber = (option, value) => {
  if (/^\d+$/.test(value)) return Number(value);
  throw new Error(`${option} ${value}: must be a whole number`);
};
const report = (label, { rows, cents }) =>
  console.log(`  ${label.padEnd(26)}${number(rows).padStart(10)} rows ${number(cents).padStart(16)} cents`);

async function main() {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000000' },
      workers: { type: 'string', default: '50' },
      pause: { type: 'string', default: '0' },
      folder: { type: 'string', default: path.join(here, '../../.tasker') },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const rows = wholeNumber('--rows', values.rows);
  const workers = wholeNumber('--workers', values.workers);
  const pause_ms = wholeNumber('--pause', values.pause);
  if (rows < workers * 20) throw new Error(`--rows ${rows}: too few rows; at least 20 per worker are required`);
  const folder = path.resolve(values.folder);
  const temporary = mkdtempSync(path.join(tmpdir(), 'tasker-csv-'));
  const tasker = await createTasker({
    templates: path.join(here, 'templates'),
    embeddedFolder: folder,
    logger: silentLogger,
  });
  try {
    const csv_path = path.join(temporary, 'sales.csv');
    const expected = await writeSales(csv_path, rows);
    const megabytes = (statSync(csv_path).size / 1e6).toFixed(1);
    console.log(`${number(expected.rows)} rows (${megabytes} MB) in ${workers} batches`);
    await importFile(tasker, { context: { csv_path, workers, pause_ms }, folder, expected });
  } finally {
    await tasker.stop();
    rmSync(temporary, { recursive: true });
  }
}

async function importFile(tasker, { context, folder, expected }) {
  const begun = performance.now();
  const { taskUuid } = await tasker.createTask({ namespace: 'csv_demo', name: 'import_sales', context });
  const progress = progressOf(taskUuid, expected.rows);

  const first = startWorker({ folder, progress });
  await Promise.race([progress.half, endOf(first)]);
  first.child.kill('SIGKILL');
  await first.gone;
  console.log(`  process ${first.child.pid} was killed (kill -9) at ${progress.percent()} %`);

  const second = startWorker({ folder, progress });
  const { status } = await Promise.race([tasker.waitForTask(taskUuid), endOf(second)]);
  await second.stop();
  const seconds = (performance.now() - begun) / 1000;

  const { result } = (await tasker.getStep(taskUuid, 'summarize')).results ?? {};
  const history = await tasker.getHistory(taskUuid);
  const lost = history.filter(({ what }) => what === 'worker_lost').length;
  console.log(`${status} after ${seconds.toFixed(1)} s; ${lost} batches were taken over from the killed process`);
  if (!result) throw new Error(`the task ended as ${status}; npx tasker task why ${taskUuid}`);
  report('the file has', expected);
  report('the workers report', result.reported);
  report('their table has', result.table);
  const same = isDeepStrictEqual(result.reported, expected) && isDeepStrictEqual(result.table, expected);
  console.log(same ? '  no row was lost or counted twice' : '  THE TOTALS DIFFER');
  if (!same || lost === 0) process.exitCode = 1;
}

/** Starts a worker process. */
function startWorker({ folder, progress }) {
  const child = fork(path.join(here, 'worker.mjs'), [folder, LEASE_MS]);
  console.log(`  process ${child.pid} works`);
  child.on('message', progress.add);
  const gone = once(child, 'exit');
  const stop = async () => {
    child.disconnect();
    await gone;
  };
  return { child, gone, stop };
}

/** Rejects when the process exits, so that the example does not wait for a missing worker. */
async function endOf({ child, gone }) {
  const [code, signal] = await gone;
  throw new Error(`process ${child.pid} ended: ${signal ?? `exit code ${code}`}`);
}

/** Counts the processed rows that the workers report, and prints every tenth. */
function progressOf(taskUuid, total) {
  const batches = new Map();
  let reachHalf;
  const half = new Promise((resolve) => {
    reachHalf = resolve;
  });
  let shown = 0;
  const done = () => [...batches.values()].reduce((sum, rows) => sum + rows, 0);
  const percent = () => Math.floor((done() / total) * 100);
  return {
    half,
    percent,
    add({ task, batchId, rows }) {
      if (task !== taskUuid) return; // from a task of an interrupted run
      batches.set(batchId, rows);
      if (percent() >= 50) reachHalf();
      if (percent() < shown + 10) return;
      shown = percent() - (percent() % 10);
      console.log(`  ${String(shown).padStart(3)} %  ${number(done())} rows`);
    },
  };
}

main().catch((error) => {
  console.error(`import-csv: ${error.message}`);
  process.exitCode = 1;
});

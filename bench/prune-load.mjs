// Measures how much a prune of many ended tasks slows down a concurrent load: alternates between runs without and with
// a prune, and compares their steps per second.
//   node bench/prune-load.mjs [--ended 1000000] [--pairs 4] [--seconds 25] [--with 25] [--pruned N]
//     [--folder DIR] [--share 0.1] [--uncounted]
// --with: seconds of each run with a prune, if they differ from --seconds. --pruned: adds pairs until that many tasks are
// pruned. --share: the share of the time that the prune works. --folder: keeps the filled server there, for the next run.
// --uncounted: the statistics have not counted the tasks yet, so that the prune must count them.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startNight } from './fill-night.mjs';
import { many, median, startTasker } from './harness.mjs';
import { WORKLOADS } from './workloads.mjs';

const { values: options } = parseArgs({
  options: {
    ended: { type: 'string', default: '1000000' },
    pairs: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '25' },
    workload: { type: 'string', default: 'W1' },
    folder: { type: 'string' },
    share: { type: 'string', default: '0.1' },
    with: { type: 'string' },
    pruned: { type: 'string', default: '0' },
    uncounted: { type: 'boolean', default: false },
  },
});

const night = await startNight(options.folder, { ended: Number(options.ended), open: 0 });
const { probe } = night;

/** Returns the number of remaining tasks of the night, all of which ended more than an hour ago. */
async function oldTasks() {
  const { rows } = await probe.query(
    `select count(*)::int n from tasker.task where done_at < now() - interval '1 hour'`,
  );
  return rows[0].n;
}

/** Runs the load for a time. Returns the steps per second. */
async function load(tasker, limit) {
  const name = options.workload;
  const tasks = Math.ceil(12_000 / WORKLOADS[name].length);
  const began = performance.now();
  let done = 0;
  let seconds = 0;
  while (seconds < Number(limit)) {
    await many(tasker, name, tasks);
    done += tasks * WORKLOADS[name].length;
    seconds = (performance.now() - began) / 1000;
  }
  return done / seconds;
}

/** Starts a prune in a separate process. Returns a function that stops the process, as an operator would. */
function startPrune() {
  const program = path.join(import.meta.dirname, '../bin/tasker.js');
  const child = spawn(
    process.execPath,
    [program, 'db', 'prune', '--older-than', '1h', '--yes', '--share', options.share],
    {
      env: { ...process.env, DATABASE_URL: night.url },
      stdio: 'ignore',
    },
  );
  const ended = new Promise((resolve) => child.on('exit', resolve));
  return async () => {
    const isOver = child.exitCode !== null;
    child.kill('SIGTERM');
    await ended;
    if (isOver) throw new Error(`the prune ended with code ${child.exitCode} before the load did`);
  };
}

try {
  if (!options.uncounted) await probe.query('update tasker.analytics_state set counted = pg_current_snapshot()');
  const tasker = await startTasker(night.url, night.folder, { names: [options.workload] });
  await many(tasker, options.workload, 5_000);
  const ratios = [];
  let pruned = 0;
  for (let i = 0; i < Number(options.pairs) || pruned < Number(options.pruned); i++) {
    const found = { pruned: 0 };
    const without = async () => (found.without = await load(tasker, options.seconds));
    const with_ = async () => {
      const before = await oldTasks();
      const stop = startPrune();
      found.with = await load(tasker, options.with ?? options.seconds);
      await stop();
      found.pruned = before - (await oldTasks());
    };
    for (const run of i % 2 === 0 ? [without, with_] : [with_, without]) await run();
    ratios.push(found.with / found.without);
    pruned += found.pruned;
    console.log(
      `${options.workload} ${found.without.toFixed(0)} -> ${found.with.toFixed(0)} steps/s (${ratios.at(-1).toFixed(3)}), ${found.pruned} tasks pruned`,
    );
  }
  console.log(`median ${median(ratios).toFixed(3)}, ${pruned} tasks pruned`);
  await tasker.stop();
} finally {
  await night.stop();
}

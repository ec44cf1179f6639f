// Compares the speed of this checkout with that of another checkout, in alternating pairs on one server.
//   node bench/pairs.mjs FOLDER [--pairs 15] [--seconds 2] [--workloads W1,W2,W3,W4] [--options JSON]
// --options: further options of createTasker for this checkout, for example '{"searchEnabled":false}'.
// FOLDER is a checkout of the older program, installed and built. It is first compared with itself, to show how far
// noise alone moves the ratios. Prints every pair. Exits with 1 when this checkout is slower than the gate allows: a
// median ratio of 0.97. If noise moves the median of the older program against itself by more than 3 %, the gate is
// 0.93, with statements, bytes of WAL and CPU per step within 2 %.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarkOf, median, withServer } from './harness.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '2' },
    workloads: { type: 'string', default: 'W1,W2,W3,W4' },
    options: { type: 'string', default: '{}' },
  },
});
if (positionals.length !== 1) {
  console.error('error: the checkout to compare with is missing; run node bench/pairs.mjs FOLDER');
  process.exit(2);
}
const older = path.resolve(positionals[0]);
const newer = path.resolve(import.meta.dirname, '..');
const workloads = options.workloads.split(',');

/** Costs per step that are less sensitive to noise than time is. */
const COSTS = ['statements_per_step', 'wal_bytes_per_step', 'cpu_us_per_step', 'server_cpu_us_per_step'];
const QUIET = 0.03;

const run = (folder, url) =>
  benchmarkOf(folder, url, { ...options, options: folder === newer ? options.options : '{}' });

/** Runs the pairs. Every other pair runs in the reverse order. */
async function series(label, url, before, after) {
  const pairs = [];
  for (let i = 0; i < Number(options.pairs); i++) {
    const pair = {};
    const runs = [async () => (pair.before = await run(before, url)), async () => (pair.after = await run(after, url))];
    if (i % 2 === 1) runs.reverse();
    for (const one of runs) await one();
    pairs.push(pair);
    const shown = workloads.map((name) => {
      const [a, b] = [pair.before[name].steps_per_s, pair.after[name].steps_per_s];
      return `${name} ${a} -> ${b} (${(b / a).toFixed(3)})`;
    });
    console.log(`${label} ${i + 1}: ${shown.join('  ')}`);
  }
  return Object.fromEntries(workloads.map((name) => [name, summary(pairs, name)]));
}

function summary(pairs, name) {
  const ratios = (key) => pairs.map(({ before, after }) => after[name][key] / before[name][key]);
  const speed = ratios('steps_per_s').sort((a, b) => a - b);
  // A checkout that does not measure a cost, or a server on another machine, gives NaN.
  const costs = Object.fromEntries(COSTS.map((key) => [key, median(ratios(key))]));
  return { median: median(speed), min: speed[0], max: speed.at(-1), costs };
}

function show(label, result) {
  for (const [name, { median, min, max, costs }] of Object.entries(result)) {
    const rest = COSTS.map((key) => `${key.replace(/_per_step$/, '')} ${costs[key].toFixed(3)}`).join(', ');
    console.log(
      `${label} ${name}: median ${median.toFixed(3)} (${min.toFixed(3)} to ${max.toFixed(3)}); per step: ${rest}`,
    );
  }
}

/** Returns whether a workload passes the gate. `noise` is the comparison of the older program with itself. */
function passes(result, noise) {
  const quiet = Math.abs(noise.median - 1) <= QUIET;
  if (quiet) return result.median >= 0.97;
  const dearer = COSTS.some((key) => result.costs[key] > 1.02);
  return result.median >= 0.93 && !dearer;
}

await withServer(async (url) => {
  const noise = await series('older / older', url, older, older);
  const result = await series('newer / older', url, older, newer);
  show('older / older', noise);
  show('newer / older', result);
  const slow = workloads.filter((name) => !passes(result[name], noise[name]));
  console.log(slow.length === 0 ? 'gate: passed' : `gate: FAILED on ${slow.join(', ')}`);
  process.exitCode = slow.length === 0 ? 0 : 1;
});

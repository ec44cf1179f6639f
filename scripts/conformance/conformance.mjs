// Drives a worker over HTTP through the cases of the protocol.
//   node scripts/conformance/conformance.mjs [--database-url URL] [--storm SECONDS] [--only TEXT] [--verbose] -- python3 worker.py …
// The worker gets TASKER_URL and TASKER_NAMESPACE, and must have the handlers in docs/guide/http-workers.md.
import { parseArgs } from 'node:util';
import { CASES, storm } from './cases.mjs';
import { startWorld } from './world.mjs';

const { values, positionals: command } = parseArgs({
  allowPositionals: true,
  options: {
    'database-url': { type: 'string' },
    storm: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  },
});
if (command.length === 0) {
  console.error('error: the worker to test is missing; add -- and its command, such as -- python3 worker.py');
  process.exit(2);
}

const world = await startWorld({ command, databaseUrl: values['database-url'], verbose: values.verbose });
let failed = 0;
/** On a busy machine, a worker may lose its short lease. A case that fails for this reason is repeated. */
const MOST_TRIES = 5;
const run = async (title, work, tries = 1) => {
  const { counts } = world.proxy;
  const before = counts.leases_lost;
  world.proxy.decide = () => undefined;
  try {
    const { worker } = world;
    if (worker === undefined || worker.exitCode !== null || worker.signalCode !== null) world.startWorker();
    const answer = await work();
    console.log(`ok      ${title}${answer ? ` ${JSON.stringify(answer)}` : ''}`);
  } catch (error) {
    if (counts.leases_lost > before && tries < MOST_TRIES) return run(title, work, tries + 1);
    failed++;
    console.log(`FAILED  ${title}\n        ${String(error.message).replaceAll('\n', '\n        ')}`);
  }
};
try {
  for (const [title, work] of Object.entries(CASES))
    if (title.includes(values.only)) await run(title, () => work(world));
  const seconds = Number(values.storm);
  if (seconds > 0) await run(`${seconds} s with lost responses and kills`, () => storm(world, { seconds }));
} finally {
  await world.stop();
}
console.log(failed === 0 ? 'the worker conforms' : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

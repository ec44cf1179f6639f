// The long proofs: full-size runs of the tests that the suite runs with small budgets, and mutation testing. Takes
// hours.
//   npm run prove
import { spawnSync } from 'node:child_process';
import { buildIfStale } from './build-if-stale.mjs';

buildIfStale();
const vitest = 'node_modules/vitest/vitest.mjs';
const PROOFS = [
  [
    'everything that npm test leaves out, properties and faults at full size',
    vitest,
    'run',
    '--project',
    'rest',
    '--testTimeout',
    '3600000',
  ],
  [
    'engine and faults on PostgreSQL 17',
    vitest,
    'run',
    'test/engine',
    'test/crash',
    '--project',
    'postgres-17',
    '--testTimeout',
    '3600000',
  ],
  [
    'engine and faults on PostgreSQL 15',
    vitest,
    'run',
    'test/engine',
    'test/crash',
    '--project',
    'postgres-15',
    '--testTimeout',
    '3600000',
  ],
  ['a million generated requests to the HTTP API', 'scripts/fuzz.mjs'],
  ['plans on a million rows', 'bench/explain.mjs'],
  ['cost and latency of events', 'bench/events.mjs'],
  ['throughput on large tables, creation, idle', 'bench/scale.mjs'],
  ['200 creators, 2,020 streams and a killed server over HTTP', 'bench/rest-load.mjs'],
  ['the web page with 1,000 steps, and with 2,000 changes a second', 'bench/web.mjs', '--seconds', '600'],
  ['mutation testing, a sample of 300 mutants', 'scripts/mutants.mjs'],
];

/** The tests choose their full sizes by `PROVE`; races of waits take their rounds from a variable of their own. */
const ENV = { TASKER_RACE_ROUNDS: '10000', ...process.env, PROVE: '1' };

let failed = 0;
for (const [label, ...args] of PROOFS) {
  const started = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env: ENV });
  if (status !== 0) failed++;
  console.log(
    `${status === 0 ? 'proved' : 'FAILED'}: ${label} (${Math.round((performance.now() - started) / 1000)} s)`,
  );
}
process.exitCode = failed === 0 ? 0 : 1;

// Sends a million generated requests to the HTTP API, from one process for each core, at most 8. Each process has its own
// server and database, and sends its part of the requests.
//   node scripts/fuzz.mjs
//   FUZZ_REQUESTS=20000 FUZZ_PARTS=2 node scripts/fuzz.mjs
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

const parts = Number(process.env.FUZZ_PARTS ?? Math.min(8, availableParallelism()));
const ARGS = ['run', 'test/rest/fuzz.test.ts', '--project', 'rest', '--testTimeout', '36000000'];

function run(part) {
  const env = { ...process.env, PROVE: '1', FUZZ_PART: `${part}/${parts}` };
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...ARGS], { stdio: 'inherit', env });
  return new Promise((resolve) => child.on('close', resolve));
}

const codes = await Promise.all(Array.from({ length: parts }, (_, index) => run(index + 1)));
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;

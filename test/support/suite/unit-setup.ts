import childProcess, { type SpawnOptions } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import threads from 'node:worker_threads';

/** Fails a unit test that starts a process or a thread, which `needs.ts` did not detect in its imports. */
function refuse(what: string): never {
  throw new Error(
    `a unit test starts ${what}; import its helpers from test/support (database.ts, embedded-users.ts), ` +
      'so that it runs with the tests that have a server',
  );
}

const { spawn } = childProcess;
const STARTERS = ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawnSync'] as const;
for (const name of STARTERS) Object.assign(childProcess, { [name]: () => refuse('a process') });
// The bundler of handlers in TypeScript starts in a few milliseconds.
childProcess.spawn = ((command: string, ...more: [string[], SpawnOptions]) =>
  path.basename(command).startsWith('esbuild') ? spawn(command, ...more) : refuse('a process')) as typeof spawn;
Object.assign(threads, {
  Worker: class {
    constructor() {
      refuse('a thread');
    }
  },
});
syncBuiltinESMExports();

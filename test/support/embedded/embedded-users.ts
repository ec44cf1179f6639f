import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import pg from 'pg';
import { afterAll, inject, onTestFinished, vi } from 'vitest';
import { findBinariesPackage } from '../../../src/db/embedded/binaries/binaries-package.ts';
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from '../../../src/db/embedded/start-embedded.ts';
import { stopEmbedded } from '../../../src/db/embedded/stop-embedded.ts';

/** What a user process says once it has its server. */
interface Ready {
  url: string;
  version: string;
  started: boolean;
  postmasterPid: number;
}

export interface UserProcess {
  child: ChildProcess;
  /** Rejects with the error that startEmbedded gave. */
  ready: Promise<Ready>;
  /** Lets go of the server and waits until the process ended by itself; gives its exit code. */
  stop(): Promise<number | null>;
  /** Kills it with SIGKILL and waits until it is gone. */
  kill(): Promise<void>;
}

const NOBODY = 65534;
export const isRoot = process.getuid?.() === 0;
export const asNobody = { uid: NOBODY, gid: NOBODY };

/**
 * A folder for one test; whatever server runs in it, and the folder, are gone after the test. It is for data: no program
 * can be started from it where it is in memory.
 */
export function temporaryFolder({ name = 'tasker-test-', mode = 0o755, inside = inject('data') } = {}): string {
  const folder = mkdtempSync(path.join(inside, name));
  chmodSync(folder, mode);
  onTestFinished(async () => {
    await stopEmbedded(path.join(folder, '.tasker'));
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** What the tests of one file share; gone after the last. */
const madeHere: string[] = [];
afterAll(() => {
  for (const folder of madeHere) rmSync(folder, { recursive: true, force: true });
});

let template: Promise<string> | undefined;

/** Makes a database once, to be copied: for tests that are not about making one. */
function databaseTemplate(): Promise<string> {
  template ??= (async () => {
    const folder = mkdtempSync(path.join(inject('data'), 'tasker-template-'));
    madeHere.push(folder);
    const server = await startEmbedded({ folder, durable: false });
    await server.stop();
    return path.join(folder, 'postgres', 'data');
  })();
  return template;
}

/** Gives a folder a database that is there already. */
export async function seed(folder: string): Promise<string> {
  const home = path.join(folder, '.tasker', 'postgres');
  const data = await databaseTemplate();
  mkdirSync(home, { recursive: true });
  execFileSync('cp', ['-a', data, home]);
  return folder;
}

/** A {@link temporaryFolder} with a database in it. */
export const seededFolder = (options?: Parameters<typeof temporaryFolder>[0]): Promise<string> =>
  seed(temporaryFolder(options));

/** Starts a server in this process, without fsync; let go of after the test. */
export async function start(folder: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbedded({ folder: path.join(folder, '.tasker'), durable: false, ...options });
  onTestFinished(() => server.stop());
  return server;
}

let bundle: Promise<string> | undefined;

/** The user process as one file that any user of the machine can read, from the sources as they are. */
function userProgram(): Promise<string> {
  bundle ??= (async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tasker-user-'));
    chmodSync(folder, 0o755);
    madeHere.push(folder);
    const outfile = path.join(folder, 'embedded-user.mjs');
    await build({
      entryPoints: [path.join(import.meta.dirname, 'embedded-user.mjs')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['pg-native'],
      banner: {
        js: "import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url);",
      },
    });
    return outfile;
  })();
  return bundle;
}

/** Starts another process that uses the server of the folder. */
export async function startUser(
  folder: string,
  { as, ...options }: Partial<EmbeddedOptions> & { as?: { uid: number; gid: number } } = {},
): Promise<UserProcess> {
  const given = {
    folder: path.join(folder, '.tasker'),
    durable: false,
    binaries: findBinariesPackage().root,
    ...options,
  };
  const child = spawn(process.execPath, [await userProgram(), JSON.stringify(given)], {
    ...as,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const noWord = exited.then(([code]) => Promise.reject(new Error(`it ended with ${code} before it said anything`)));
  const ready = Promise.race([once(lines, 'line'), noWord]).then(([line]) => {
    const said = JSON.parse(line as string) as Ready & { error?: { code: string; message: string } };
    if (said.error) throw Object.assign(new Error(said.error.message), { code: said.error.code });
    return said;
  });
  ready.catch(() => undefined); // whoever awaits it hears it
  return {
    child,
    ready,
    async stop() {
      child.stdin.write('stop\n');
      return (await exited)[0];
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Asks the server one thing; gives the first column of the first row. */
export async function ask(url: string, statement: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: statement, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** Whether a process runs; a zombie does not. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return spawnSync('ps', ['-p', String(pid)]).status === 0;
  }
}

/** Waits until a process that is not our child is gone. */
export function untilGone(pid: number, timeout = 30_000): Promise<void> {
  return vi.waitFor(
    () => {
      if (runs(pid)) throw new Error(`process ${pid} still runs`);
    },
    { timeout, interval: 10 },
  );
}

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import pg from 'pg';
import { inject, onTestFinished, vi } from 'vitest';
import { findBinariesPackage } from '../../../src/db/embedded/binaries/binaries-package.ts';
import {
  type EmbeddedOptions,
  type EmbeddedServer,
  startEmbedded,
  stopEmbedded,
} from '../../../src/db/embedded/start-embedded.ts';

/** The message of a user process once it has its server. */
interface Ready {
  url: string;
  version: string;
  started: boolean;
  postmasterPid: number;
}

export interface UserProcess {
  child: ChildProcess;
  /** Rejects with the error of startEmbedded. */
  ready: Promise<Ready>;
  /** Releases the server, and waits until the process exits on its own. Returns its exit code. */
  stop(): Promise<number | null>;
  /** Kills the process with SIGKILL, and waits until it has exited. */
  kill(): Promise<void>;
}

const NOBODY = 65534;
export const isRoot = process.getuid?.() === 0;
export const asNobody = { uid: NOBODY, gid: NOBODY };

/**
 * Creates a folder for one test. After the test, the server in the folder is stopped and the folder is removed. Use it
 * only for data, because no program can be started from it if it is in memory.
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

let template: Promise<string> | undefined;

/**
 * Creates a database once in a process, to be copied by tests that are not about creating a database. It is removed with
 * the other data of the run.
 */
function databaseTemplate(): Promise<string> {
  template ??= (async () => {
    const folder = mkdtempSync(path.join(inject('data'), 'tasker-template-'));
    const server = await startEmbedded({ folder, durable: false });
    await server.stop();
    return path.join(folder, 'postgres', 'data');
  })();
  return template;
}

/** Copies the existing database into a folder. */
export async function seed(folder: string): Promise<string> {
  const home = path.join(folder, '.tasker', 'postgres');
  const data = await databaseTemplate();
  mkdirSync(home, { recursive: true });
  execFileSync('cp', ['-a', data, home]);
  return folder;
}

/** Creates a {@link temporaryFolder} with a database in it. */
export const seededFolder = (options?: Parameters<typeof temporaryFolder>[0]): Promise<string> =>
  seed(temporaryFolder(options));

/** Starts a server in this process, without fsync. Releases it after the test. */
export async function start(folder: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbedded({ folder: path.join(folder, '.tasker'), durable: false, ...options });
  onTestFinished(() => server.stop());
  return server;
}

let bundle: Promise<string> | undefined;

/** Bundles the user process from the current sources into one file that every user of the machine can read. */
function userProgram(): Promise<string> {
  bundle ??= (async () => {
    const folder = mkdtempSync(path.join(inject('data'), 'tasker-user-'));
    chmodSync(folder, 0o755);
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
  const noWord = exited.then(([code]) => Promise.reject(new Error(`the process ended with ${code} without a message`)));
  const ready = Promise.race([once(lines, 'line'), noWord]).then(([line]) => {
    const reply = JSON.parse(line as string) as Ready & { error?: { code: string; message: string } };
    if (reply.error) throw Object.assign(new Error(reply.error.message), { code: reply.error.code });
    return reply;
  });
  ready.catch(() => undefined); // a caller that awaits it gets the error
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

/** Runs one query. Returns the first column of the first row. */
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

/** Returns whether a process is running. A zombie is not. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return spawnSync('ps', ['-p', String(pid)]).status === 0;
  }
}

/** Waits until a process that is not our child has exited. */
export function untilGone(pid: number, timeout = 30_000): Promise<void> {
  return vi.waitFor(
    () => {
      if (runs(pid)) throw new Error(`process ${pid} still runs`);
    },
    { timeout, interval: 10 },
  );
}

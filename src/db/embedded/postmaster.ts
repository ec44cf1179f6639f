import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TaskerError } from '../../errors.ts';
import { readIfThere } from './files.ts';
import { isAlive } from './process-identity.ts';

/** The contents of PostgreSQL's `postmaster.pid`. */
export interface Postmaster {
  pid: number;
  port: number;
  /** Folder of its Unix socket as given on startup, possibly relative to the data folder. Empty without a socket. */
  socketFolder: string;
  status: 'starting' | 'stopping' | 'ready' | 'standby' | 'unknown';
}

/** The name of the socket in the run folder. */
export const SOCKET = '.s.PGSQL.5432';
const STATUSES = ['starting', 'stopping', 'ready', 'standby'] as const;
const pidFile = (data: string) => path.join(data, 'postmaster.pid');

/** Reads `postmaster.pid`. Returns undefined if there is none. The file may be stale: see {@link findRunning}. */
export function readPostmaster(data: string): Postmaster | undefined {
  const text = readIfThere(pidFile(data));
  if (text === undefined) return undefined;
  const [pid, , , port, socketFolder = '', , , status] = text.split('\n').map((line) => line.trim());
  return {
    pid: Number(pid),
    port: Number(port),
    socketFolder,
    status: STATUSES.find((known) => known === status) ?? 'unknown',
  };
}

/** Returns the server that runs on a data folder, if any. */
export function findRunning(data: string): Postmaster | undefined {
  const postmaster = readPostmaster(data);
  return postmaster && isRunning(data, postmaster.pid) ? postmaster : undefined;
}

/** Returns whether the process is a server on that data folder, because pids are reused. */
function isRunning(data: string, pid: number): boolean {
  if (!isAlive({ pid, started: '' })) return false;
  if (process.platform === 'win32') return true;
  return process.platform === 'linux' ? worksIn(data, pid) : isPostgres(pid);
}

function worksIn(data: string, pid: number): boolean {
  try {
    const [there, here] = [statSync(`/proc/${pid}/cwd`), statSync(data)];
    return there.ino === here.ino && there.dev === here.dev;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EACCES means that the process belongs to another user, so it is not the server: only the server's user or root
    // can open the data folder.
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return false;
    throw error;
  }
}

function isPostgres(pid: number): boolean {
  try {
    return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).includes('postgres');
  } catch {
    return false; // ps exits with 1 if the process does not exist
  }
}

/**
 * Removes `postmaster.pid` and the lock file of the socket if their pid is not a running server of this data folder. The pid
 * may have been reused, or the killed server may still be exiting. In both cases PostgreSQL would refuse to start.
 * PostgreSQL still detects backends of the killed server, by the key of their shared memory: see {@link quitOrphans}.
 */
export function removeStaleLocks(data: string, runFolder: string): void {
  for (const lock of [pidFile(data), path.join(runFolder, `${SOCKET}.lock`)]) {
    const left = readIfThere(lock);
    if (left !== undefined && !isRunning(data, Number.parseInt(left, 10))) rmSync(lock, { force: true });
  }
}

/**
 * Ends the backends of a killed server, as its postmaster would have. A backend in the middle of a query does not notice
 * that its postmaster is gone, and keeps the shared memory that a new server needs. Call this under the lock and only if no
 * server runs on the folder. Systems without `/proc` wait for the query instead.
 */
export function quitOrphans(data: string): void {
  if (process.platform !== 'linux') return;
  for (const pid of readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number))
    if (worksIn(data, pid) && nameOf(pid) === 'postgres') send(pid, 'SIGQUIT');
}

function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined; // it has exited
  }
}

const POLL_MS = 5;
const FAST_STOP_MS = 30_000;
const IMMEDIATE_STOP_MS = 10_000;
const READY_TIMEOUT_MS = 120_000;

/** Stops a server and waits until it has exited. A fast stop becomes an immediate one after 30 seconds. */
export async function stopPostmaster(data: string, pid: number, mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
  if (mode === 'fast' && (await signalAndWait(data, pid, 'SIGINT', FAST_STOP_MS))) return;
  if (await signalAndWait(data, pid, 'SIGQUIT', IMMEDIATE_STOP_MS)) return;
  throw new TaskerError(
    'embedded_failed',
    `the embedded PostgreSQL (process ${pid}) in ${data} did not stop; kill the process`,
  );
}

async function signalAndWait(data: string, pid: number, signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
  if (!isRunning(data, pid)) return true;
  if (process.platform === 'win32') sendOnWindows(data, pid, signal);
  else send(pid, signal);
  return untilGone(data, pid, timeoutMs);
}

async function untilGone(data: string, pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(data, pid)) {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}

/** Returns whether a server that does not respond exits within a second. */
export const isGoneSoon = (data: string, pid: number): Promise<boolean> => untilGone(data, pid, 1000);

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has already exited
  }
}

/**
 * Uses pg_ctl, which is next to the running postgres, because on Windows Node would kill the process instead of
 * signalling it.
 */
function sendOnWindows(data: string, pid: number, signal: NodeJS.Signals): void {
  const [postgres = ''] = readFileSync(path.join(data, 'postmaster.opts'), 'utf8').split(' "');
  const pgCtl = path.join(path.dirname(postgres.trim()), 'pg_ctl.exe');
  execFileSync(pgCtl, ['kill', signal.replace('SIG', ''), String(pid)], { stdio: 'ignore' });
}

/**
 * Waits until a starting server accepts connections. Returns false if it stops or exits. After a crash, the server
 * recovers first.
 * @throws TaskerError `embedded_failed` if this takes more than two minutes
 */
export async function untilReady({ data, log }: { data: string; log: string }, pid: number): Promise<boolean> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const postmaster = readPostmaster(data);
    if (postmaster?.pid !== pid || postmaster.status === 'stopping') return false;
    if (postmaster.status === 'ready') return true;
    if (!isRunning(data, pid)) return false;
    if (performance.now() > deadline)
      throw new TaskerError(
        'embedded_failed',
        `the embedded PostgreSQL in ${data} did not become ready within two minutes; see ${log}`,
      );
    await pause(POLL_MS);
  }
}

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TaskerError } from '../../errors.ts';
import { readIfThere } from './files.ts';
import { isAlive } from './process-identity.ts';

/** What PostgreSQL writes about itself into the data folder. */
export interface Postmaster {
  pid: number;
  port: number;
  /** Where its Unix socket is, as given at the start: possibly relative to the data folder. Empty without one. */
  socketFolder: string;
  status: 'starting' | 'stopping' | 'ready' | 'standby' | 'unknown';
}

const STATUSES = ['starting', 'stopping', 'ready', 'standby'] as const;
const pidFile = (data: string) => path.join(data, 'postmaster.pid');

/** Reads `postmaster.pid`; undefined when there is none. It may be left over: see {@link findRunning}. */
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

/** The server that runs on a data folder now. */
export function findRunning(data: string): Postmaster | undefined {
  const postmaster = readPostmaster(data);
  return postmaster && isRunning(data, postmaster.pid) ? postmaster : undefined;
}

/** Whether that pid is, now, a server on that data folder: pids are used again by others. */
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
    // EACCES: somebody else's process. Whoever can open the data folder is its server's user, or root.
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return false;
    throw error;
  }
}

function isPostgres(pid: number): boolean {
  try {
    return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).includes('postgres');
  } catch {
    return false; // ps exits with 1 when there is no such process
  }
}

/**
 * Removes a `postmaster.pid` whose pid belongs to something else now: PostgreSQL would take that for a running
 * server and refuse. It still finds backends that outlived their server, by the key of the shared memory.
 */
export function removeStalePid(data: string): void {
  const left = readPostmaster(data);
  if (left && !isRunning(data, left.pid)) rmSync(pidFile(data), { force: true });
}

const POLL_MS = 5;
const FAST_STOP_MS = 30_000;
const IMMEDIATE_STOP_MS = 10_000;
const READY_TIMEOUT_MS = 120_000;

/** Stops a server and waits until it is gone; when a fast stop takes half a minute, the immediate one follows. */
export async function stopPostmaster(data: string, pid: number, mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
  if (mode === 'fast' && (await signalAndWait(data, pid, 'SIGINT', FAST_STOP_MS))) return;
  if (await signalAndWait(data, pid, 'SIGQUIT', IMMEDIATE_STOP_MS)) return;
  throw new TaskerError('embedded_failed', `the embedded PostgreSQL (process ${pid}) on ${data} does not stop; end it`);
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

/** Whether a server that does not answer is on its way out; asked for up to a second. */
export const isGoneSoon = (data: string, pid: number): Promise<boolean> => untilGone(data, pid, 1000);

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it went by itself
  }
}

/** There node would end the process at once. pg_ctl, which lies beside the postgres that runs, knows how to tell it. */
function sendOnWindows(data: string, pid: number, signal: NodeJS.Signals): void {
  const [postgres = ''] = readFileSync(path.join(data, 'postmaster.opts'), 'utf8').split(' "');
  const pgCtl = path.join(path.dirname(postgres.trim()), 'pg_ctl.exe');
  execFileSync(pgCtl, ['kill', signal.replace('SIG', ''), String(pid)], { stdio: 'ignore' });
}

/**
 * Waits until a server that starts accepts connections; false when it is stopping or went away. After a crash it
 * recovers first; when that takes more than two minutes, `embedded_failed` says so.
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
        `the embedded PostgreSQL on ${data} has been starting for two minutes; see ${log}`,
      );
    await pause(POLL_MS);
  }
}

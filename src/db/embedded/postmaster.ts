import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from './process-identity.ts';

/** What PostgreSQL writes about itself into the data folder. */
export interface Postmaster {
  pid: number;
  /** Folder of the Unix socket; empty where it listens on TCP. */
  socketFolder: string;
  port: number;
  status: 'starting' | 'stopping' | 'ready' | 'standby' | 'unknown';
}

const STATUSES = ['starting', 'stopping', 'ready', 'standby'] as const;

/** Reads `postmaster.pid`; undefined when there is none. It may be left over: see {@link isRunning}. */
export function readPostmaster(data: string): Postmaster | undefined {
  let text: string;
  try {
    text = readFileSync(path.join(data, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const [pid, , , port, socketFolder, , , status] = text.split('\n').map((line) => line.trim());
  return {
    pid: Math.abs(Number(pid)), // negative for a single-user server
    port: Number(port),
    socketFolder: socketFolder ?? '',
    status: STATUSES.find((known) => known === status) ?? 'unknown',
  };
}

/** Whether that pid is, now, a server on that data folder: pids are used again by others. */
export function isRunning(data: string, pid: number): boolean {
  if (!isAlive({ pid, started: '' })) return false;
  if (process.platform !== 'linux') return true;
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

const POLL_MS = 5;

/** Waits until no such server runs; false when it still does after `timeoutMs`. */
export async function waitUntilGone(data: string, pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(data, pid)) {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}

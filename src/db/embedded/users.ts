import { execFileSync } from 'node:child_process';
import { chownSync, closeSync, constants, existsSync, openSync, readSync, rmSync } from 'node:fs';
import type { ServerUser } from './server-user.ts';

/*
 * Who uses the server is counted by the kernel: every process that uses it holds the write end of one named
 * pipe open, and a process that ends, however it ends, closes it. The watcher (see watched-server.ts) reads
 * the other end; it sees end-of-file when the last user is gone, and never before.
 */

const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
const PEEK = constants.O_RDONLY | constants.O_NONBLOCK;

/** Creates the pipe when it is missing. */
export function createUsersPipe(pipe: string, user: ServerUser | undefined): void {
  if (!existsSync(pipe)) execFileSync('mkfifo', ['-m', '600', pipe]);
  if (user) chownSync(pipe, user.uid, user.gid);
}

/** Counts us as a user; undefined when nobody watches the pipe. The descriptor counts until it is closed. */
export function joinUsers(pipe: string): number | undefined {
  try {
    return openSync(pipe, WRITE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENXIO' || code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Counts us as a user and gives the end that a new watcher shall read; the caller closes it after the spawn. */
export function joinWithWatchersEnd(pipe: string): { membership: number; watchersEnd: number } {
  const peek = openSync(pipe, PEEK); // without a reader the write end does not open, without a writer the read end blocks
  const membership = openSync(pipe, WRITE);
  const watchersEnd = openSync(pipe, constants.O_RDONLY);
  closeSync(peek);
  return { membership, watchersEnd };
}

/** Whether any process, this one included, counts as a user now. */
export function hasUsers(pipe: string): boolean {
  if (!existsSync(pipe)) return false;
  const peek = openSync(pipe, PEEK);
  try {
    return readSync(peek, Buffer.alloc(1)) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return true; // nothing written, but held open
    throw error;
  } finally {
    closeSync(peek);
  }
}

/** Where a watcher writes that it is about to stop the server, and then that it does. */
export const idleMark = (pipe: string, postmasterPid: number): string => `${pipe}.idle.${postmasterPid}`;
export const stoppingMark = (pipe: string, postmasterPid: number): string => `${pipe}.stopping.${postmasterPid}`;

/**
 * Joins the users of a server that runs. Undefined when it is being stopped, or nobody watches it.
 * The order matters: first be counted, then take back the watcher's intention, then look whether it was too late.
 */
export function joinRunning(pipe: string, postmasterPid: number): number | undefined {
  const membership = joinUsers(pipe);
  if (membership === undefined) return undefined;
  rmSync(idleMark(pipe, postmasterPid), { force: true });
  if (!existsSync(stoppingMark(pipe, postmasterPid))) return membership;
  closeSync(membership);
  return undefined;
}

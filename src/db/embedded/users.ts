import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import path from 'node:path';
import { TaskerError } from '../../errors.ts';
import type { Membership } from './hosting/hosting.ts';
import { chownTo, type ServerUser } from './hosting/server-user.ts';

/*
 * The kernel counts the users of the server. Every process that uses it holds the write end of a named pipe open, and
 * the kernel closes it when the process ends for any reason. The watcher (see watched-server.ts) reads the other end.
 * The watcher reads end-of-file once the last user is gone, and never before.
 */

const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
const PEEK = constants.O_RDONLY | constants.O_NONBLOCK;

/** Returns the path of the users' pipe in a run folder. */
export const usersPipe = (runFolder: string): string => path.join(runFolder, 'users');

/** Creates the pipe if it is missing. Returns false if the file system does not support pipes. */
export function createUsersPipe(runFolder: string, user: ServerUser | undefined): boolean {
  const pipe = usersPipe(runFolder);
  if (existsSync(pipe)) return true;
  const made = spawnSync('mkfifo', ['-m', '600', pipe]);
  if (made.error)
    throw new TaskerError(
      'embedded_unsupported',
      'the embedded database needs the commands mkfifo and /bin/sh, which were not found; install them, or set DATABASE_URL',
      { cause: made.error },
    );
  if (made.status === 0) chownTo(pipe, user);
  return made.status === 0;
}

/**
 * Registers this process as a user of the server until the returned descriptor is closed. Returns undefined if no watcher
 * reads the pipe.
 */
function joinUsers(pipe: string): number | undefined {
  try {
    return openSync(pipe, WRITE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENXIO' || code === 'ENOENT') return undefined;
    throw error;
  }
}

function membershipOf(descriptor: number): Membership {
  let open = true;
  return {
    leave() {
      if (open) closeSync(descriptor); // only once, because the number may since belong to another file
      open = false;
    },
  };
}

/** Joins as a user, and returns the read end for a new watcher. The caller closes it after the spawn. */
export function joinWithWatchersEnd(pipe: string): { membership: Membership; watchersEnd: number } {
  const peek = openSync(pipe, PEEK); // without a reader the write end does not open, without a writer the read end blocks
  const membership = openSync(pipe, WRITE);
  const watchersEnd = openSync(pipe, constants.O_RDONLY);
  closeSync(peek);
  return { membership: membershipOf(membership), watchersEnd };
}

/** Returns whether any process, including this one, is a user. */
export function hasUsers(runFolder: string): boolean {
  const pipe = usersPipe(runFolder);
  if (!existsSync(pipe)) return false;
  const peek = openSync(pipe, PEEK);
  try {
    return readSync(peek, Buffer.alloc(1)) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return true; // the pipe is empty, but a writer has it open
    throw error;
  } finally {
    closeSync(peek);
  }
}

const idleMark = (pipe: string, pid: number) => `${pipe}.idle.${pid}`;
const stoppingMark = (pipe: string, pid: number) => `${pipe}.stopping.${pid}`;

/**
 * Joins the users of a running server. Returns undefined if it is being stopped or has no watcher. The order matters: first
 * join, then revoke the watcher's intention to stop, then check whether that was too late.
 */
export function joinRunning(runFolder: string, postmasterPid: number): Membership | undefined {
  const pipe = usersPipe(runFolder);
  const membership = joinUsers(pipe);
  if (membership === undefined) return undefined;
  rmSync(idleMark(pipe, postmasterPid), { force: true });
  if (!existsSync(stoppingMark(pipe, postmasterPid))) return membershipOf(membership);
  closeSync(membership);
  return undefined;
}

/** Removes the marker files that watchers of earlier servers left. */
export function clearMarks(runFolder: string): void {
  for (const name of readdirSync(runFolder))
    if (/^users\.(idle|stopping)\./.test(name)) rmSync(path.join(runFolder, name), { force: true });
}

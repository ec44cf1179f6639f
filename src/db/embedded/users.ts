import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import path from 'node:path';
import { TaskerError } from '../../errors.ts';
import type { Membership } from './hosting/hosting.ts';
import { chownTo, type ServerUser } from './hosting/server-user.ts';

/*
 * Who uses the server is counted by the kernel: every process that uses it holds the write end of one named
 * pipe open, and a process that ends, however it ends, closes it. The watcher (see watched-server.ts) reads
 * the other end; it sees end-of-file when the last user is gone, and never before.
 */

const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
const PEEK = constants.O_RDONLY | constants.O_NONBLOCK;

/** The users' pipe of a run folder. */
export const usersPipe = (runFolder: string): string => path.join(runFolder, 'users');

/** Creates the pipe when it is missing; false when the file system cannot hold one. */
export function createUsersPipe(runFolder: string, user: ServerUser | undefined): boolean {
  const pipe = usersPipe(runFolder);
  if (existsSync(pipe)) return true;
  const made = spawnSync('mkfifo', ['-m', '600', pipe]);
  if (made.error)
    throw new TaskerError(
      'embedded_unsupported',
      'the embedded database needs the commands mkfifo and /bin/sh, which this system does not have; set DATABASE_URL',
      { cause: made.error },
    );
  if (made.status === 0) chownTo(pipe, user);
  return made.status === 0;
}

/** Counts us as a user; undefined when nobody watches the pipe. The descriptor counts until it is closed. */
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
      if (open) closeSync(descriptor); // once: the number may belong to another file by now
      open = false;
    },
  };
}

/** Counts us as a user and gives the end that a new watcher shall read; the caller closes it after the spawn. */
export function joinWithWatchersEnd(pipe: string): { membership: Membership; watchersEnd: number } {
  const peek = openSync(pipe, PEEK); // without a reader the write end does not open, without a writer the read end blocks
  const membership = openSync(pipe, WRITE);
  const watchersEnd = openSync(pipe, constants.O_RDONLY);
  closeSync(peek);
  return { membership: membershipOf(membership), watchersEnd };
}

/** Whether any process, this one included, counts as a user now. */
export function hasUsers(runFolder: string): boolean {
  const pipe = usersPipe(runFolder);
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

const idleMark = (pipe: string, pid: number) => `${pipe}.idle.${pid}`;
const stoppingMark = (pipe: string, pid: number) => `${pipe}.stopping.${pid}`;

/**
 * Joins the users of a server that runs. Undefined when it is being stopped, or nobody watches it.
 * The order matters: first be counted, then take back the watcher's intention, then look whether it was too late.
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

/** Removes what the watchers of servers that are gone left. */
export function clearMarks(runFolder: string): void {
  for (const name of readdirSync(runFolder))
    if (/^users\.(idle|stopping)\./.test(name)) rmSync(path.join(runFolder, name), { force: true });
}

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fchownSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { TaskerError } from '../../errors.ts';
import type { Binaries } from './binaries.ts';
import type { EmbeddedFolder } from './embedded-folder.ts';
import { PLAIN_ENVIRONMENT } from './plain-environment.ts';
import { type Postmaster, readPostmaster } from './postmaster.ts';
import { idleMark, joinWithWatchersEnd, stoppingMark } from './users.ts';

/*
 * One shell starts both: it leaves a watcher behind, disowned, and becomes the postmaster. The watcher waits for
 * end-of-file on the users' pipe, that is until every user is gone, and stops the server. Between the two reads
 * it says what it intends, so that whoever joins in that moment can take the intention back (joinRunning).
 * $$ is the shell's pid, hence the postmaster's. /proc guards against a pid that was used again, where it exists.
 */
const WATCH_AND_RUN = `
watch() {
  while :; do
    while read -r _; do :; done
    : > "$1.idle.$2"
    while read -r _; do :; done
    mv "$1.idle.$2" "$1.stopping.$2" && break
  done
  [ ! -e /proc/self/cwd ] || [ "/proc/$2/cwd" -ef "$3" ] || exit 0
  kill -INT "$2"
}
pipe=$1 data=$2
shift 2
( watch "$pipe" $$ "$data" <&3 >/dev/null 2>&1 & )
exec "$@" 3<&-
`;

const LOG_LIMIT_BYTES = 1024 * 1024;
const READY_POLL_MS = 5;
const READY_TIMEOUT_MS = 120_000;

/** A server that has just been started, and our membership among its users. */
export interface StartedServer {
  postmaster: Postmaster;
  membership: number;
}

/** Starts postgres with its watcher and waits until it accepts connections. Under the lock. */
export async function startWatched(folder: EmbeddedFolder, binaries: Binaries, args: string[]): Promise<StartedServer> {
  const { membership, watchersEnd } = joinWithWatchersEnd(folder.usersPipe);
  const log = openLog(folder);
  try {
    const command = [binaries.postgres, '-D', folder.data, ...args];
    const child = spawn('/bin/sh', ['-c', WATCH_AND_RUN, 'tasker-db', folder.usersPipe, folder.data, ...command], {
      ...folder.user,
      cwd: folder.data,
      env: PLAIN_ENVIRONMENT,
      stdio: ['ignore', log, log, watchersEnd],
      detached: true, // its own session: the terminal's Ctrl-C is not for it
    });
    child.unref();
    return { postmaster: await untilReady(child, folder), membership };
  } catch (error) {
    closeSync(membership);
    throw error;
  } finally {
    closeSync(watchersEnd);
    closeSync(log);
  }
}

async function untilReady(child: ChildProcess, folder: EmbeddedFolder): Promise<Postmaster> {
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  child.once('exit', (code, signal) => {
    failure ??= new Error(`it ended with ${signal ?? `code ${code}`}`);
  });
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const postmaster = readPostmaster(folder.data);
    if (postmaster?.pid === child.pid && postmaster?.status === 'ready') return postmaster;
    if (failure) throw failure;
    if (performance.now() > deadline) {
      child.kill('SIGINT');
      throw new TaskerError('embedded_failed', `not ready`);
    }
    await pause(READY_POLL_MS);
  }
}

/** Opens the log for the next server; the old one is put aside once it is long. */
function openLog({ log, user }: EmbeddedFolder): number {
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) renameSync(log, `${log}.1`);
  const descriptor = openSync(log, 'a', 0o600);
  if (user) fchownSync(descriptor, user.uid, user.gid);
  return descriptor;
}

/** Removes what the watcher of a server that is gone left. */
export function clearMarks(pipe: string, pid: number): void {
  rmSync(idleMark(pipe, pid), { force: true });
  rmSync(stoppingMark(pipe, pid), { force: true });
}

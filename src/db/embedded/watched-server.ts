import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fchownSync, fstatSync, openSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import { type EmbeddedFolder, ownName } from './embedded-folder.ts';
import type { ServerStart, StartedServer } from './hosting/hosting.ts';
import { PLAIN_ENVIRONMENT } from './hosting/server-user.ts';
import { type Postmaster, readPostmaster, removeStalePid } from './postmaster.ts';
import { serverFailure } from './server-failure.ts';
import { serverArguments } from './server-settings.ts';
import { clearMarks, joinWithWatchersEnd, usersPipe } from './users.ts';

/*
 * One shell starts both: it leaves a watcher behind, disowned, and becomes the postmaster, so that $$ is the pid
 * of both. The watcher waits for end-of-file on the users' pipe, that is until every user is gone, and stops the
 * server. Between two reads it says what it intends, so that whoever joins in that moment can take the intention
 * back (joinRunning). Where it cannot say so (the folder was deleted, the disk is full) it stops the server all the
 * same. Before it sends the signal it looks whether the pid is still this server: it may be long dead, and its
 * pid another program's.
 */
const WATCH_AND_RUN = `
watch() {
  while :; do
    while read -r _; do :; done
    true > "$1.idle.$2" || break
    while read -r _; do :; done
    mv "$1.idle.$2" "$1.stopping.$2" && break
    sleep 1
  done
  if [ -e /proc/self/cwd ]; then
    [ "/proc/$2/cwd" -ef . ] || exit 0
  else
    case $(ps -o comm= -p "$2") in *postgres*) ;; *) exit 0 ;; esac
  fi
  kill -INT "$2"
}
pipe=$1
shift
( watch "$pipe" $$ <&3 >/dev/null 2>&1 & )
exec "$@" 3<&-
`;

const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const LOG_LIMIT_BYTES = 1024 * 1024;
const POLL_MS = 5;
const READY_TIMEOUT_MS = 120_000;
const RETRY_MS = 15_000;

/** What the log says while processes of a server that was killed still hold its memory or its folder. */
const STILL_IN_USE = /still in use|lock file "postmaster\.pid" already exists/;

/**
 * Starts postgres with its watcher and waits until it accepts connections. Under the lock. Backends of a server
 * that was killed may live a moment longer; for 15 s that is waited for.
 */
export async function startWatched(
  folder: EmbeddedFolder,
  runFolder: string,
  start: ServerStart,
): Promise<StartedServer> {
  removeStalePid(folder.data);
  clearMarks(runFolder);
  const { membership, watchersEnd } = joinWithWatchersEnd(usersPipe(runFolder));
  const log = openLog(folder);
  const deadline = performance.now() + RETRY_MS;
  try {
    for (;;) {
      const logFrom = fstatSync(log).size;
      const child = spawnWatched(folder, start, { runFolder, log, watchersEnd });
      const outcome = await untilReady(child, folder);
      if (typeof outcome !== 'string') return { postmaster: outcome, membership };
      endGroup(child); // the watcher of a server that did not come up
      const failure = serverFailure(folder, outcome, logFrom);
      if (!STILL_IN_USE.test(failure.message) || performance.now() > deadline) throw failure;
      await pause(POLL_MS * 10);
    }
  } catch (error) {
    membership.leave();
    throw error;
  } finally {
    closeSync(watchersEnd);
    closeSync(log);
  }
}

function spawnWatched(
  { data, home, user }: EmbeddedFolder,
  { binaries, durable, settings }: ServerStart,
  { runFolder, log, watchersEnd }: { runFolder: string; log: number; watchersEnd: number },
): ChildProcess {
  // Seen from the data folder, where both processes work, so that nobody needs to pass through what is above it.
  const near = path.dirname(runFolder) === home ? path.relative(data, runFolder) : runFolder;
  const args = serverArguments({ socketFolder: near, durable, settings });
  const command = [binaries.postgres, '-D', ownName(data, user), ...args];
  const child = spawn('/bin/sh', ['-c', WATCH_AND_RUN, 'tasker-db', usersPipe(near), ...command], {
    ...user,
    cwd: data,
    env: PLAIN_ENVIRONMENT,
    stdio: ['ignore', log, log, watchersEnd],
    detached: true, // its own session: the terminal's Ctrl-C is not for it
  });
  child.unref();
  return child;
}

/** Gives the server once it is ready, or says why it will not be. */
async function untilReady(child: ChildProcess, { data }: EmbeddedFolder): Promise<Postmaster | string> {
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = messageOf(error);
  });
  child.once('exit', (code, signal) => {
    ended ??= `it ended with ${signal ?? `code ${code}`}`;
  });
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const postmaster = readPostmaster(data);
    if (postmaster && postmaster.pid === child.pid && postmaster.status === 'ready') return postmaster;
    if (ended) return ended;
    if (performance.now() > deadline) return `it was not ready after ${READY_TIMEOUT_MS / 1000} s`;
    await pause(POLL_MS);
  }
}

/** Opens the log for the next server; the old one is put aside once it is long. */
function openLog({ log, owner }: EmbeddedFolder): number {
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) renameSync(log, `${log}.1`);
  const descriptor = openSync(log, APPEND, 0o600);
  if (owner) fchownSync(descriptor, owner.uid, owner.gid);
  return descriptor;
}

/** Ends what is left of a start: postgres and the watcher are one process group. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error; // nothing is left (macOS says EPERM of a zombie's group)
  }
}

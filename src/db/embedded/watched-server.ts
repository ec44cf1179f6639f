import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fchownSync, fstatSync, openSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import { type EmbeddedFolder, ownName } from './embedded-folder.ts';
import type { ServerStart, StartedServer } from './hosting/hosting.ts';
import { PLAIN_ENVIRONMENT } from './hosting/server-user.ts';
import { type Postmaster, quitOrphans, readPostmaster, removeStaleLocks } from './postmaster.ts';
import { serverFailure } from './server-failure.ts';
import { serverArguments } from './server-settings.ts';
import { clearMarks, joinWithWatchersEnd, usersPipe } from './users.ts';

/*
 * One shell starts both: it forks a watcher and then becomes the postmaster, so that $$ is the pid of the postmaster.
 * The watcher waits for end-of-file on the users' pipe, that is, until every user is gone, and then stops the server.
 * Between two reads the watcher writes a mark with its intention, and a process that joins at that moment can revoke
 * the mark (joinRunning). If the watcher cannot write the mark, because the folder was deleted or the disk is full, it
 * stops the server anyway. Before it sends the signal, it checks that the pid still belongs to this server: if the
 * server has died, its pid may have been reused.
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

/** The log messages while processes of a killed server still hold its memory or its folder. */
const STILL_IN_USE = /still in use|lock file "postmaster\.pid" already exists/;

/**
 * Starts postgres with its watcher and waits until it accepts connections. Call this under the lock. Ends the
 * backends of a killed server, and waits up to 15 seconds for their exit.
 */
export async function startWatched(
  folder: EmbeddedFolder,
  runFolder: string,
  start: ServerStart,
): Promise<StartedServer> {
  removeStaleLocks(folder.data, runFolder);
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
      endGroup(child); // the watcher of the server that did not start
      const failure = serverFailure(folder, outcome, logFrom);
      if (!STILL_IN_USE.test(failure.message) || performance.now() > deadline) throw failure;
      quitOrphans(folder.data);
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
  // Relative to the data folder, the working directory of both processes, so that they need no access to the folders
  // above.
  const near = path.dirname(runFolder) === home ? path.relative(data, runFolder) : runFolder;
  const args = serverArguments({ socketFolder: near, durable, settings });
  const command = [binaries.postgres, '-D', ownName(data, user), ...args];
  const child = spawn('/bin/sh', ['-c', WATCH_AND_RUN, 'tasker-db', usersPipe(near), ...command], {
    ...user,
    cwd: data,
    env: PLAIN_ENVIRONMENT,
    stdio: ['ignore', log, log, watchersEnd],
    detached: true, // in its own session, so that it does not receive the terminal's Ctrl-C
  });
  child.unref();
  return child;
}

/** Returns the server once it is ready, or the reason why it failed. */
async function untilReady(child: ChildProcess, { data }: EmbeddedFolder): Promise<Postmaster | string> {
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = messageOf(error);
  });
  child.once('exit', (code, signal) => {
    ended ??= `it exited with ${signal ?? `code ${code}`}`;
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

/** Opens the log for the next server. Renames the old log if it is too long. */
function openLog({ log, owner }: EmbeddedFolder): number {
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) renameSync(log, `${log}.1`);
  const descriptor = openSync(log, APPEND, 0o600);
  if (owner) fchownSync(descriptor, owner.uid, owner.gid);
  return descriptor;
}

/** Ends the remaining processes of a failed startup. Postgres and its watcher are one process group. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error; // the group is gone (macOS reports EPERM for the group of a zombie)
  }
}

import { closeSync } from 'node:fs';
import { type Binaries, locateBinaries } from './binaries.ts';
import { createCluster, readPassword } from './create-cluster.ts';
import { type EmbeddedFolder, embeddedFolder, prepareFolder } from './embedded-folder.ts';
import { DATABASE, ensureDatabase } from './ensure-database.ts';
import { withFileLock } from './file-lock.ts';
import { isRunning, type Postmaster, readPostmaster, waitUntilGone } from './postmaster.ts';
import { serverArguments } from './server-settings.ts';
import { serverUrl } from './server-url.ts';
import { createUsersPipe, hasUsers, joinRunning } from './users.ts';
import { clearMarks, startWatched } from './watched-server.ts';

/** Options of {@link startEmbedded}. */
export interface EmbeddedOptions {
  /** Folder of everything embedded, for instance `<project>/.tasker`. Created when missing; the server's part is `postgres/` in it. */
  folder: string;
  /** Whether a commit survives a crash of the machine. Default true; only tests turn it off. */
  durable?: boolean;
  /** More settings of the server, by PostgreSQL's names: `{ max_connections: '400' }`. They win over ours. */
  settings?: Record<string, string>;
  /** Root of the package that holds the programs. Default: the optional dependency for this platform. */
  binaries?: string;
  /** Is told what the launcher did, a line each. */
  onLog?: (line: string) => void;
}

/** A hold on an embedded server. */
export interface EmbeddedServer {
  /** For `pg`: the database `tasker`, as superuser. Holds a password. */
  url: string;
  /** PostgreSQL's version, for instance '18.4'. */
  version: string;
  /** False when the server ran already and this process joined its users. */
  started: boolean;
  postmasterPid: number;
  logFile: string;
  /** Lets go of the server. The last user to do so stops it, and waits until it is gone. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL server of a folder, or joins the one that runs there. It runs while any process holds it,
 * and stops when the last one let go or died, even by SIGKILL.
 *
 * Throws `embedded_unsupported` (no binaries for this system), `folder_not_writable`, `embedded_failed`.
 *
 * @example
 * const server = await startEmbedded({ folder: '/srv/app/.tasker' });
 * const pool = new pg.Pool({ connectionString: server.url });
 * // …
 * await pool.end();
 * await server.stop();
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const folder = embeddedFolder(options.folder);
  prepareFolder(folder);
  const binaries = await locateBinaries({
    packageRoot: options.binaries,
    user: folder.user,
    fallbackFolder: folder.home,
  });
  return withFileLock(folder.lock, async () => {
    createUsersPipe(folder.usersPipe, folder.user);
    return (await attach(folder, binaries)) ?? (await launch(folder, binaries, options));
  });
}

async function attach(folder: EmbeddedFolder, binaries: Binaries): Promise<EmbeddedServer | undefined> {
  const postmaster = readPostmaster(folder.data);
  if (!postmaster || !isRunning(folder.data, postmaster.pid)) return undefined;
  const membership = joinRunning(folder.usersPipe, postmaster.pid);
  if (membership === undefined) {
    process.kill(postmaster.pid, 'SIGINT');
    await waitUntilGone(folder.data, postmaster.pid, 30_000);
    return undefined;
  }
  return hold(folder, binaries, { postmaster, membership, started: false });
}

async function launch(folder: EmbeddedFolder, binaries: Binaries, options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { durable = true, settings = {} } = options;
  await createCluster(folder, binaries, durable);
  const args = serverArguments({ socketFolder: folder.socketFolder, durable, settings });
  return hold(folder, binaries, { ...(await startWatched(folder, binaries, args)), started: true });
}

interface Joined {
  postmaster: Postmaster;
  membership: number;
  started: boolean;
}

async function hold(
  folder: EmbeddedFolder,
  { version }: Binaries,
  { postmaster, membership, started }: Joined,
): Promise<EmbeddedServer> {
  const { pid, socketFolder, port } = postmaster;
  const password = readPassword(folder.data);
  const urlOf = (database: string) => serverUrl({ socketFolder, port, password, database });
  await ensureDatabase(urlOf);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= letGo(folder, pid, membership);
    return stopped;
  };
  return { url: urlOf(DATABASE), version, started, postmasterPid: pid, logFile: folder.log, stop };
}

function letGo(folder: EmbeddedFolder, pid: number, membership: number): Promise<void> {
  return withFileLock(folder.lock, async () => {
    closeSync(membership);
    if (hasUsers(folder.usersPipe)) return;
    if (isRunning(folder.data, pid)) process.kill(pid, 'SIGINT');
    await waitUntilGone(folder.data, pid, 30_000);
    clearMarks(folder.usersPipe, pid);
  });
}

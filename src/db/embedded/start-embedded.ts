import { existsSync } from 'node:fs';
import path from 'node:path';
import { locateBinaries } from './binaries/binaries.ts';
import { createCluster, readPassword } from './create-cluster.ts';
import { asEmbeddedError, type EmbeddedFolder, embeddedFolder, prepareFolder } from './embedded-folder.ts';
import { DATABASE, ensureDatabase, serverUrl } from './ensure-database.ts';
import { withFileLock } from './file-lock.ts';
import { chooseHosting } from './hosting/choose-hosting.ts';
import type { Hosting, Membership, StartedServer } from './hosting/hosting.ts';
import { isGoneSoon, stopPostmaster, untilReady } from './postmaster.ts';

/** Options of {@link startEmbedded}. */
export interface EmbeddedOptions {
  /** The parent folder, for example `<project>/.tasker`. Created if missing. The server uses `postgres/` in it. */
  folder: string;
  /** Whether commits survive a crash of the machine. Default true; only tests turn it off. */
  durable?: boolean;
  /** Additional PostgreSQL settings: `{ max_connections: '400' }`. They apply if this call starts the server. */
  settings?: Record<string, string>;
  /** Root of the package with PostgreSQL's programs. Default: the optional dependency for this platform. */
  binaries?: string;
  /** Receives a line for each event of the server. */
  onLog?: (line: string) => void;
}

/** A running embedded server that this process uses. */
export interface EmbeddedServer {
  /** The URL for `pg`: the database `tasker`, as superuser. It contains the password. */
  url: string;
  /** PostgreSQL's version, for example '18.4'. */
  version: string;
  /** False if the server was already running and this process joined its users. */
  started: boolean;
  postmasterPid: number;
  logFile: string;
  /** Releases the server. The last user to do so stops it and waits until it has exited. May be called again. */
  stop(): Promise<void>;
  /**
   * Stops the server even if other processes use it. `immediate` skips the checkpoint, so that the server recovers on
   * the next startup.
   */
  shutdown(mode: 'fast' | 'immediate'): Promise<void>;
}

/**
 * Starts the PostgreSQL server of a folder, or joins the server that already runs there. The server runs while any
 * process uses it. The server stops when the last of these processes has released it or died, even by SIGKILL.
 *
 * @example
 * const server = await startEmbedded({ folder: '/srv/app/.tasker' });
 * const pool = new pg.Pool({ connectionString: server.url });
 * // …
 * await pool.end();
 * await server.stop();
 *
 * @throws TaskerError `embedded_unsupported` (no binaries for this system), `folder_not_writable`, or `embedded_failed` with
 * the last lines of the server's log
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  try {
    const folder = embeddedFolder(options.folder);
    prepareFolder(folder);
    const hosting = chooseHosting();
    return await withFileLock(
      folder.lock,
      async () => (await attach(folder, hosting, options)) ?? (await launch(folder, hosting, options)),
      { inUse: () => isRunning(folder, hosting) },
    );
  } catch (error) {
    throw asEmbeddedError(options.folder, error);
  }
}

async function isRunning(folder: EmbeddedFolder, hosting: Hosting): Promise<boolean> {
  return (await hosting.findRunning(folder)) !== undefined;
}

interface Joined extends StartedServer {
  started: boolean;
}

/** Joins the running server. Stops a server that is shutting down or has no watcher, and returns undefined. */
async function attach(
  folder: EmbeddedFolder,
  hosting: Hosting,
  options: EmbeddedOptions,
): Promise<EmbeddedServer | undefined> {
  for (;;) {
    const postmaster = await hosting.findRunning(folder);
    if (!postmaster) return undefined;
    const membership = hosting.join(folder, postmaster.pid);
    if (!membership) {
      await stopPostmaster(folder.data, postmaster.pid);
      continue;
    }
    try {
      if (await untilReady(folder, postmaster.pid))
        return await hold(folder, hosting, { postmaster, membership, started: false }, options);
      await stopPostmaster(folder.data, postmaster.pid);
    } catch (error) {
      // A server that has just been killed may still look alive. The next iteration finds that it has exited.
      if (!(await isGoneSoon(folder.data, postmaster.pid))) throw error;
    }
    membership.leave();
  }
}

async function launch(folder: EmbeddedFolder, hosting: Hosting, options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { durable = true, settings = {}, onLog } = options;
  const { user, owner, home } = folder;
  const binaries = locateBinaries({ packageRoot: options.binaries, user, owner, fallbackFolder: home });
  if (await createCluster(folder, binaries, durable)) onLog?.(`created a database with PostgreSQL ${binaries.version}`);
  const server = await hosting.start(folder, { binaries, durable, settings });
  return hold(folder, hosting, { ...server, started: true }, options);
}

async function hold(
  folder: EmbeddedFolder,
  hosting: Hosting,
  { postmaster, membership, started }: Joined,
  { onLog }: EmbeddedOptions,
): Promise<EmbeddedServer> {
  const { pid, port } = postmaster;
  try {
    const address = { socketFolder: hosting.socketFolder(folder), port, password: readPassword(folder.data) };
    const urlOf = (database: string) => serverUrl({ ...address, database });
    const version = await ensureDatabase(urlOf);
    onLog?.(`${started ? 'started' : 'joined'} PostgreSQL ${version} in ${folder.home}, process ${pid}`);

    let left: Promise<void> | undefined;
    const stop = () => (left ??= leave(folder, hosting, membership));
    const shutdown = async (mode: 'fast' | 'immediate') => {
      await stopEmbedded(path.dirname(folder.home), mode);
    };
    return { url: urlOf(DATABASE), version, started, postmasterPid: pid, logFile: folder.log, stop, shutdown };
  } catch (error) {
    membership.leave(); // the watcher stops the server if no other process uses it
    throw error;
  }
}

/**
 * Leaves the users, and stops the server if this process was the last one. The lock keeps other processes from joining
 * in between.
 */
async function leave(folder: EmbeddedFolder, hosting: Hosting, membership: Membership): Promise<void> {
  if (!existsSync(folder.data)) return membership.leave(); // the folder was deleted; the watcher stops the server
  try {
    const work = async () => {
      membership.leave();
      // The server that was joined may have been killed, and another user may have started a new one.
      const running = await hosting.findRunning(folder);
      if (running && !hosting.hasUsers(folder)) await stopPostmaster(folder.data, running.pid);
    };
    await withFileLock(folder.lock, work, { inUse: () => isRunning(folder, hosting) });
  } catch (error) {
    membership.leave();
    throw asEmbeddedError(path.dirname(folder.home), error);
  }
}

/**
 * Stops the embedded server of a folder, even if processes use it, and waits until it has exited. Returns false if none
 * was running. `immediate` skips the last checkpoint, so that the server recovers on the next startup.
 */
export async function stopEmbedded(folder: string, mode: 'fast' | 'immediate' = 'fast'): Promise<boolean> {
  try {
    const place = embeddedFolder(folder);
    if (!existsSync(place.data)) return false;
    const findRunning = () => chooseHosting().findRunning(place);
    const work = async () => {
      const running = await findRunning();
      if (running) await stopPostmaster(place.data, running.pid, mode);
      return running !== undefined;
    };
    return await withFileLock(place.lock, work, { inUse: async () => (await findRunning()) !== undefined });
  } catch (error) {
    throw asEmbeddedError(folder, error);
  }
}

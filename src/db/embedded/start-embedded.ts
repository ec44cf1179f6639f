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
  /** Folder of everything embedded, for instance `<project>/.tasker`. Created when missing; ours is `postgres/` in it. */
  folder: string;
  /** Whether a commit survives a crash of the machine. Default true; only tests turn it off. */
  durable?: boolean;
  /** More settings of the server, by PostgreSQL's names: `{ max_connections: '400' }`. They hold when it is started. */
  settings?: Record<string, string>;
  /** Root of the package that holds the programs. Default: the optional dependency for this platform. */
  binaries?: string;
  /** Is told what happens to the server, a line each. */
  onLog?: (line: string) => void;
}

/** A hold on an embedded server. */
export interface EmbeddedServer {
  /** For `pg`: the database `tasker`, as superuser. It holds a password. */
  url: string;
  /** PostgreSQL's version, for instance '18.4'. */
  version: string;
  /** False when the server ran already and this process joined its users. */
  started: boolean;
  postmasterPid: number;
  logFile: string;
  /** Lets go of the server. The last user to do so stops it, and waits until it is gone. May be called again. */
  stop(): Promise<void>;
  /** Stops the server whoever uses it. `immediate` skips the checkpoint: the next start recovers. */
  shutdown(mode: 'fast' | 'immediate'): Promise<void>;
}

/**
 * Starts the PostgreSQL server of a folder, or joins the one that runs there. It runs while any process holds it,
 * and stops when the last one let go or died, even by SIGKILL.
 *
 * Throws `embedded_unsupported` (no binaries for this system), `folder_not_writable`, or `embedded_failed` with
 * the last lines of the server's log.
 *
 * @example
 * const server = await startEmbedded({ folder: '/srv/app/.tasker' });
 * const pool = new pg.Pool({ connectionString: server.url });
 * // …
 * await pool.end();
 * await server.stop();
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

/** Joins the server that runs. One that is going, or that nobody watches over, is stopped first. */
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
      // A server that was killed this very moment may still look alive; the next turn sees that it is gone.
      if (!(await isGoneSoon(folder.data, postmaster.pid))) throw error;
    }
    membership.leave();
  }
}

async function launch(folder: EmbeddedFolder, hosting: Hosting, options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { durable = true, settings = {}, onLog } = options;
  const { user, owner, home } = folder;
  const binaries = locateBinaries({ packageRoot: options.binaries, user, owner, fallbackFolder: home });
  if (await createCluster(folder, binaries, durable)) onLog?.(`made a database with PostgreSQL ${binaries.version}`);
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
    membership.leave(); // the watcher stops the server when nobody else uses it
    throw error;
  }
}

/** Under the lock nobody joins between our leaving and the look at who is left. */
async function leave(folder: EmbeddedFolder, hosting: Hosting, membership: Membership): Promise<void> {
  if (!existsSync(folder.data)) return membership.leave(); // deleted under the server; its watcher stops it
  try {
    const work = async () => {
      membership.leave();
      // Not necessarily the server that we started with: that one may have been killed, and another user started the next.
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
 * Stops the embedded server of a folder, whoever uses it, and waits until it is gone; false when none ran.
 * `immediate` skips the last checkpoint, so that the next start recovers.
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

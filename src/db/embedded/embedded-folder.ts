import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';
import { chooseServerUser, chownTo, otherOwner, type ServerUser } from './hosting/server-user.ts';

/**
 * Where the parts of one embedded server are. Started by root, `home` stays root's, so that the server's user cannot
 * put a link where root writes; only `data` and `run` in it are that user's.
 */
export interface EmbeddedFolder {
  /** `<folder>/postgres`. */
  home: string;
  data: string;
  /** PostgreSQL's log; the one before it is beside it, with `.1` at the end. */
  log: string;
  lock: string;
  /** Who runs the server and owns its data, when it is not us. */
  user: ServerUser | undefined;
  /** Who owns `home`, when it is not us (root in somebody's project); what we make there is theirs. */
  owner: ServerUser | undefined;
}

/** The paths, without touching anything. */
export function embeddedFolder(folder: string): EmbeddedFolder {
  const home = path.join(path.resolve(folder), 'postgres');
  const data = path.join(home, 'data');
  return {
    home,
    data,
    log: path.join(home, 'server.log'),
    lock: path.join(home, 'lock'),
    user: chooseServerUser({ home, data }),
    owner: otherOwner(home),
  };
}

/** Makes the folder, owned by the server's user. Throws `folder_not_writable`. */
export function prepareFolder({ home, data, user }: EmbeddedFolder): void {
  const parent = path.dirname(home);
  try {
    if (!existsSync(parent)) {
      mkdirSync(parent, { recursive: true });
      if (user) chmodSync(parent, 0o755); // whatever the umask: the server's user passes through
    }
    if (!existsSync(home)) mkdirSync(home, { mode: 0o700, recursive: true });
    if (user && statSync(home).uid === 0) chmodSync(home, 0o711);
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(data)) accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const owner = statSync(home, { throwIfNoEntry: false })?.uid;
    const whose =
      owner !== undefined && owner !== process.getuid?.() ? ` (it belongs to the user with id ${owner})` : '';
    throw folderNotWritable(parent, `${messageOf(cause)}${whose}`, cause);
  }
  if (process.platform !== 'linux' && !canReach(home, user))
    throw folderNotWritable(
      parent,
      `PostgreSQL, which cannot run as root, runs as user ${user?.uid}, who cannot reach it`,
    );
}

/** Makes a folder that only the server's user (and root) may enter. */
export function makePrivate(folder: string, user: ServerUser | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user && statSync(folder).uid !== user.uid) chownTo(folder, user);
}

/**
 * How the server's user names the folder that it is started in. Root's projects often lie where that user may not
 * pass through (/root); on Linux the working directory can be named without passing through anything.
 */
export function ownName(folder: string, user: ServerUser | undefined): string {
  return canReach(folder, user) ? folder : '/proc/self/cwd';
}

function canReach(folder: string, user: ServerUser | undefined): boolean {
  return !user || spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { ...user, cwd: '/' }).status === 0;
}

const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR']);

/** Turns whatever went wrong in a folder into one error that names it and the way out. */
export function asEmbeddedError(folder: string, error: unknown): TaskerError {
  if (error instanceof TaskerError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (NOT_WRITABLE.has(code)) return folderNotWritable(folder, messageOf(error), error);
  return new TaskerError('embedded_failed', `the embedded database in ${folder}: ${messageOf(error)}`, {
    cause: error,
    details: { folder },
  });
}

/** The error for a folder that we, or the server's user, cannot use. */
export function folderNotWritable(folder: string, why: string, cause?: unknown): TaskerError {
  return new TaskerError(
    'folder_not_writable',
    `the embedded database cannot use the folder ${folder}: ${why}; ` +
      'make room or give the right to write there, name another folder, or set DATABASE_URL',
    { cause, details: { folder } },
  );
}

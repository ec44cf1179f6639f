import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';
import { chooseServerUser, chownTo, otherOwner, type ServerUser } from './hosting/server-user.ts';

/**
 * The paths of an embedded server. If root starts it, root keeps `home`, so that the server's user cannot create links where
 * root writes. Only `data` and `run` in it belong to that user.
 */
export interface EmbeddedFolder {
  /** `<folder>/postgres`. */
  home: string;
  data: string;
  /** PostgreSQL's log. The previous one is next to it, with the suffix `.1`. */
  log: string;
  lock: string;
  /** The user who runs the server and owns its data, if not the current user. */
  user: ServerUser | undefined;
  /** The owner of `home`, if not the current user (root in a user's project). Files created there belong to them. */
  owner: ServerUser | undefined;
}

/** Returns the paths. Creates and changes nothing. */
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

/** Creates the folder, accessible to the server's user. @throws TaskerError `folder_not_writable` */
export function prepareFolder({ home, data, user }: EmbeddedFolder): void {
  const parent = path.dirname(home);
  try {
    if (!existsSync(parent)) {
      mkdirSync(parent, { recursive: true });
      if (user) chmodSync(parent, 0o755); // regardless of the umask, because the server's user must pass through
    }
    if (!existsSync(home)) mkdirSync(home, { mode: 0o700, recursive: true });
    if (user && statSync(home).uid === 0) chmodSync(home, 0o711);
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(data)) accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const owner = statSync(home, { throwIfNoEntry: false })?.uid;
    const whose = owner !== undefined && owner !== process.getuid?.() ? ` (owned by the user with id ${owner})` : '';
    throw folderNotWritable(parent, `${messageOf(cause)}${whose}`, cause);
  }
  if (process.platform !== 'linux' && !canReach(home, user))
    throw folderNotWritable(
      parent,
      `PostgreSQL cannot run as root, and the user it runs as (id ${user?.uid}) cannot access the folder`,
    );
}

/** Creates a folder that only the server's user and root can access. */
export function makePrivate(folder: string, user: ServerUser | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user && statSync(folder).uid !== user.uid) chownTo(folder, user);
}

/**
 * Returns a path by which the server's user can access its working directory. Projects of root are often in folders that
 * this user may not enter, such as /root. On Linux, /proc/self/cwd leads there without entering them.
 */
export function ownName(folder: string, user: ServerUser | undefined): string {
  return canReach(folder, user) ? folder : '/proc/self/cwd';
}

function canReach(folder: string, user: ServerUser | undefined): boolean {
  return !user || spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { ...user, cwd: '/' }).status === 0;
}

const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR']);

/** Converts any error in a folder to an error that names the folder, with advice. */
export function asEmbeddedError(folder: string, error: unknown): TaskerError {
  if (error instanceof TaskerError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (NOT_WRITABLE.has(code)) return folderNotWritable(folder, messageOf(error), error);
  return new TaskerError('embedded_failed', `embedded database in ${folder}: ${messageOf(error)}`, {
    cause: error,
    details: { folder },
  });
}

/** Returns the error for a folder that the current user, or the server's user, cannot use. */
export function folderNotWritable(folder: string, why: string, cause?: unknown): TaskerError {
  return new TaskerError(
    'folder_not_writable',
    `the embedded database cannot use the folder ${folder}: ${why}; ` +
      'free disk space or grant write permission, choose another folder, or set DATABASE_URL',
    { cause, details: { folder } },
  );
}

import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';
import { chooseServerUser, type ServerUser } from './server-user.ts';

/** Where the parts of one embedded server are, all in one folder that its user owns and nobody else may enter. */
export interface EmbeddedFolder {
  /** `<folder>/postgres`. */
  home: string;
  data: string;
  /** PostgreSQL's log; the one before it is beside it, with `.1` at the end. */
  log: string;
  lock: string;
  /** The pipe that counts the users. */
  usersPipe: string;
  /** Where the socket is, unless this path is too long for one. */
  socketFolder: string;
  /** Who owns all this, when it is not us. */
  user: ServerUser | undefined;
}

/** The paths, without touching anything. */
export function embeddedFolder(folder: string): EmbeddedFolder {
  const home = path.join(path.resolve(folder), 'postgres');
  return {
    home,
    data: path.join(home, 'data'),
    log: path.join(home, 'server.log'),
    lock: path.join(home, 'lock'),
    usersPipe: path.join(home, 'users'),
    socketFolder: path.join(home, 'socket'),
    user: chooseServerUser(home),
  };
}

/** Makes the folder, owned by the server's user. Throws `folder_not_writable`. */
export function prepareFolder(folder: EmbeddedFolder): void {
  const parent = path.dirname(folder.home);
  try {
    if (!existsSync(parent)) {
      mkdirSync(parent, { recursive: true });
      if (folder.user) chmodSync(parent, 0o755); // whatever the umask: the server's user passes through
    }
    makePrivate(folder.home, folder.user);
    makePrivate(folder.socketFolder, folder.user);
  } catch (cause) {
    throw new TaskerError(
      'folder_not_writable',
      `the embedded database cannot use the folder ${parent}: ${messageOf(cause)}; ` +
        'give this user the right to write there, name another folder, or set DATABASE_URL',
      { cause, details: { folder: parent } },
    );
  }
}

/** Makes a folder that only the server's user (and root) may enter. */
export function makePrivate(folder: string, user: ServerUser | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user && statSync(folder).uid !== user.uid) chownSync(folder, user.uid, user.gid);
}

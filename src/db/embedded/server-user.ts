import { chownSync, readFileSync, statSync } from 'node:fs';
import { TaskerError } from '../../errors.ts';

/** The operating system's user that runs PostgreSQL; undefined means whoever we are. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/**
 * Whom PostgreSQL must run as, since it refuses root: undefined unless we are root; then the owner of the
 * data when there is one, else the user `postgres`, else `nobody`.
 */
export function chooseServerUser(home: string): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(home, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const passwd = readFileSync('/etc/passwd', 'utf8');
  const user = findUser(passwd, 'postgres') ?? findUser(passwd, 'nobody');
  if (user) return user;
  throw new TaskerError(
    'embedded_unsupported',
    'PostgreSQL refuses to run as root, and this system has neither a user postgres nor nobody to run it as; ' +
      'run as another user, or set DATABASE_URL',
  );
}

/** Finds a user in the text of /etc/passwd. */
export function findUser(passwd: string, name: string): ServerUser | undefined {
  const line = passwd.split('\n').find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  // macOS writes nobody as -2; the system calls want it unsigned.
  return uid && gid && uid !== '0' ? { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 } : undefined;
}

/** Gives a file to the server's user, when that is not us. */
export function chownTo(file: string, user: ServerUser | undefined): void {
  if (user) chownSync(file, user.uid, user.gid);
}

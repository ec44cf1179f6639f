import { lchownSync, readFileSync, statSync } from 'node:fs';
import { TaskerError } from '../../../errors.ts';

/** The operating system user that runs PostgreSQL. Undefined means the current user. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/**
 * Returns the owner of a file if this process runs as root and the owner is another user. Undefined if the file does
 * not exist.
 */
export function otherOwner(file: string): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(file, { throwIfNoEntry: false });
  return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : undefined;
}

/**
 * Returns the user that PostgreSQL must run as, because it refuses to run as root. Undefined unless this process is
 * root. For root, this is the owner of the data or of its folder, if not root. Otherwise it is the user `postgres`, or
 * `nobody`.
 */
export function chooseServerUser({ home, data }: { home: string; data: string }): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = otherOwner(data) ?? otherOwner(home);
  if (owner) return owner;
  const passwd = readFileSync('/etc/passwd', 'utf8');
  const user = findUser(passwd, 'postgres') ?? findUser(passwd, 'nobody');
  if (user) return user;
  throw new TaskerError(
    'embedded_unsupported',
    'PostgreSQL refuses to run as root, and this system has no user `postgres` or `nobody` to run it as; ' +
      'run as another user, or set DATABASE_URL',
  );
}

/** Finds a user in the contents of /etc/passwd. */
export function findUser(passwd: string, name: string): ServerUser | undefined {
  const line = passwd.split('\n').find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  // On macOS, the id of the user `nobody` is -2, but the system calls need it unsigned.
  return uid && gid && uid !== '0' ? { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 } : undefined;
}

/**
 * Changes the owner of a file, if a user is given. Changes links themselves, because root must not follow links of
 * other users.
 */
export function chownTo(file: string, user: ServerUser | undefined): void {
  if (user) lchownSync(file, user.uid, user.gid);
}

/**
 * The environment of PostgreSQL's programs, without the caller's PG… variables, locale and time zone. On Windows, programs
 * need system variables, so they inherit the whole environment.
 */
export const PLAIN_ENVIRONMENT =
  process.platform === 'win32' ? undefined : { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

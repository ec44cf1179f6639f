import { lchownSync, readFileSync, statSync } from 'node:fs';
import { TaskerError } from '../../../errors.ts';

/** The operating system's user that runs PostgreSQL; undefined means whoever we are. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/** The owner of a file when we are root and the owner is not; undefined when there is no such file, too. */
export function otherOwner(file: string): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(file, { throwIfNoEntry: false });
  return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : undefined;
}

/**
 * Whom PostgreSQL must run as, since it refuses root: undefined unless we are root; then the owner of the
 * data, or of the folder around it, when that is not root, else the user `postgres`, else `nobody`.
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

/** Gives a file to a user, when that is not us. A link itself, never what it leads to: root does not follow others' links. */
export function chownTo(file: string, user: ServerUser | undefined): void {
  if (user) lchownSync(file, user.uid, user.gid);
}

/**
 * What PostgreSQL's programs get as their environment: none of the caller's PG… variables, locale or time zone.
 * Windows' programs need variables of the system; there they get all.
 */
export const PLAIN_ENVIRONMENT =
  process.platform === 'win32' ? undefined : { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

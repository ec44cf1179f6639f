import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { messageOf, TaskerError } from '../../../errors.ts';
import { chownTo, type ServerUser } from '../hosting/server-user.ts';
import { type BinariesPackage, readLinks } from './binaries-package.ts';

/** Where to copy to when there is no cache. */
export interface CopyRequest {
  /** Whose the copy in `fallbackFolder` shall be, when not ours. */
  owner: ServerUser | undefined;
  fallbackFolder: string;
}

/**
 * Copies a package's programs to where the server's user can run them, once a release, and returns the folder
 * that holds `bin`. It appears under its name only when it is whole, so processes that copy at once do not meet.
 */
export function copyBinaries(from: BinariesPackage, { owner, fallbackFolder }: CopyRequest): string {
  const name = `postgres-${from.release}-${process.platform}-${process.arch}`;
  const cache = usableCache();
  const target = path.join(cache ?? fallbackFolder, name);
  if (existsSync(target)) return target;

  const partial = `${target}.new-${randomUUID()}`;
  try {
    copyWhole(from, partial, cache ? undefined : owner);
    renameSync(path.join(partial, 'native'), target);
  } catch (cause) {
    if (existsSync(target)) return target; // another process was first
    throw new TaskerError(
      'embedded_failed',
      `the PostgreSQL programs could not be copied from ${from.root} to ${target}: ${messageOf(cause)}; ` +
        'make room or give the right to write there, or set DATABASE_URL',
      { cause },
    );
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}

/**
 * The folder for copies that several projects share. What lies there is run, so it must be ours and nobody else
 * may have put something in: for root it is a folder that only root can make, else one in the user's home.
 */
function usableCache(): string | undefined {
  const root = process.getuid?.() === 0;
  const folder = root ? '/var/cache/tasker-core' : path.join(homedir(), '.cache', 'tasker-core');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const { uid, mode } = lstatSync(folder);
    const ours = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    if (root && ours) chmodSync(folder, 0o755);
    return ours ? folder : undefined;
  } catch {
    return undefined; // no home, or a read-only system: the project's own folder takes the copy
  }
}

function copyWhole({ root }: BinariesPackage, partial: string, owner: ServerUser | undefined): void {
  mkdirSync(partial, { mode: 0o755 });
  cpSync(path.join(root, 'native'), path.join(partial, 'native'), {
    recursive: true,
    filter: (file) => !file.endsWith('.a') && !lstatSync(file).isSymbolicLink(),
  });
  for (const { source, target } of readLinks(root)) {
    if (source.endsWith('.a')) continue;
    symlinkSync(path.relative(path.dirname(target), source), path.join(partial, target));
  }
  openToAll(partial, owner);
}

/** Everybody may read; programs and libraries may be run. Whatever the umask and the package's own modes are. */
function openToAll(file: string, owner: ServerUser | undefined): void {
  const stat = lstatSync(file);
  if (stat.isSymbolicLink()) return;
  const program = stat.isDirectory() || path.basename(path.dirname(file)) === 'bin';
  chmodSync(file, program ? 0o755 : 0o644);
  chownTo(file, owner);
  if (stat.isDirectory()) for (const name of readdirSync(file)) openToAll(path.join(file, name), owner);
}

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

/** Where to put the copy if there is no cache folder. */
export interface CopyRequest {
  /** The owner of a copy in `fallbackFolder`, if not the current user. */
  owner: ServerUser | undefined;
  fallbackFolder: string;
}

/**
 * Copies the programs of a package, once per release, to a place where the server's user can run them. Returns the folder
 * that contains `bin`. The copy is renamed to its final name when complete, so concurrent copies do not conflict.
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
    if (existsSync(target)) return target; // another process has finished its copy
    throw new TaskerError(
      'embedded_failed',
      `cannot copy the PostgreSQL programs from ${from.root} to ${target}: ${messageOf(cause)}; ` +
        'free disk space or grant write permission, or set DATABASE_URL',
      { cause },
    );
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}

/**
 * Returns the cache folder that projects share. Programs in it are run, so it must belong to the current user, and no
 * other user may write to it. For root, the cache is a folder that only root can create. For other users, the cache is
 * in their home.
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
    return undefined; // no home, or a read-only file system: the copy goes to the project's folder
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

/** Lets all users read the files and run the programs, regardless of the umask and the modes in the package. */
function openToAll(file: string, owner: ServerUser | undefined): void {
  const stat = lstatSync(file);
  if (stat.isSymbolicLink()) return;
  const program = stat.isDirectory() || path.basename(path.dirname(file)) === 'bin';
  chmodSync(file, program ? 0o755 : 0o644);
  chownTo(file, owner);
  if (stat.isDirectory()) for (const name of readdirSync(file)) openToAll(path.join(file, name), owner);
}

import { createHash, randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { messageOf, TaskerError } from '../errors.ts';

const WEEK = 7 * 24 * 60 * 60 * 1000;

/** The folder for the bundles of a handlers folder; see {@link cacheFolder}. */
export function bundleCache(root: string): string {
  return cacheFolder(root, '');
}

/**
 * Returns a cache folder for `root`, one for each `purpose`. The folder is in `.cache/tasker` of the nearest
 * `node_modules`. If that folder is not writable, the cache is in a private folder of this user below the system's
 * temporary folder. Throws `folder_not_writable` if neither folder can be written.
 */
export function cacheFolder(root: string, purpose: string): string {
  const key = createHash('sha256')
    .update(purpose === '' ? root : `${purpose} ${root}`)
    .digest('hex')
    .slice(0, 16);
  const modules = nearestModules(root);
  if (modules) {
    const folder = path.join(modules, '.cache', 'tasker', key);
    if (canWrite(folder)) return folder;
  }
  const folder = path.join(privateFolder(), key);
  if (canWrite(folder)) return folder;
  throw new TaskerError(
    'folder_not_writable',
    `cannot write the cache of ${root}: neither node_modules/.cache nor ${folder} is writable; grant write permission to one of them`,
  );
}

/** Writes a file unless it exists. Safe when another process writes the same file at the same time. */
export function writeOnce(file: string, contents: Uint8Array): void {
  if (statSync(file, { throwIfNoEntry: false })) return;
  const part = `${file}.${randomUUID()}`;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(part, contents);
  renameSync(part, file);
}

/** Removes bundles that are not in `keep` and are more than a week old. */
export function removeStale(cache: string, keep: ReadonlySet<string>): void {
  for (const name of readdirSync(cache, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(cache, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isFile() && !keep.has(file) && Date.now() - stat.mtimeMs > WEEK) rmSync(file, { force: true });
  }
}

function nearestModules(from: string): string | null {
  const modules = path.join(from, 'node_modules');
  if (statSync(modules, { throwIfNoEntry: false })?.isDirectory()) return modules;
  const parent = path.dirname(from);
  return parent === from ? null : nearestModules(parent);
}

function canWrite(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    const probe = path.join(folder, `.probe-${randomUUID()}`);
    writeFileSync(probe, '');
    rmSync(probe);
    return true;
  } catch {
    return false; // the caller tries another folder, or reports the error
  }
}

/** Code is executed from this folder, so no other user may be able to write to it. */
function privateFolder(): string {
  const user = process.getuid?.() ?? os.userInfo().username;
  const folder = path.join(os.tmpdir(), `tasker-${user}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stat = lstatSync(folder);
    const ours = stat.isDirectory() && (process.getuid === undefined || stat.uid === process.getuid());
    if (ours && (process.platform === 'win32' || (stat.mode & 0o077) === 0)) return folder;
    return mkdtempSync(path.join(os.tmpdir(), 'tasker-'));
  } catch (cause) {
    throw new TaskerError('folder_not_writable', `cannot create ${folder}: ${messageOf(cause)}`, { cause });
  }
}

import { createHash, randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { messageOf, TaskerError } from '../errors.ts';

const WEEK = 7 * 24 * 60 * 60 * 1000;

/** Where the bundles of a folder are kept; see {@link cacheFolder}. */
export function bundleCache(root: string): string {
  return cacheFolder(root, '');
}

/**
 * A place for what can be made again and belongs to a folder, a place for each `purpose`: in `node_modules/.cache/tasker`
 * of the nearest node_modules, or, when that can't be written, in a private folder of this user under the system's
 * temporary one.
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
    `cannot write what is kept for ${root}: neither in node_modules/.cache nor in ${folder}`,
  );
}

/** Writes a file unless it is there already; another process may do the same at the same moment. */
export function writeOnce(file: string, contents: Uint8Array): void {
  if (statSync(file, { throwIfNoEntry: false })) return;
  const part = `${file}.${randomUUID()}`;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(part, contents);
  renameSync(part, file);
}

/** Removes bundles that are not among `keep` and were written over a week ago: those of code long since changed. */
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
    return false; // the caller has another place, or says so
  }
}

/** Code is run from here: nobody else may be able to put a file in it. */
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
    throw new TaskerError('folder_not_writable', `cannot make ${folder}: ${messageOf(cause)}`, { cause });
  }
}

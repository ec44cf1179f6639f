import { existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { mayHoldHandlers } from './handler-files.ts';
import { packageEntry } from './import-handlers.ts';
import { ResolutionError } from './resolution-errors.ts';

// The files that a template may name as a handler. A template may come from a caller without access to this machine, so
// every file is compared by its real path with the folder that it must be in.

const ENDINGS = ['', '.ts', '.mts', '.js', '.mjs', '/index.ts', '/index.mts', '/index.js', '/index.mjs'];
/** Characters with a meaning in URLs, Windows paths and patterns, and control characters. */
const ODD = /[\\%?#:*\p{Cc}]/u;

/**
 * Checks the parts of a callable before it is used as a path.
 * @throws ResolutionError `handler_invalid` if it contains `..`, has an empty part, or has a character that some
 * systems interpret differently
 */
export function checkCallable(callable: string): void {
  const parts = callable.split('/');
  const [odd] = ODD.exec(callable) ?? [];
  const why = parts.includes('..')
    ? 'contains ..'
    : parts.includes('')
      ? 'has an empty part'
      : odd && `has the character ${JSON.stringify(odd)}`;
  if (!why) return;
  throw new ResolutionError(
    `callable ${JSON.stringify(callable)} ${why} and is not loaded; name a file below the handlers folder (./billing/charge) or an installed package with a scope (@shop/charge)`,
  );
}

/**
 * Returns the file of the handlers folder for a callable such as `./billing/charge`. Null if it does not exist, or if
 * discovery would skip it.
 * @throws ResolutionError `handler_invalid` if it is a link to a file outside the folder
 */
export function fileInFolder(base: string, callable: string): string | null {
  const wanted = path.resolve(base, callable);
  if (!mayHoldHandlers(path.relative(base, wanted))) return null;
  for (const file of ENDINGS.map((ending) => wanted + ending)) {
    if (!/\.(ts|mts|js|mjs)$/.test(file) || !isFile(file)) continue;
    if (isBelow(realpathSync(base), realpathSync(file))) return file;
    throw outside(callable, base);
  }
  return null;
}

/**
 * Returns the file that `import 'callable'` would load from an installed package with a scope. Null if the package is
 * not installed, or has no such file with code.
 * @throws ResolutionError `handler_invalid` if the file is outside its package
 */
export async function fileInPackage(base: string, callable: string): Promise<string | null> {
  const folders = packageFolders(base, callable.split('/').slice(0, 2).join('/'));
  // Without this check, a resolver would look for the rest of the path below `node_modules`.
  if (folders.length === 0) return null;
  const entry = await packageEntry(base, callable);
  if (entry === null || !/\.[cm]?[jt]s$/.test(entry)) return null;
  const file = realpathSync(entry);
  if (folders.some((folder) => isBelow(realpathSync(folder), file))) return file;
  throw outside(callable, folders[0]!);
}

/** The folders in which Node would look for the files of a package, nearest first. */
function packageFolders(base: string, name: string): string[] {
  const found: string[] = [];
  for (let folder = base, above = ''; folder !== above; above = folder, folder = path.dirname(folder)) {
    const wanted = path.join(folder, 'node_modules', name);
    if (existsSync(wanted)) found.push(wanted);
  }
  return found;
}

/** Returns whether a file is in a folder and does not belong to a package within it. Both are real paths. */
function isBelow(folder: string, file: string): boolean {
  const parts = path.relative(folder, file).split(path.sep);
  return parts[0] !== '..' && !path.isAbsolute(parts.join(path.sep)) && !parts.includes('node_modules');
}

/** If a parent of the path is a file, `statSync` throws even with `throwIfNoEntry: false`. */
function isFile(file: string): boolean {
  return existsSync(file) && statSync(file).isFile();
}

function outside(callable: string, folder: string): ResolutionError {
  return new ResolutionError(
    `callable ${callable} is outside ${folder}, and a template can only name files in that folder; move the handler there, or register it by name`,
  );
}

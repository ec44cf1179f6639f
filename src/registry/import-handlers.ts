import { statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '../errors.ts';
import { bundleHandlers } from './bundle-handlers.ts';
import { noteOrigins } from './handler-origin.ts';
import { packageEntry } from './package-entry.ts';
import { ResolutionError } from './resolution-errors.ts';

/** What a module exports, by name. */
export type Module = Record<string, unknown>;

/** Imports what was made of a file. Throws `handler_invalid`, naming the file, when that throws. */
export function importBundle(file: string, bundle: string): Promise<Module> {
  const url = pathToFileURL(bundle);
  // A file that was not bundled keeps its name when it changes.
  if (bundle === file) url.searchParams.set('changed', String(statSync(file, { throwIfNoEntry: false })?.mtimeMs));
  return imported(url.href, file, `handlers file ${file}: importing it`);
}

async function imported(url: string, file: string, what: string): Promise<Module> {
  try {
    const module = (await import(url)) as Module;
    noteOrigins(module, url);
    return module;
  } catch (cause) {
    throw new ResolutionError(`${what} throws: ${messageOf(cause)}`, { cause, details: { file } });
  }
}

/** Imports one file, TypeScript or JavaScript; a changed one anew. */
export async function importFile(root: string, file: string): Promise<Module> {
  process.setSourceMapsEnabled(true);
  const bundles = await bundleHandlers({ root, files: [file] }, { tidy: false });
  return importBundle(file, bundles.get(file)!);
}

/** Imports a package, or a part of one, as a file in `root` would; null when none of that name is installed there. */
export async function importPackage(root: string, specifier: string): Promise<Module | null> {
  const entry = await packageEntry(root, specifier);
  if (entry === null) return null;
  // TypeScript of a workspace's package is not for Node to load.
  if (/\.m?ts$/.test(entry)) return importFile(path.dirname(entry), entry);
  return imported(pathToFileURL(entry).href, entry, `handlers package ${specifier}: importing ${entry}`);
}

import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import { messageOf } from '../errors.ts';
import { bundleHandlers } from './bundle-handlers.ts';
import { noteOrigins } from './handler-origin.ts';
import { ResolutionError } from './resolution-errors.ts';
import { AS_NODE_LOADS, withEsbuild } from './with-esbuild.ts';

/** The exports of a module by name. */
export type Module = Record<string, unknown>;

/** Imports the bundle of a file. Throws `handler_invalid` with the name of the file if the import throws. */
export function importBundle(file: string, bundle: string): Promise<Module> {
  const url = pathToFileURL(bundle);
  // A file that was not bundled keeps its name when its contents change. The modification time makes Node import it
  // again.
  if (bundle === file) url.searchParams.set('changed', String(statSync(file, { throwIfNoEntry: false })?.mtimeMs));
  return imported(url.href, file, `handlers file ${file}`);
}

async function imported(url: string, file: string, what: string): Promise<Module> {
  try {
    const module = (await import(url)) as Module;
    noteOrigins(module, url);
    return module;
  } catch (cause) {
    throw new ResolutionError(`${what} could not be imported: ${messageOf(cause)}`, { cause, details: { file } });
  }
}

/** Imports a TypeScript or JavaScript file. Imports it again if it has changed. */
export async function importFile(root: string, file: string): Promise<Module> {
  process.setSourceMapsEnabled(true);
  const bundles = await bundleHandlers({ root, files: [file] }, { tidy: false });
  return importBundle(file, bundles.get(file)!);
}

/** Imports a package, or a part of one, as a file in `root` would. Null if it is not installed. */
export async function importPackage(root: string, specifier: string): Promise<Module | null> {
  const entry = await packageEntry(root, specifier);
  return entry === null ? null : importPackageFile(specifier, entry);
}

/** Imports the file that {@link packageEntry} found for a package. */
export async function importPackageFile(specifier: string, file: string): Promise<Module> {
  // Node cannot load TypeScript from a workspace package.
  if (/\.[cm]?ts$/.test(file)) return importFile(path.dirname(file), file);
  return imported(pathToFileURL(file).href, file, `handlers package ${specifier}: ${file}`);
}

/**
 * Returns the file that `import 'specifier'` in a file of `root` would load. Null if the package is not installed. Node
 * resolves imports only relative to the calling module, so this uses esbuild, which follows the same rules.
 */
export async function packageEntry(root: string, specifier: string): Promise<string | null> {
  let found: string | null = null;
  const resolvePlugin: Plugin = {
    name: 'looks-up',
    setup(build) {
      build.onStart(async () => {
        const resolved = await build.resolve(specifier, { kind: 'import-statement', resolveDir: root });
        if (resolved.errors.length === 0 && path.isAbsolute(resolved.path)) found = resolved.path;
      });
    },
  };
  return withEsbuild(
    async (esbuild) => {
      await esbuild.build({ ...AS_NODE_LOADS, stdin: { contents: '', resolveDir: root }, plugins: [resolvePlugin] });
      return found;
    },
    () => withoutEsbuild(root, specifier),
  );
}

/**
 * Resolves as `require` does. This is the file that `import` would load, unless the package exports a separate file for
 * each.
 */
function withoutEsbuild(root: string, specifier: string): string | null {
  try {
    return createRequire(path.join(root, 'any.js')).resolve(specifier);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

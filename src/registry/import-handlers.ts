import { readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
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
    const place = placeOf(cause, file);
    const where = place === undefined ? what : what.replace(file, () => place);
    const text = `${where}${place === undefined ? '' : ':'} could not be imported: ${messageOf(cause)}`;
    throw new ResolutionError(text, { cause, details: { file } });
  }
}

/** Returns `file:line:column` of the code that made an import fail, in the file or in one beside it. Undefined if it is unknown. */
function placeOf(error: unknown, file: string): string | undefined {
  const { stack = '', message } = error instanceof Error ? error : new Error();
  const folder = path.dirname(file);
  // The frames have real paths.
  const real = realpathSync(folder);
  for (const [, at, place] of stack.matchAll(/^\s+at (?:.*\()?(?:async )?(.+?):(\d+:\d+)\)?$/gm)) {
    const source = at!.startsWith('file:') ? fileURLToPath(at!) : at!;
    if (!path.isAbsolute(source)) continue;
    // If node_modules is a link, the source map of the bundle in it leads to a file of this name in another folder.
    const isModule = /[\\/]node_modules[\\/]/.test(source);
    if (!isModule && source.endsWith(path.sep + path.join(path.basename(folder), path.basename(file))))
      return `${file}:${place}`;
    const inside = path.relative(real, source);
    if (!/^\.\.|(?:^|[\\/])(?:node_modules|\.tasker)[\\/]/.test(inside)) return `${path.join(folder, inside)}:${place}`;
  }
  // Node reports a missing export at its place in the bundle.
  const [, missing] = /does not provide an export named '([^']+)'/.exec(message) ?? [];
  if (missing === undefined) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n');
  const word = new RegExp(`(?<![\\w$])${missing.replaceAll('$', '\\$')}(?![\\w$])`);
  const line = lines.findIndex((text) => word.test(text));
  return line === -1 ? undefined : `${file}:${line + 1}:${lines[line]!.search(word) + 1}`;
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

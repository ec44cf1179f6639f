import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildFailure, BuildOptions, BuildResult, Message, Plugin } from 'esbuild';
import { bundleCache, removeStale, writeOnce } from './bundle-cache.ts';
import { builtBefore, keepManifest, manifestFile } from './bundle-manifest.ts';
import type { HandlerFiles } from './handler-files.ts';
import { ResolutionError } from './resolution-errors.ts';
import { AS_NODE_LOADS, withEsbuild } from './with-esbuild.ts';

/**
 * Compiles the files of a folder to JavaScript and returns the bundle to import for each. Code that several files
 * import becomes one shared module. The name of a bundle contains a hash of its contents and of everything it imports.
 * Changed code therefore gets a new name, and Node does not load unchanged code again. Throws `handler_invalid` with
 * file, line and column if code does not compile.
 */
export async function bundleHandlers(
  { root, files }: Pick<HandlerFiles, 'root' | 'files'>,
  { tidy = true }: { tidy?: boolean } = {},
): Promise<Map<string, string>> {
  const cache = bundleCache(root);
  const before = tidy ? builtBefore(cache, files) : undefined;
  if (before) {
    tidyUp(cache, before.outputs);
    return before.bundles;
  }
  const startedAt = Date.now();
  const built = await build(root, files, cache);
  if (typeof built === 'string') return withoutBundling(files, built);
  const { outputFiles, metafile } = built;
  for (const { path: file, contents } of outputFiles) writeOnce(file, contents);
  const bundles = new Map<string, string>();
  for (const [output, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint) bundles.set(path.resolve(root, entryPoint), path.resolve(root, output));
  }
  // A build of one file does not show which bundles the other files of the folder need.
  if (tidy) {
    const outputs = outputFiles.map(({ path: file }) => file);
    tidyUp(cache, outputs);
    keepManifest(cache, { root, files, metafile, bundles, startedAt });
  }
  return bundles;
}

function tidyUp(cache: string, outputs: readonly string[]): void {
  removeStale(cache, new Set([manifestFile(cache), ...outputs]));
}

/**
 * Without esbuild, JavaScript files are imported unchanged, and changes to the files that they import are not reloaded.
 * TypeScript cannot be imported, so the compiled file next to it is used if there is one.
 */
function withoutBundling(files: readonly string[], install: string): Map<string, string> {
  return new Map(
    files.map((file) => {
      const javascript = file.replace(/\.(m?)ts$/, '.$1js');
      if (javascript === file || existsSync(javascript)) return [file, javascript];
      throw new ResolutionError(
        `handlers file ${file}: TypeScript handlers need esbuild, an optional package that is not installed; run npm install ${install}, or compile the handlers to JavaScript`,
        { details: { file, install } },
      );
    }),
  );
}

type Build = BuildResult<{ write: false; metafile: true }>;

/** Returns the build, or the name of the package to install if esbuild is missing. */
async function build(root: string, files: string[], cache: string): Promise<Build | string> {
  const options = {
    ...AS_NODE_LOADS,
    absWorkingDir: root,
    entryPoints: files,
    outbase: root,
    outdir: cache,
    entryNames: '[dir]/[name]-[hash]',
    chunkNames: 'shared/[name]-[hash]',
    outExtension: { '.js': '.mjs' },
    splitting: true,
    target: `node${process.versions.node}`,
    // Without this, esbuild would rename one of two classes with the same name, and error messages contain that name.
    keepNames: true,
    charset: 'utf8',
    sourcemap: 'inline',
    sourcesContent: false,
    metafile: true,
    plugins: [externalPackages, sourceLocation],
  } satisfies BuildOptions;
  try {
    return await withEsbuild<Build | string>(
      (esbuild) => esbuild.build(options),
      (install) => install,
    );
  } catch (thrown) {
    throw isBuildFailure(thrown) ? errorOf(root, thrown) : thrown;
  }
}

/**
 * Keeps packages out of the bundle and imports them by their absolute path, resolved from the importing file. The bundle
 * is in another folder, from which Node would not find them. Links are resolved, so a package is loaded only once.
 */
const externalPackages: Plugin = {
  name: 'packages-stay-outside',
  setup(build) {
    build.onResolve(
      { filter: /^[^./]/ },
      async ({ path: specifier, kind, importer, resolveDir, pluginData, ...rest }) => {
        if (pluginData === externalPackages || kind === 'entry-point' || path.isAbsolute(specifier)) return undefined;
        if (isBuiltin(specifier) || /^(data|file|https?):/.test(specifier)) return { path: specifier, external: true };

        const resolved = await build.resolve(specifier, {
          ...rest,
          kind,
          importer,
          resolveDir,
          pluginData: externalPackages,
        });
        // An optional package may be missing. Code that imports it dynamically handles the failure itself.
        if (resolved.errors.length > 0)
          return kind === 'dynamic-import' ? { path: specifier, external: true } : resolved;
        // Node cannot load TypeScript or JSON from a workspace package or a `paths` entry of tsconfig, so these are
        // bundled.
        if (!/\.(js|mjs|cjs|node)$/.test(resolved.path)) return resolved;
        return { path: kind === 'require-call' ? resolved.path : pathToFileURL(resolved.path).href, external: true };
      },
    );
  },
};

/** The members of `import.meta` that depend on the file's location. */
const PLACES: Readonly<Record<string, (file: string) => string>> = {
  url: (file) => pathToFileURL(file).href,
  filename: (file) => file,
  dirname: path.dirname,
};

const nameOf = (place: string) => `__tasker_${place}`;

/**
 * Makes `import.meta.url`, `filename` and `dirname` refer to the source file, although its code runs from a bundle in
 * another folder. `new URL('./rates.csv', import.meta.url)` then finds the file next to the source.
 */
const sourceLocation: Plugin = {
  name: 'own-location',
  setup(build) {
    const names = Object.keys(PLACES).map((place) => [`import.meta.${place}`, nameOf(place)]);
    build.initialOptions.define = { ...build.initialOptions.define, ...Object.fromEntries(names) };
    build.onLoad({ filter: /\.[mc]?[jt]s$/, namespace: 'file' }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      // Most files do not use `import.meta`, and esbuild reads these files itself.
      if (!source.includes('import.meta')) return undefined;
      const loader = file.endsWith('ts') ? 'ts' : 'js';
      return { contents: withLocation(source, file), loader, resolveDir: path.dirname(file) };
    });
  },
};

/** Declares the names on the first line, which keeps line numbers correct. A `#!` line must remain the first line. */
function withLocation(source: string, file: string): string {
  const names = Object.entries(PLACES).map(([place, of]) => `${nameOf(place)}=${JSON.stringify(of(file))}`);
  const [shebang = ''] = /^#!.*\n/.exec(source) ?? [];
  return `${shebang}const ${names.join(',')};${source.slice(shebang.length)}`;
}

function isBuildFailure(thrown: unknown): thrown is BuildFailure {
  return thrown instanceof Error && Array.isArray((thrown as { errors?: unknown }).errors);
}

function errorOf(root: string, failure: BuildFailure): ResolutionError {
  const lines = failure.errors.slice(0, 5).map((message) => lineOf(root, message));
  const more = failure.errors.length > lines.length ? ` (and ${failure.errors.length - lines.length} more)` : '';
  const file = failure.errors[0]?.location?.file;
  return new ResolutionError(`handlers: ${lines.join('; ')}${more}`, {
    cause: failure,
    details: { file: file === undefined ? root : path.resolve(root, file) },
  });
}

function lineOf(root: string, { text, location }: Message): string {
  return location ? `${path.resolve(root, location.file)}:${location.line}:${location.column + 1}: ${text}` : text;
}

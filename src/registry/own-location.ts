import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Loader, Plugin } from 'esbuild';

const LOADERS: Record<string, Loader> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
};

const NAMES = { url: '__taskerUrl', filename: '__taskerFilename', dirname: '__taskerDirname' };

/**
 * Makes `import.meta.url` (and `filename`, `dirname`) mean the file that it is written in, also after that file has
 * become a part of a bundle elsewhere: `new URL('./rates.csv', import.meta.url)` finds what lies beside it.
 */
export const ownLocation: Plugin = {
  name: 'own-location',
  setup(build) {
    build.initialOptions.define = {
      ...build.initialOptions.define,
      'import.meta.url': NAMES.url,
      'import.meta.filename': NAMES.filename,
      'import.meta.dirname': NAMES.dirname,
    };
    build.onLoad({ filter: /\.[mc]?[jt]s$/, namespace: 'file' }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      // Most files do not ask; esbuild reads those itself.
      if (!source.includes('import.meta')) return undefined;
      return {
        contents: withLocation(source, file),
        loader: LOADERS[path.extname(file)],
        resolveDir: path.dirname(file),
      };
    });
  },
};

/** The names stand on the first line, so that line numbers hold; a `#!` line must stay what the file begins with. */
function withLocation(source: string, file: string): string {
  const values = { url: pathToFileURL(file).href, filename: file, dirname: path.dirname(file) };
  const names = Object.entries(values).map(
    ([key, value]) => `${NAMES[key as keyof typeof NAMES]}=${JSON.stringify(value)}`,
  );
  const [shebang = ''] = /^#!.*\n/.exec(source) ?? [];
  return `${shebang}const ${names.join(',')};${source.slice(shebang.length)}`;
}

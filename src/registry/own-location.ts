import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

/** What `import.meta` says of a file, by key. */
const PLACES: Readonly<Record<string, (file: string) => string>> = {
  url: (file) => pathToFileURL(file).href,
  filename: (file) => file,
  dirname: path.dirname,
};

const nameOf = (place: string) => `__tasker_${place}`;

/**
 * Makes `import.meta.url` (and `filename`, `dirname`) mean the file that it is written in, also after that file has
 * become a part of a bundle elsewhere: `new URL('./rates.csv', import.meta.url)` finds what lies beside it.
 */
export const ownLocation: Plugin = {
  name: 'own-location',
  setup(build) {
    const names = Object.keys(PLACES).map((place) => [`import.meta.${place}`, nameOf(place)]);
    build.initialOptions.define = { ...build.initialOptions.define, ...Object.fromEntries(names) };
    build.onLoad({ filter: /\.[mc]?[jt]s$/, namespace: 'file' }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      // Most files do not ask; esbuild reads those itself.
      if (!source.includes('import.meta')) return undefined;
      const loader = file.endsWith('ts') ? 'ts' : 'js';
      return { contents: withLocation(source, file), loader, resolveDir: path.dirname(file) };
    });
  },
};

/** The names stand on the first line, so that line numbers hold; a `#!` line must stay what the file begins with. */
function withLocation(source: string, file: string): string {
  const names = Object.entries(PLACES).map(([place, of]) => `${nameOf(place)}=${JSON.stringify(of(file))}`);
  const [shebang = ''] = /^#!.*\n/.exec(source) ?? [];
  return `${shebang}const ${names.join(',')};${source.slice(shebang.length)}`;
}

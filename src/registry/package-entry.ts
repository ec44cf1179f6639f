import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { AS_NODE_LOADS, withEsbuild } from './with-esbuild.ts';

/**
 * The file that `import 'specifier'` in a file of `root` would load; null when no such package is installed. Node tells
 * that for its own files only, so esbuild is asked, which goes by the same rules.
 */
export async function packageEntry(root: string, specifier: string): Promise<string | null> {
  let found: string | null = null;
  const looksUp: Plugin = {
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
      await esbuild.build({ ...AS_NODE_LOADS, stdin: { contents: '', resolveDir: root }, plugins: [looksUp] });
      return found;
    },
    () => withoutEsbuild(root, specifier),
  );
}

/** As `require` would find it: the same file, unless a package has one for each way of loading. */
function withoutEsbuild(root: string, specifier: string): string | null {
  try {
    return createRequire(path.join(root, 'any.js')).resolve(specifier);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

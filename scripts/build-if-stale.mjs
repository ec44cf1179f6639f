// Builds dist if it is missing or older than its sources, so that `npm run demo` works after `npm ci --ignore-scripts`. If
// dist exists, only its JavaScript is brought up to date, which takes a second; types are not checked.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const BUILT = path.join(root, 'dist/.tsbuildinfo');
const BUNDLE = path.join(root, 'dist/bundle/index.js');

/** Includes folders, because their modification time changes when a file is renamed or removed. */
function hasChangedSince(time, folder) {
  if (statSync(folder).mtimeMs >= time) return true;
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const each = `${folder}/${entry.name}`;
    return entry.isDirectory() ? hasChangedSince(time, each) : statSync(each).mtimeMs >= time;
  });
}

function builtAt() {
  try {
    return Math.min(statSync(BUILT).mtimeMs, statSync(BUNDLE).mtimeMs);
  } catch {
    return 0;
  }
}

export function buildIfStale() {
  if (!hasChangedSince(builtAt(), path.join(root, 'src'))) return;
  const began = new Date();
  // `npm run build` compiles, and writes the declarations.
  const compile = existsSync(BUILT)
    ? ['scripts/transpile.mjs']
    : ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'];
  for (const step of [compile, ['scripts/bundle.mjs']]) {
    const { status } = spawnSync(process.execPath, step, { stdio: ['ignore', 2, 2], cwd: root });
    if (status !== 0)
      throw new Error('the build failed, see the output above; if TypeScript or esbuild is missing, run npm ci');
  }
  // The compiler does not touch the file if no output changes. Without this, every run would compile again.
  utimesSync(BUILT, began, began);
}

try {
  buildIfStale();
} catch (error) {
  // If this file is imported, the importer reports the error. If it is run directly, one line is enough.
  if (process.argv[1] !== fileURLToPath(import.meta.url)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

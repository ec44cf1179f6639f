// Builds dist when it is missing or older than its sources, so that `npm run demo` works after `npm ci --ignore-scripts`.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) time = Math.max(time, statSync(path.join(entry.parentPath, entry.name)).mtimeMs);
  }
  return time;
}

function builtAt() {
  try {
    return statSync(path.join(root, 'dist/.tsbuildinfo')).mtimeMs;
  } catch {
    return 0;
  }
}

export function buildIfStale() {
  if (builtAt() > newest(path.join(root, 'src'))) return;
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')], {
    stdio: ['ignore', 2, 2],
    cwd: root,
  });
  if (status !== 0)
    throw new Error('the build failed; what the compiler said stands above (run npm ci first if it is missing)');
}

try {
  buildIfStale();
} catch (error) {
  // Imported, it is for the importer to say; run by itself, one line is enough.
  if (process.argv[1] !== fileURLToPath(import.meta.url)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

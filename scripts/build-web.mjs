// Builds the web page if assets/web is missing or older than its sources. Takes a few seconds.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const BUILT = path.join(root, 'assets/web/index.html');

function builtAt() {
  try {
    return statSync(BUILT).mtimeMs;
  } catch {
    return 0;
  }
}

function newest(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Math.max(...files.map((file) => statSync(path.join(file.parentPath, file.name)).mtimeMs));
}

/** The sources of the page, and the rooms that it imports. */
const SOURCES = ['web/src', 'src/client', 'src/model'];

export function buildWebIfStale() {
  const sources = SOURCES.map((folder) => newest(path.join(root, folder)));
  if (builtAt() > Math.max(...sources, statSync(path.join(root, 'web/index.html')).mtimeMs)) return;
  const vite = path.join(root, 'node_modules/vite/bin/vite.js');
  const { status } = spawnSync(process.execPath, [vite, 'build', 'web', '--logLevel', 'warn'], {
    stdio: ['ignore', 2, 2],
    cwd: root,
    // A test runner sets another value, with which React is built for development.
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (status !== 0) throw new Error('the build of the web page failed, see above; if vite is missing, run npm ci');
}

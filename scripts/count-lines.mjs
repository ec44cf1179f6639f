// Counts the lines of code in each room of src, without comments and empty lines. Fails above the limit:
//   node scripts/count-lines.mjs
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Lower the limit when src shrinks. Before you raise the limit, look for code to remove. */
const LIMIT = 85_500;

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Counts the lines of TypeScript or SQL that are neither empty nor only a comment. */
function linesOfCode(text) {
  const withoutBlocks = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''));
  return withoutBlocks.split('\n').filter((line) => line.trim() !== '' && !/^\s*(?:\/\/|--)/.test(line)).length;
}

const rooms = new Map();
for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(?:ts|sql)$/.test(entry.name)) continue;
  const file = path.join(entry.parentPath, entry.name);
  const room = path.relative(src, file).split(path.sep)[0];
  rooms.set(room, (rooms.get(room) ?? 0) + linesOfCode(readFileSync(file, 'utf8')));
}

const total = [...rooms.values()].reduce((sum, lines) => sum + lines, 0);
for (const [room, lines] of [...rooms].sort(([, a], [, b]) => b - a))
  console.log(`${String(lines).padStart(6)} ${room}`);
console.log(`${String(total).padStart(6)} in total, at most ${LIMIT}`);
if (total > LIMIT) {
  console.error(`error: src has ${total - LIMIT} more lines of code than scripts/count-lines.mjs allows`);
  process.exitCode = 1;
}

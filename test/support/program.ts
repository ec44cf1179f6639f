import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { copyTree } from './suite/copy-tree.ts';

const CONNECT = `
import { createTasker } from './dist/index.js';
try {
  const tasker = await createTasker({ databaseUrl: process.argv[2], worker: false });
  await tasker.stop();
  console.log(JSON.stringify({ code: 'ok', message: '' }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
`;

/** A copy of this program with its own migrations, which is removed after the test. */
export interface Program {
  /** Starts the program on a database in a separate process, and stops it. Returns `ok`, or the error that it ended with. */
  connect(url: string): Promise<{ code: string; message: string }>;
}

/** The migrations of this version, by file name. */
export function ownMigrations(): Record<string, string> {
  const names = readdirSync('migrations').filter((name) => /^\d{4}_/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join('migrations', name), 'utf8')]));
}

/** Creates a copy of the built program with other migrations: an earlier or later version, or a checkout on another system. */
export function programWith(migrations: Record<string, string>): Program {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-program-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of ['dist', 'package.json', 'statements']) copyTree(part, path.join(folder, part));
  copyTree('migrations', path.join(folder, 'migrations'), (file) => !/\d{4}_/.test(file));
  symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'), 'junction');
  for (const [name, text] of Object.entries(migrations)) writeFileSync(path.join(folder, 'migrations', name), text);
  writeFileSync(path.join(folder, 'connect.mjs'), CONNECT);
  return {
    async connect(url) {
      const { stdout } = await promisify(execFile)(process.execPath, [path.join(folder, 'connect.mjs'), url]);
      return JSON.parse(stdout) as { code: string; message: string };
    },
  };
}

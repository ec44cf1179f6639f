import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inject } from 'vitest';
import { copyTree } from './suite/copy-tree.ts';

const CONNECT = `
import { createTasker } from './dist/bundle/index.js';
export async function connect(databaseUrl) {
  try {
    const tasker = await createTasker({ databaseUrl, worker: false });
    await tasker.stop();
    return { code: 'ok', message: '' };
  } catch ({ code, message }) {
    return { code, message };
  }
}
`;

interface Connected {
  code: string;
  message: string;
}

/** This program with its own migrations. Programs with different migrations must not start at the same time. */
export interface Program {
  /** Starts the program on a database, and stops it. Returns `ok`, or the error that it ended with. */
  connect(url: string): Promise<Connected>;
}

/** The migrations of this version, by file name. */
export function ownMigrations(): Record<string, string> {
  const names = readdirSync('migrations').filter((name) => /^\d{4}_/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join('migrations', name), 'utf8')]));
}

/** Returns a copy of the built program, which all programs of this process share: copying takes longer than most tests. */
function copyOfProgram(): string {
  const folder = path.join(inject('data'), `program-${process.pid}`);
  if (existsSync(folder)) return folder;
  mkdirSync(folder);
  for (const part of ['package.json', 'statements', 'dist/bundle', 'dist/config'])
    copyTree(part, path.join(folder, part));
  symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'), 'junction');
  writeFileSync(path.join(folder, 'connect.mjs'), CONNECT);
  return folder;
}

let installed: Record<string, string> | undefined;

function install(migrations: Record<string, string>, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  copyTree('migrations', folder, (file) => !/\d{4}_/.test(file));
  for (const [name, text] of Object.entries(migrations)) writeFileSync(path.join(folder, name), text);
  installed = migrations;
}

/** Returns the built program with other migrations: an earlier or later version, or a checkout on another system. */
export function programWith(migrations: Record<string, string>): Program {
  const folder = copyOfProgram();
  return {
    async connect(url) {
      if (installed !== migrations) install(migrations, path.join(folder, 'migrations'));
      const { connect } = (await import(pathToFileURL(path.join(folder, 'connect.mjs')).href)) as {
        connect(url: string): Promise<Connected>;
      };
      return connect(url);
    },
  };
}

import { lstatSync, mkdtempSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { TaskerError } from '../../errors.ts';
import { type EmbeddedFolder, makePrivate } from './embedded-folder.ts';
import { readRecord, syncFile, writeSynced } from './files.ts';
import { chownTo } from './hosting/server-user.ts';
import { findRunning, readPostmaster } from './postmaster.ts';
import { createUsersPipe } from './users.ts';

/** The longest path of a Unix socket that every system takes (macOS: 103 bytes and a zero). */
const LONGEST_SOCKET_PATH = 103;
/** The socket's name in the run folder. */
export const SOCKET = '.s.PGSQL.5432';

/*
 * The socket and the users' pipe lie in a folder that only the server's user can enter. It is `run` beside the
 * data, unless that path is too long for a socket or the file system has no pipes; then it is one under the
 * system's temporary folder, with a name that nobody can guess. Which one it is stands in the file `run-folder.json`,
 * so that those who use a server that crashed are still found, and find the next one, at the same place.
 */

const MEMORY = z.object({
  runFolder: z.string(),
  /** Inode of the home that it belongs to: a copied project must not share the place of its original. */
  home: z.number(),
});

const memoryFile = ({ home }: EmbeddedFolder) => path.join(home, 'run-folder.json');
const readMemory = (folder: EmbeddedFolder) => readRecord(memoryFile(folder), MEMORY);

/**
 * Where the socket and the pipe of the last start are; undefined before the first. When `run-folder.json` is
 * unreadable, it is the folder that PostgreSQL itself noted in its `postmaster.pid`.
 */
export function findRunFolder(folder: EmbeddedFolder): string | undefined {
  const memory = readMemory(folder);
  if (memory === 'unreadable') return noteOfServer(folder);
  return memory?.home === statSync(folder.home).ino ? memory.runFolder : undefined;
}

/** A folder outside of `home` counts only while its server runs here: a copied project has the note of its original. */
function noteOfServer({ home, data }: EmbeddedFolder): string | undefined {
  const socketFolder = readPostmaster(data)?.socketFolder;
  if (!socketFolder) return undefined;
  const runFolder = path.resolve(data, socketFolder);
  return path.dirname(runFolder) === home || findRunning(data) ? runFolder : undefined;
}

/** The folder for the next server, with the users' pipe in it: that of the last when it still fits, else a new one. */
export function prepareRunFolder(folder: EmbeddedFolder): string {
  const known = findRunFolder(folder);
  const keep = known && fits(known) && isPrivate(known, folder) && createUsersPipe(known, folder.user);
  const runFolder = keep ? known : chooseRunFolder(folder);
  if (!keep || readMemory(folder) === 'unreadable') remember(folder, runFolder);
  return runFolder;
}

function remember(folder: EmbeddedFolder, runFolder: string): void {
  const memory: z.infer<typeof MEMORY> = { runFolder, home: statSync(folder.home).ino };
  const file = memoryFile(folder);
  writeSynced(`${file}.new`, JSON.stringify(memory), { mode: 0o600 });
  chownTo(`${file}.new`, folder.owner);
  renameSync(`${file}.new`, file);
  syncFile(folder.home);
}

function chooseRunFolder({ home, user }: EmbeddedFolder): string {
  const near = path.join(home, 'run');
  if (fits(near)) {
    makePrivate(near, user);
    if (createUsersPipe(near, user)) return near;
  }
  const far = mkdtempSync(path.join(tmpdir(), 'tasker-'));
  chownTo(far, user);
  if (createUsersPipe(far, user)) return far;
  throw new TaskerError(
    'embedded_failed',
    `neither ${home} nor ${tmpdir()} can hold a named pipe, which the embedded database needs; ` +
      'name another folder, or set DATABASE_URL',
  );
}

function fits(folder: string): boolean {
  return Buffer.byteLength(path.join(folder, SOCKET)) <= LONGEST_SOCKET_PATH;
}

/** A remembered folder may have been removed, or made again by somebody else, since. */
function isPrivate(folder: string, { user }: EmbeddedFolder): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  const owner = user?.uid ?? process.getuid?.();
  return !!stat?.isDirectory() && stat.uid === owner && (stat.mode & 0o077) === 0;
}

import { lstatSync, mkdtempSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { TaskerError } from '../../errors.ts';
import { type EmbeddedFolder, makePrivate } from './embedded-folder.ts';
import { readRecord, syncFile, writeSynced } from './files.ts';
import { chownTo } from './hosting/server-user.ts';
import { findRunning, readPostmaster, SOCKET } from './postmaster.ts';
import { createUsersPipe } from './users.ts';

/** The longest socket path that every system supports (macOS: 103 bytes and a zero byte). */
const LONGEST_SOCKET_PATH = 103;

/**
 * The socket and the users' pipe are in a folder that only the server's user can enter. The folder is `run` next to the
 * data. The path may be too long for a socket, or the file system may not support pipes. Then the folder has a random
 * name in the system's temporary folder. The file `run-folder.json` records the choice, so that after a crash, the next
 * server uses the same folder as the users of the crashed server.
 */

const MEMORY = z.object({
  runFolder: z.string(),
  /**
   * Inode of the home folder that it belongs to, so that a copied project does not use the run folder of its original.
   */
  home: z.number(),
});

const memoryFile = ({ home }: EmbeddedFolder) => path.join(home, 'run-folder.json');
const readMemory = (folder: EmbeddedFolder) => readRecord(memoryFile(folder), MEMORY);

/**
 * Returns the folder with the socket and the pipe of the last server. Falls back to PostgreSQL's `postmaster.pid` if
 * `run-folder.json` is unreadable. Undefined if no server has been started for this folder, or the record belongs to
 * another folder.
 */
export function findRunFolder(folder: EmbeddedFolder): string | undefined {
  const memory = readMemory(folder);
  if (memory === 'unreadable') return folderOfServer(folder);
  return memory?.home === statSync(folder.home).ino ? memory.runFolder : undefined;
}

/**
 * Reads the folder from `postmaster.pid`. A folder outside `home` is used only while its server runs, because a copied
 * project has the file of its original.
 */
function folderOfServer({ home, data }: EmbeddedFolder): string | undefined {
  const socketFolder = readPostmaster(data)?.socketFolder;
  if (!socketFolder) return undefined;
  const runFolder = path.resolve(data, socketFolder);
  return path.dirname(runFolder) === home || findRunning(data) ? runFolder : undefined;
}

/**
 * Returns the folder for the next server, with the users' pipe in it. Reuses the previous folder if it is still usable.
 */
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
    `the embedded database needs a named pipe, which neither ${home} nor ${tmpdir()} supports; ` +
      'choose another folder, or set DATABASE_URL',
  );
}

function fits(folder: string): boolean {
  return Buffer.byteLength(path.join(folder, SOCKET)) <= LONGEST_SOCKET_PATH;
}

/**
 * Returns whether only the server's user can access the folder. Another user may have removed or recreated the folder.
 */
function isPrivate(folder: string, { user }: EmbeddedFolder): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  const owner = user?.uid ?? process.getuid?.();
  return !!stat?.isDirectory() && stat.uid === owner && (stat.mode & 0o077) === 0;
}

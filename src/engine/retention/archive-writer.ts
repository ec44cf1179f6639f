import { access, constants, type FileHandle, mkdir, open, rename, stat, truncate, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import {
  addArchiveFile,
  closeArchiveFile,
  dropArchiveFile,
  extendArchiveFile,
  findArchiveFile,
  openArchiveFiles,
} from '../../store/retention/archive-files.ts';
import { packLines } from './archive-format.ts';

/** The suffix of a file that is being written. Files without it are never changed again. */
export const PARTIAL = '.part';
/** Once a file is longer than this, a new one is opened. */
const FULL_BYTES = 256 * 1024 * 1024;

/** Options of an {@link ArchiveWriter}. */
export interface ArchiveWriterOptions {
  folder: string;
  pruneId: number;
  /** The time of the database, ISO 8601, for the names of the files. */
  startedAt: string;
  /** Default 256 MB. */
  fullBytes?: number | undefined;
}

/**
 * Writes tasks to files of a folder. Written tasks are valid only once the transaction that deletes them has stored the
 * file's length. If the transaction does not commit, the file is truncated to its previous length.
 */
export class ArchiveWriter {
  readonly #database: Database;
  readonly #options: ArchiveWriterOptions;
  #file: { handle: FileHandle; name: string } | undefined;
  /** The length up to which the file is valid, and the length that the transaction in progress has stored. */
  #valid = 0;
  #written = 0;
  #number = 0;
  /** The names of the files that have tasks. */
  readonly files: string[] = [];

  constructor(database: Database, options: ArchiveWriterOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Opens the next file if none is open or the current one is full. Call it before the transaction. */
  async prepare(): Promise<void> {
    const { folder, pruneId, startedAt, fullBytes = FULL_BYTES } = this.#options;
    if (this.#file && this.#valid >= fullBytes) await this.close();
    if (this.#file) return;
    const time = startedAt.replaceAll(/[-:]/g, '').replace(/\.\d+/, '');
    const number = String(++this.#number).padStart(4, '0');
    // Several schemas may archive into one folder, and their prunes have the same numbers.
    const { schema } = this.#database;
    const of = schema.isDefault ? 'tasks' : `tasks-${schema.name}`;
    const name = `${of}-${time}-prune-${pruneId}-${number}.ndjson.gz`;
    await addArchiveFile(this.#database, { name, pruneId, folder });
    const handle = await onDisk(folder, async () => {
      const created = await open(path.join(folder, name + PARTIAL), 'wx', 0o600);
      await syncFolder(folder);
      return created;
    });
    this.#file = { handle, name };
    this.#valid = 0;
    this.#written = 0;
  }

  /** Writes tasks to the disk, and stores the new length in the transaction that deletes them. */
  async append(tx: Db, lines: readonly string[]): Promise<void> {
    const { handle, name } = this.#file!;
    const member = await packLines(lines);
    this.#written = this.#valid + member.length;
    await onDisk(this.#options.folder, async () => {
      for (let done = 0; done < member.length; ) {
        done += (await handle.write(member, done, member.length - done, this.#valid + done)).bytesWritten;
      }
      await handle.sync();
    });
    await extendArchiveFile(tx, { name, bytes: this.#written, tasks: lines.length });
  }

  /** Called when the transaction was committed. */
  committed(): void {
    if (this.#valid === 0 && this.#written > 0) this.files.push(path.join(this.#options.folder, this.#file!.name));
    this.#valid = this.#written;
  }

  /**
   * Called when the transaction failed, or the response to its commit was lost. Truncates the file to the length that
   * the database has stored.
   */
  async settle(): Promise<void> {
    if (!this.#file || this.#written === this.#valid) return;
    const noted = (await findArchiveFile(this.#database, this.#file.name))?.bytes ?? 0;
    if (noted === this.#written) return this.committed();
    this.#written = this.#valid;
    await onDisk(this.#options.folder, () => this.#file!.handle.truncate(this.#valid));
  }

  /** Renames the file to its final name, or removes it if it is empty. */
  async close(): Promise<void> {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    const { folder } = this.#options;
    await file.handle.close();
    await finishFile(this.#database, { folder, name: file.name, bytes: this.#valid });
  }
}

/** Truncates a file to its valid length, and renames it to its final name. */
async function finishFile(
  database: Database,
  { folder, name, bytes }: { folder: string; name: string; bytes: number },
): Promise<void> {
  const full = path.join(folder, name);
  await onDisk(folder, async () => {
    if (bytes === 0) return unlink(full + PARTIAL);
    await truncate(full + PARTIAL, bytes);
    await rename(full + PARTIAL, full);
    await syncFolder(folder);
  });
  await (bytes === 0 ? dropArchiveFile(database, name) : closeArchiveFile(database, name));
}

/** Makes the new name of a file durable. Not every system can open a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/**
 * Checks that files can be written to a folder, and finishes the files of a process that was killed. Returns the
 * defects of these files.
 * @param create whether the folder is created if it does not exist
 * @throws TaskerError `folder_not_writable`
 */
export async function openArchiveFolder(
  database: Database,
  { folder, create }: { folder: string; create: boolean },
): Promise<string[]> {
  const warnings: string[] = [];
  await onDisk(folder, async () => {
    if (create) await mkdir(folder, { recursive: true });
    if (!(await stat(folder)).isDirectory()) throw new Error('it is not a folder');
    await access(folder, constants.W_OK);
  });
  for (const { name, bytes } of await openArchiveFiles(database, folder)) {
    const [partial, final] = await Promise.all([PARTIAL, ''].map((end) => sizeOf(path.join(folder, name + end))));
    if (partial !== undefined && partial >= bytes) await finishFile(database, { folder, name, bytes });
    else if (partial === undefined && final === bytes) await closeArchiveFile(database, name);
    else if (partial === undefined && bytes === 0) await dropArchiveFile(database, name);
    else if (partial !== undefined || final !== undefined) {
      warnings.push(`${path.join(folder, name)} has ${partial ?? final} bytes, but should have ${bytes}`);
    }
    // Otherwise the file is in a folder with the same name on another machine.
  }
  return warnings;
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @throws TaskerError `folder_not_writable` */
async function onDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new TaskerError(
      'folder_not_writable',
      `cannot write archives to ${folder}: ${messageOf(cause)}; no task was deleted without being archived`,
      { cause },
    );
  }
}

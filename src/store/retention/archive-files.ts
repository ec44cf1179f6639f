import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const ADD_FILE = sql('add_archive_file')`
insert into tasker.archive_file (name, prune_id, folder) values ($1, $2, $3)`;

/** Registers a file before it is created. */
export async function addArchiveFile(
  db: Db,
  { name, pruneId, folder }: { name: string; pruneId: number; folder: string },
): Promise<void> {
  await db.query(ADD_FILE, [name, pruneId, folder]);
}

const EXTEND_FILE = sql('extend_archive_file')`
update tasker.archive_file set bytes = $2, tasks = tasks + $3 where name = $1`;

/** Stores the length up to which a file is valid, in the transaction that deletes the tasks. */
export async function extendArchiveFile(
  db: Db,
  { name, bytes, tasks }: { name: string; bytes: number; tasks: number },
): Promise<void> {
  await db.query(EXTEND_FILE, [name, bytes, tasks]);
}

const CLOSE_FILE = sql('close_archive_file')`update tasker.archive_file set closed_at = now() where name = $1`;

/** Stores that a file has its final name. */
export async function closeArchiveFile(db: Db, name: string): Promise<void> {
  await db.query(CLOSE_FILE, [name]);
}

const DROP_FILE = sql('drop_archive_file')`delete from tasker.archive_file where name = $1 and bytes = 0`;

/** Removes the record of a file that contains no tasks. */
export async function dropArchiveFile(db: Db, name: string): Promise<void> {
  await db.query(DROP_FILE, [name]);
}

const ARCHIVE_FILES = sql('archive_files')`
select name, folder, bytes::float8 bytes, tasks, closed_at is not null closed from tasker.archive_file
 where ($1::text is null or name = $1) and ($2::text is null or (folder = $2 and closed_at is null)) order by name`;

/** An archive file that is registered in the database. */
export interface ArchiveFileRow {
  name: string;
  folder: string;
  /** The length up to which it is valid. */
  bytes: number;
  tasks: number;
  closed: boolean;
}

/** Returns a file. Undefined if it was not written for this database. */
export async function findArchiveFile(db: Db, name: string): Promise<ArchiveFileRow | undefined> {
  return (await db.query<ArchiveFileRow>(ARCHIVE_FILES, [name, null])).rows[0];
}

/** Returns the files of a folder whose process did not close them. */
export async function openArchiveFiles(db: Db, folder: string): Promise<ArchiveFileRow[]> {
  return (await db.query<ArchiveFileRow>(ARCHIVE_FILES, [null, folder])).rows;
}

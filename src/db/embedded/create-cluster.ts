import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Binaries } from './binaries/binaries.ts';
import { type EmbeddedFolder, makePrivate, ownName } from './embedded-folder.ts';
import { syncFile } from './files.ts';
import { chownTo, PLAIN_ENVIRONMENT } from './hosting/server-user.ts';
import { isFull } from './server-failure.ts';

const PARTIAL = 'data.new-';
/**
 * Size of a file of the write-ahead log, in MB. All commits wait while the server creates one: about 15 ms, and
 * three to eight times as long at PostgreSQL's default of 16 MB. At 1 MB, tasks are created more slowly.
 */
const LOG_FILE_MB = 4;
/** Retries, because the initdb of a killed process may still be writing. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };
const run = promisify(execFile);

/** The superuser's password is in the data folder itself, so that the two are moved and copied together. */
const passwordFile = (data: string) => path.join(data, 'tasker.password');

/** Reads the superuser's password. */
export function readPassword(data: string): string {
  return readFileSync(passwordFile(data), 'utf8').trim();
}

/**
 * Creates the data folder if it does not exist. Returns whether it created one. Call this under the lock. The folder is
 * created under a temporary name and renamed when it is complete. Incomplete folders left by killed processes are
 * deleted.
 */
export async function createCluster(folder: EmbeddedFolder, binaries: Binaries, durable: boolean): Promise<boolean> {
  removePartial(folder.home);
  if (existsSync(folder.data)) {
    refuseOtherMajor(folder.data, binaries);
    return false;
  }
  try {
    await makeCluster(folder, binaries, durable);
  } catch (cause) {
    const full = isFull(folder.home) ? 'the disk is full, free some space; ' : '';
    removePartial(folder.home);
    const reason = (cause as { stderr?: string }).stderr?.trim() || messageOf(cause);
    throw new TaskerError(
      'embedded_failed',
      `cannot create the embedded database in ${folder.home}: ${full}${reason}; fix this, or set DATABASE_URL`,
      { cause },
    );
  }
  return true;
}

async function makeCluster({ home, data, user }: EmbeddedFolder, binaries: Binaries, durable: boolean): Promise<void> {
  const partial = path.join(home, `${PARTIAL}${randomUUID()}`);
  const password = `${partial}.password`;
  writeFileSync(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  chownTo(password, user);
  makePrivate(partial, user);
  const flags = [
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${path.join('..', path.basename(password))}`,
    '--encoding=UTF8',
    '--locale=C',
    `--wal-segsize=${LOG_FILE_MB}`,
    ...(durable ? [] : ['--no-sync']),
    `--pgdata=${ownName(partial, user)}`,
  ];
  await run(binaries.initdb, flags, { ...user, env: PLAIN_ENVIRONMENT, cwd: partial });
  // PostgreSQL's own defaults, because initdb multiplied them by the file size.
  const settings = path.join(partial, 'postgresql.conf');
  appendFileSync(settings, "max_wal_size = '1GB'\nmin_wal_size = '80MB'\n");
  renameSync(password, passwordFile(partial));
  if (durable) for (const made of [settings, passwordFile(partial), partial]) syncFile(made);
  renameSync(partial, data);
  if (durable) syncFile(home);
}

function removePartial(home: string): void {
  for (const name of readdirSync(home)) if (name.startsWith(PARTIAL)) rmSync(path.join(home, name), REMOVE);
}

function refuseOtherMajor(data: string, { major, version }: Binaries): void {
  const found = readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
  if (found === major) return;
  throw new TaskerError(
    'embedded_failed',
    `the embedded database in ${data} was created by PostgreSQL ${found}, but PostgreSQL ${version} is installed; ` +
      `reinstall the binaries of PostgreSQL ${found}, move the folder away to start with an empty database, ` +
      'or set DATABASE_URL to a server that has your data',
    { details: { found, installed: version } },
  );
}

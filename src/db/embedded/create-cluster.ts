import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Binaries } from './binaries/binaries.ts';
import { type EmbeddedFolder, makePrivate, ownName } from './embedded-folder.ts';
import { syncFile } from './files.ts';
import { chownTo, PLAIN_ENVIRONMENT } from './hosting/server-user.ts';
import { isFull } from './server-failure.ts';

const PARTIAL = 'data.new-';
/** With patience: the initdb of a process that was killed may still be writing. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };
const run = promisify(execFile);

/** The superuser's password lies in the data folder itself, so that the two are never parted. */
const passwordFile = (data: string) => path.join(data, 'tasker.password');

/** Reads the superuser's password. */
export function readPassword(data: string): string {
  return readFileSync(passwordFile(data), 'utf8').trim();
}

/**
 * Makes the data folder when there is none; true when it did. Under the lock: it is made under another name and
 * renamed when it is whole, and what a killed process left half-made is thrown away.
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
    const full = isFull(folder.home) ? 'its disk is full, make room; ' : '';
    removePartial(folder.home);
    const said = (cause as { stderr?: string }).stderr?.trim() || messageOf(cause);
    throw new TaskerError(
      'embedded_failed',
      `the embedded database could not be made in ${folder.home}: ${full}${said}; put that right, or set DATABASE_URL`,
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
    ...(durable ? [] : ['--no-sync']),
    `--pgdata=${ownName(partial, user)}`,
  ];
  await run(binaries.initdb, flags, { ...user, env: PLAIN_ENVIRONMENT, cwd: partial });
  renameSync(password, passwordFile(partial));
  if (durable) for (const made of [passwordFile(partial), partial]) syncFile(made);
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
    `the embedded database in ${data} was made by PostgreSQL ${found}, but PostgreSQL ${version} is installed; ` +
      `install the binaries of PostgreSQL ${found} again, move the folder away to begin with an empty database, ` +
      'or set DATABASE_URL to a server that holds your data',
    { details: { found, installed: version } },
  );
}

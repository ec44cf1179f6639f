import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Binaries } from './binaries.ts';
import { type EmbeddedFolder, makePrivate } from './embedded-folder.ts';
import { PLAIN_ENVIRONMENT } from './plain-environment.ts';

const PARTIAL = 'data.new-';
const run = promisify(execFile);

/** The superuser's password lies in the data folder itself, so that the two are never parted. */
const passwordFile = (data: string) => path.join(data, 'tasker.password');

/** Reads the superuser's password. */
export function readPassword(data: string): string {
  return readFileSync(passwordFile(data), 'utf8').trim();
}

/** Makes the data folder when there is none. Under the lock; a half-made one of a killed process is thrown away. */
export async function createCluster(folder: EmbeddedFolder, binaries: Binaries, durable: boolean): Promise<boolean> {
  for (const name of readdirSync(folder.home))
    if (name.startsWith(PARTIAL)) rmSync(path.join(folder.home, name), { recursive: true, force: true });
  if (existsSync(folder.data)) {
    refuseOtherMajor(folder.data, binaries);
    return false;
  }
  const partial = path.join(folder.home, `${PARTIAL}${randomUUID()}`);
  const password = `${partial}.password`;
  writeFileSync(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (folder.user) chownSync(password, folder.user.uid, folder.user.gid);
  makePrivate(partial, folder.user);
  await initdb(folder, binaries, { partial, password, durable });
  renameSync(password, passwordFile(partial));
  renameSync(partial, folder.data); // whole, or not there
  return true;
}

async function initdb(
  { user, home }: EmbeddedFolder,
  { initdb: program }: Binaries,
  { partial, password, durable }: { partial: string; password: string; durable: boolean },
): Promise<void> {
  const flags = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions'];
  if (!durable) flags.push('--no-sync');
  try {
    await run(program, [...flags, `--pwfile=${password}`, `--pgdata=${partial}`], {
      ...user,
      env: PLAIN_ENVIRONMENT,
      cwd: home,
    });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim();
    throw new TaskerError(
      'embedded_failed',
      `the embedded database could not be made in ${home}: ${said || messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

function refuseOtherMajor(data: string, { major, version }: Binaries): void {
  const found = readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
  if (found === String(major)) return;
  throw new TaskerError(
    'embedded_failed',
    `the embedded database in ${data} was made by PostgreSQL ${found}, but PostgreSQL ${version} is installed; ` +
      `install the PostgreSQL ${found} binaries again, or move the folder away and start with an empty database`,
    { details: { found, installed: version } },
  );
}

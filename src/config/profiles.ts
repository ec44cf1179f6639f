import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'smol-toml';
import { z } from 'zod';
import { messageOf, TaskerError } from '../errors.ts';
import type { ServerAddress } from './server-address.ts';

const ProfileSchema = z.strictObject({
  url: z.string().min(1),
  api_key: z.string().min(1).optional(),
  token: z.string().min(1).optional(),
});
const FileSchema = z.strictObject({ profile: z.record(z.string(), ProfileSchema).default({}) });

/** The form of a name, which needs no quotes in a shell or in TOML. */
const NAME = /^[A-Za-z0-9][\w-]{0,63}$/;

/** The file of the profiles: `tasker/profiles.toml` in the user's configuration folder. */
export function profilesFile(env: NodeJS.ProcessEnv = process.env): string {
  const folder =
    process.platform === 'win32'
      ? (env.APPDATA ?? path.join(homedir(), 'AppData', 'Roaming'))
      : env.XDG_CONFIG_HOME || path.join(env.HOME || homedir(), '.config');
  return path.join(folder, 'tasker', 'profiles.toml');
}

/**
 * Returns the profiles by name. A missing file has none.
 * @throws TaskerError `config_invalid` if the file is invalid, or if other users can read it
 */
export function readProfiles(file = profilesFile()): Map<string, ServerAddress> {
  const text = textOf(file);
  if (text === undefined) return new Map();
  refuseShared(file);
  let table: unknown;
  try {
    table = parse(text);
  } catch (cause) {
    throw new TaskerError('config_invalid', `${file}: ${messageOf(cause).split('\n')[0]}`, { cause });
  }
  const read = FileSchema.safeParse(table);
  if (!read.success) {
    const { path: place, message } = read.error.issues[0]!;
    throw new TaskerError('config_invalid', `${file}: ${place.map(String).join('.')}: ${message}`);
  }
  return new Map(
    Object.entries(read.data.profile).map(([name, { url, api_key: apiKey, token }]) => [name, { url, apiKey, token }]),
  );
}

/** @throws TaskerError `config_invalid` if the profile does not exist */
export function readProfile(name: string, file = profilesFile()): ServerAddress {
  const profiles = readProfiles(file);
  const found = profiles.get(name);
  if (found) return found;
  const known =
    profiles.size === 0 ? 'the file has no profiles' : `its profiles are ${[...profiles.keys()].join(', ')}`;
  throw new TaskerError(
    'config_invalid',
    `profile ${name} not found in ${file}; ${known}; \`tasker profile set ${name} --server URL\` adds one`,
  );
}

/** Adds, replaces or (undefined) removes a profile. Returns whether it was there before. */
export function writeProfile(name: string, profile: ServerAddress | undefined, file = profilesFile()): boolean {
  if (!NAME.test(name)) {
    throw new TaskerError(
      'bad_request',
      `${JSON.stringify(name)} is not a name for a profile; use letters, digits, - and _`,
    );
  }
  const profiles = readProfiles(file);
  const there = profiles.delete(name);
  if (profile) profiles.set(name, profile);
  else if (!there) return false;
  const table = Object.fromEntries(
    [...profiles].map(([key, { url, apiKey, token }]) => [
      key,
      { url, ...(apiKey !== undefined && { api_key: apiKey }), ...(token !== undefined && { token }) },
    ]),
  );
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  // Writes a new file, because an existing file would keep its mode.
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, stringify({ profile: table }), { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, file);
  return there;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new TaskerError('config_invalid', `${file}: ${messageOf(cause)}`, { cause });
  }
}

/** The file contains keys. Windows has no such mode. */
function refuseShared(file: string): void {
  if (process.platform === 'win32' || (statSync(file).mode & 0o077) === 0) return;
  throw new TaskerError(
    'config_invalid',
    `${file}: other users can read this file, which contains keys; run \`chmod 600 ${file}\``,
  );
}

import { createClient, TaskerClientError } from '../../client/index.ts';
import { profilesFile, readProfiles, writeProfile } from '../../config/profiles.ts';
import { serverFromEnvironment } from '../../config/server-address.ts';
import { TaskerError } from '../../errors.ts';
import type { GlobalOptions } from '../options.ts';
import { readSecret } from '../read-input.ts';
import { note, print, printJson } from '../show/output.ts';
import { table } from '../show/text.ts';
import { here } from '../this-run.ts';

interface ProfileSetOptions extends GlobalOptions {
  apiKey?: string;
  token?: string;
}

/** `tasker profile list`: lists the profiles, without their keys. */
export function profileList({ json }: GlobalOptions): void {
  const profiles = [...readProfiles(profilesFile(here().env))].map(([name, { url, apiKey, token }]) => ({
    name,
    url,
    credential: apiKey === undefined ? (token === undefined ? 'none' : 'token') : 'API key',
  }));
  if (json) printJson({ file: profilesFile(here().env), profiles });
  else if (profiles.length === 0) note('no profiles; `npx tasker profile set NAME --server URL` adds one');
  else {
    const rows = profiles.map(({ name, url, credential }) => [name, url, credential]);
    print(table(['profile', 'server', 'credential'], rows));
  }
}

/**
 * `tasker profile set`: adds or replaces a profile. A key is never an argument, because other users can list the
 * arguments of processes.
 */
export async function profileSet(name: string, { server, apiKey, token, json }: ProfileSetOptions): Promise<void> {
  if (server === undefined) {
    throw new TaskerError('bad_request', `the server is missing: \`npx tasker profile set ${name} --server URL\``);
  }
  if (apiKey === '-' && token === '-') {
    throw new TaskerError('bad_request', '--api-key and --token cannot both read standard input');
  }
  const url = addressOf(server);
  const given = serverFromEnvironment(here().env);
  const profile = {
    url,
    apiKey: apiKey === undefined ? given.apiKey : await readSecret(apiKey, '--api-key'),
    token: token === undefined ? given.token : await readSecret(token, '--token'),
  };
  const replaced = writeProfile(name, profile, profilesFile(here().env));
  if (json) printJson({ name, url, replaced, file: profilesFile(here().env) });
  else note(`${replaced ? 'replaced' : 'added'} profile ${name} in ${profilesFile(here().env)}`);
}

/** `tasker profile remove`: removes a profile. */
export function profileRemove(name: string, { json }: GlobalOptions): void {
  const removed = writeProfile(name, undefined, profilesFile(here().env));
  if (!removed) throw new TaskerError('config_invalid', `no profile ${name} in ${profilesFile(here().env)}`);
  if (json) printJson({ name, removed });
  else note(`removed profile ${name}`);
}

function addressOf(server: string): string {
  try {
    return createClient({ baseUrl: server }).baseUrl;
  } catch (error) {
    if (!(error instanceof TaskerClientError)) throw error;
    throw new TaskerError('bad_request', error.message.replace(/^baseUrl: /, '--server: '), { cause: error });
  }
}

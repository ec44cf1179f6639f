import { profileFromEnvironment, type ServerAddress, serverFromEnvironment } from '../../config/server-address.ts';
import { TaskerError } from '../../errors.ts';
import type { GlobalOptions } from '../options.ts';
import { here } from '../this-run.ts';

/** The server that a command uses instead of a database. */
export interface ChosenServer extends ServerAddress {
  /** The option or variable that named the server. */
  by: string;
}

/**
 * Returns the server of a command: `--server`, `--profile`, `TASKER_ORCHESTRATION_URL` or `TASKER_PROFILE`, in this
 * order. Undefined if the command uses a database. `--database-url` and `--schema` take precedence over the variables.
 * @throws TaskerError `bad_request`, `config_invalid`
 */
export async function chosenServer(options: GlobalOptions): Promise<ChosenServer | undefined> {
  const { server, profile, databaseUrl, schema } = options;
  const given = Object.entries({ '--server': server, '--profile': profile, '--database-url': databaseUrl });
  const named = given.filter(([, value]) => value !== undefined).map(([option]) => option);
  if (schema !== undefined && named[0] !== '--database-url') named.push('--schema');
  if (named.length > 1) {
    throw new TaskerError('bad_request', `${named.join(' and ')} cannot be combined; pass one of them`);
  }
  const { url, ...credential } = serverFromEnvironment(here().env);
  if (server !== undefined) return { url: server, ...credential, by: '--server' };
  if (profile !== undefined) return { ...(await profileOf(profile)), by: '--profile' };
  if (databaseUrl !== undefined || schema !== undefined) return undefined;
  if (url !== undefined) return { url, ...credential, by: 'TASKER_ORCHESTRATION_URL' };
  const saved = profileFromEnvironment(here().env);
  return saved === undefined ? undefined : { ...(await profileOf(saved)), by: 'TASKER_PROFILE' };
}

async function profileOf(name: string): Promise<ServerAddress> {
  const { profilesFile, readProfile } = await import('../../config/profiles.ts');
  return readProfile(name, profilesFile(here().env));
}

/** Rejects a command that needs a database if a server is given. @throws TaskerError `bad_request` */
export function refuseServer(chosen: ChosenServer): never {
  const way = chosen.by.startsWith('--')
    ? `run it without ${chosen.by}, where the database is reachable`
    : `unset ${chosen.by}, or pass --database-url`;
  throw new TaskerError(
    'bad_request',
    `this command works on a database, not over the server that ${chosen.by} names; ${way}`,
  );
}

import { explained, openClient } from '../app/project/database-admin.ts';
import { withoutSensitive } from '../app/sensitive/without-sensitive.ts';
import type { Tasker } from '../app/tasker.ts';
import type { Logger } from '../logging/logger.ts';
import { plainLogger } from '../logging/plain-logger.ts';
import type { GlobalOptions } from './options.ts';
import { chosenServer } from './remote/choose-server.ts';
import { note } from './show/output.ts';
import { here } from './this-run.ts';

/** Returns the logger of a command that runs no steps. It prints warnings, or everything with `--verbose`. */
export function notesLogger({ verbose }: GlobalOptions): Logger {
  return plainLogger({ level: verbose ? 'debug' : 'warn', write: note });
}

/**
 * Runs a command on the server that its options name, otherwise on a database, which is always closed afterwards. On a
 * database, the values that templates declare as sensitive are hidden without `--show-sensitive`. On a server, the
 * permissions of the credential decide.
 */
export async function withTasker<T>(
  options: GlobalOptions,
  { mayMake = false, listen = false }: { mayMake?: boolean; listen?: boolean },
  use: (tasker: Tasker) => Promise<T>,
): Promise<T> {
  const server = await chosenServer(options);
  if (server) return use((await import('./remote/remote-tasker.ts')).remoteTasker(server));
  const { databaseUrl, showSensitive = false } = options;
  const tasker = await openClient({ ...here(), databaseUrl, logger: notesLogger(options), mayMake, listen });
  try {
    return await use(showSensitive ? tasker : withoutSensitive(tasker, { way: 'pass --show-sensitive' }));
  } catch (error) {
    throw await explained(tasker, error);
  } finally {
    await tasker.stop();
  }
}

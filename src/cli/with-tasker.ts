import { openClient } from '../app/project/database-admin.ts';
import type { Tasker } from '../app/tasker.ts';
import { consoleLogger } from '../logging/console-logger.ts';
import type { GlobalOptions } from './options.ts';

/** Opens the database for one command, and closes it whatever happens. */
export async function withTasker<T>(
  options: GlobalOptions,
  { mayMake = false, listen = false }: { mayMake?: boolean; listen?: boolean },
  use: (tasker: Tasker) => Promise<T>,
): Promise<T> {
  const logger = consoleLogger({ level: options.verbose ? 'debug' : 'warn', form: 'notes' });
  const tasker = await openClient({ databaseUrl: options.databaseUrl, logger, mayMake, listen });
  try {
    return await use(tasker);
  } finally {
    await tasker.stop();
  }
}

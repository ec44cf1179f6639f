import { migrateDatabase } from '../../app/project/database-admin.ts';
import { consoleLogger } from '../../logging/console-logger.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';

/** `tasker db migrate`: brings the schema up to date. */
export async function dbMigrate(options: GlobalOptions): Promise<void> {
  const logger = consoleLogger({ level: options.verbose ? 'debug' : 'warn', form: 'notes' });
  const { place, ran } = await migrateDatabase({ databaseUrl: options.databaseUrl, logger });
  if (options.json) printJson({ place, applied: ran });
  else note(ran.length === 0 ? `${place} is up to date` : `${place}: applied ${ran.join(', ')}`);
}

import { migrateDatabase } from '../../app/project/database-admin.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { here } from '../this-run.ts';
import { notesLogger } from '../with-tasker.ts';

/** `tasker db migrate`: applies pending migrations. */
export async function dbMigrate(options: GlobalOptions): Promise<void> {
  const { place, ran } = await migrateDatabase({
    ...here(),
    databaseUrl: options.databaseUrl,
    logger: notesLogger(options),
  });
  if (options.json) printJson({ place, applied: ran });
  else note(ran.length === 0 ? `${place} is up to date` : `${place}: applied ${ran.join(', ')}`);
}

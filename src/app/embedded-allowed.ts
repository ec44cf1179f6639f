import type { LoadedConfig } from '../config/load-config.ts';
import { TaskerError } from '../errors.ts';

/** Whether the embedded server stands in where no server is named: in production only for those who ask for it. */
export function isEmbeddedAllowed({ config, sources }: LoadedConfig): boolean {
  return config.environment !== 'production' || config.embedded || sources.embeddedFolder.from === 'option';
}

/** @throws TaskerError `database_url_missing` where the embedded server does not stand in */
export function checkEmbeddedAllowed(loaded: LoadedConfig): void {
  if (isEmbeddedAllowed(loaded)) return;
  throw new TaskerError(
    'database_url_missing',
    'DATABASE_URL is not set and TASKER_ENV is production: set it to your PostgreSQL server, or set TASKER_EMBEDDED=1 if an embedded server in this folder is really what you want',
  );
}

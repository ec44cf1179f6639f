import type { LoadedConfig } from '../config/load-config.ts';
import { TaskerError } from '../errors.ts';

/** Whether the embedded server is used if no server is named. In production it has to be requested. */
export function isEmbeddedAllowed(loaded: LoadedConfig): boolean {
  const { config, sources } = loaded;
  return productionBy(loaded) === undefined || config.embedded || sources.embeddedFolder.from === 'option';
}

/** @throws TaskerError `database_url_missing` if the embedded server is not used */
export function checkEmbeddedAllowed(loaded: LoadedConfig): void {
  if (isEmbeddedAllowed(loaded)) return;
  throw new TaskerError(
    'database_url_missing',
    `DATABASE_URL is not set and ${productionBy(loaded)} is production: set it to your PostgreSQL server, or set TASKER_EMBEDDED=1 if an embedded server in this folder is really what you want`,
  );
}

/** The setting that makes this production: the configured environment, or `NODE_ENV` if `TASKER_ENV` is not set. */
function productionBy({ config, sources, nodeEnv }: LoadedConfig): string | undefined {
  const { from, name = 'the environment' } = sources.environment;
  if (config.environment === 'production') return name;
  const isNamed = from === 'environment' || from === 'option';
  return !isNamed && nodeEnv === 'production' ? 'NODE_ENV' : undefined;
}

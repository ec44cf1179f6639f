import { loadConfig } from '../config/load-config.ts';
import { schemaStatus } from '../engine/migrate.ts';
import { TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { createTasker } from './create-tasker.ts';
import { checkEmbeddedAllowed } from './open-database.ts';
import { checkUrl, chosenUrl, configForTool, databaseExists, embeddedHome } from './project/database-admin.ts';
import type { Tasker } from './tasker.ts';

/** Options of {@link openClient}. */
export interface OpenClientOptions {
  databaseUrl?: string | undefined;
  logger: Logger;
  /** Whether a database that is missing, or behind, is made and brought up to date. */
  mayMake: boolean;
  /** Whether to hear notifications: for those who wait. */
  listen: boolean;
}

/**
 * A tasker that creates, watches and acts, for tools. It runs no steps. Tools that only look make no database, and
 * leave the schema of a server alone.
 * @throws TaskerError `database_unreachable` when there is no database here, `database_url_missing` when there is none in
 * production, `database_error` when its schema is behind
 */
export async function openClient({ databaseUrl, logger, mayMake, listen }: OpenClientOptions): Promise<Tasker> {
  checkUrl({ databaseUrl });
  if (!mayMake && !databaseExists({ databaseUrl })) {
    checkEmbeddedAllowed(loadConfig());
    throw new TaskerError(
      'database_unreachable',
      `there is no database in ${embeddedHome()}; \`npx tasker dev\` or \`npx tasker db start\` makes one, DATABASE_URL or --database-url names a server`,
    );
  }
  const own = chosenUrl({ databaseUrl }) === undefined;
  const tasker = await createTasker({
    // What is to be said about the configuration is said by those who run it, not by each tool.
    config: configForTool({ databaseUrl, logger }, { poolSize: 3 }),
    worker: false,
    logger,
    migrate: own || mayMake,
    autoStart: false,
  });
  try {
    if (!own && !mayMake) await refuseIfBehind(tasker);
    if (listen) await tasker.start();
    return tasker;
  } catch (error) {
    await tasker.stop();
    throw error;
  }
}

async function refuseIfBehind(tasker: Tasker): Promise<void> {
  const { pending } = await schemaStatus(tasker.engine.database);
  if (pending.length === 0) return;
  throw new TaskerError(
    'database_error',
    `${tasker.place} lacks ${pending.length} migration${pending.length === 1 ? '' : 's'} (${pending.join(', ')}); run \`npx tasker db migrate\``,
  );
}

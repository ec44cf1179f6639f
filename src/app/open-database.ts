import path from 'node:path';
import type { LoadedConfig } from '../config/load-config.ts';
import { lostAtStart } from '../db/connection-error.ts';
import { Database } from '../db/database.ts';
import type { EmbeddedServer } from '../db/embedded/start-embedded.ts';
import { startEmbedded } from '../db/embedded/start-embedded.ts';
import { migrate } from '../engine/migrate.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { checkEmbeddedAllowed } from './embedded-allowed.ts';

/** Where the database is, and how to reach it. */
export interface OpenDatabaseOptions {
  /** Says where it is. */
  loaded: LoadedConfig;
  /** Bring the schema up to date. Default true. */
  migrate?: boolean | undefined;
  logger: Logger;
  /** Where to count. Default: nowhere. */
  metrics?: Metrics | undefined;
}

/** A database that is up to date, and the embedded server under it, if any. */
export interface OpenDatabase {
  database: Database;
  embedded: EmbeddedServer | undefined;
  close(): Promise<void>;
}

/**
 * Opens the given server, or the embedded one.
 * @throws TaskerError `database_url_missing` in production, and what connecting, starting and migrating throw
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const { logger, loaded } = options;
  const { config } = loaded;
  const embedded = config.databaseUrl === undefined ? await startOwn(options) : undefined;
  try {
    const database = await Database.connect({
      ...config,
      url: config.databaseUrl ?? embedded!.url,
      directUrl: config.databaseDirectUrl,
      logger,
      metrics: options.metrics,
    });
    const close = async () => {
      await database.close();
      await embedded?.stop();
    };
    try {
      if (options.migrate ?? true) await migrate(database, logger);
    } catch (error) {
      await database.close();
      throw lostAtStart(database.place, error);
    }
    return { database, embedded, close };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

async function startOwn({ loaded, logger }: OpenDatabaseOptions): Promise<EmbeddedServer> {
  checkEmbeddedAllowed(loaded);
  const folder = path.resolve(loaded.config.embeddedFolder);
  const server = await startEmbedded({
    folder,
    onLog: (line) => logger.debug({ postgres: line }, 'embedded PostgreSQL'),
  });
  logger.info({ folder, started: server.started }, `embedded PostgreSQL ${server.version} in ${folder}`);
  return server;
}

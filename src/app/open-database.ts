import path from 'node:path';
import { DEFAULTS } from '../config/defaults.ts';
import { type Environment, readEnvironment } from '../config/environment.ts';
import { Database } from '../db/database.ts';
import type { EmbeddedServer } from '../db/embedded/start-embedded.ts';
import { startEmbedded } from '../db/embedded/start-embedded.ts';
import { migrate } from '../engine/migrate.ts';
import { TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Where the database is, and how to reach it. */
export interface OpenDatabaseOptions {
  /** Default: `DATABASE_URL`; without it the embedded server. */
  databaseUrl?: string | undefined;
  /** For LISTEN and migrations, when `databaseUrl` leads through a transaction pooler. Default: `DATABASE_DIRECT_URL`. */
  databaseDirectUrl?: string | undefined;
  /** The embedded server's folder. Default `.tasker` in the current folder. */
  embeddedFolder?: string | undefined;
  /** Connections at most. Default 10. */
  poolSize?: number | undefined;
  /** Bring the schema up to date. Default true. */
  migrate?: boolean | undefined;
  logger: Logger;
  /** Where to count. Default: nowhere. */
  metrics?: Metrics | undefined;
  environment?: Environment;
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
  const { logger, environment = readEnvironment() } = options;
  const url = options.databaseUrl ?? environment.databaseUrl;
  const embedded = url === undefined ? await startOwn(options, environment) : undefined;
  try {
    const database = await Database.connect({
      url: url ?? embedded!.url,
      // The environment's direct URL belongs to the environment's server, not to one that was given by hand.
      directUrl:
        options.databaseDirectUrl ??
        (url !== undefined && url === environment.databaseUrl ? environment.databaseDirectUrl : undefined),
      poolSize: options.poolSize ?? DEFAULTS.poolSize,
      pipeline: environment.pipeline,
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
      throw error;
    }
    return { database, embedded, close };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

async function startOwn(options: OpenDatabaseOptions, environment: Environment): Promise<EmbeddedServer> {
  if (environment.environment === 'production' && !environment.embedded && options.embeddedFolder === undefined) {
    throw new TaskerError(
      'database_url_missing',
      'DATABASE_URL is not set and TASKER_ENV is production: set it to your PostgreSQL server, or set TASKER_EMBEDDED=1 if an embedded server in this folder is really what you want',
    );
  }
  const folder = path.resolve(options.embeddedFolder ?? DEFAULTS.embeddedFolder);
  const server = await startEmbedded({
    folder,
    onLog: (line) => options.logger.debug({ postgres: line }, 'embedded PostgreSQL'),
  });
  options.logger.info({ folder, started: server.started }, `embedded PostgreSQL ${server.version} in ${folder}`);
  return server;
}

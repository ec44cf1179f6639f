import path from 'node:path';
import type { LoadedConfig } from '../config/load-config.ts';
import { lostAtStart } from '../db/connection-error.ts';
import { Database } from '../db/database.ts';
import type { EmbeddedServer } from '../db/embedded/start-embedded.ts';
import { migrate, refusePending } from '../engine/migrate.ts';
import { Replica } from '../engine/replica.ts';
import { TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Options of {@link openDatabase}. */
export interface OpenDatabaseOptions {
  /** The configuration, with the URL of the server or the folder of the embedded server. */
  loaded: LoadedConfig;
  /** Pending migrations: applies them, refuses to open, or opens in any case. Default: the setting `migrate`. */
  pending?: 'apply' | 'refuse' | 'ignore';
  logger: Logger;
  /** Where to record metrics. Default: nowhere. */
  metrics?: Metrics | undefined;
}

/** An open database, and the embedded server that it runs on, if any. */
export interface OpenDatabase {
  database: Database;
  embedded: EmbeddedServer | undefined;
  /** A standby for lists and statistics. */
  replica: Replica | undefined;
  close(): Promise<void>;
}

/**
 * Connects to the configured server, or starts the embedded server. @throws TaskerError `database_url_missing` in
 * production; the errors of connecting, starting and migrating
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const { logger, loaded } = options;
  const { config } = loaded;
  const { pending = config.migrate ? 'apply' : 'refuse' } = options;
  const embedded = config.databaseUrl === undefined ? await startOwn(options) : undefined;
  try {
    const database = await Database.connect({
      ...config,
      url: config.databaseUrl ?? embedded!.url,
      directUrl: config.databaseDirectUrl,
      logger,
      metrics: options.metrics,
    });
    const { databaseReplicaUrl: url, ...rest } = config;
    const replica = url === undefined ? undefined : new Replica({ ...rest, url, logger });
    const close = async () => {
      await Promise.all([database.close(), replica?.close()]);
      await embedded?.stop();
    };
    try {
      if (pending === 'apply') await migrate(database, logger);
      else if (pending === 'refuse') await refusePending(database);
    } catch (error) {
      await database.close();
      throw lostAtStart(database.place, error);
    }
    return { database, embedded, replica, close };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

async function startOwn({ loaded, logger }: OpenDatabaseOptions): Promise<EmbeddedServer> {
  checkEmbeddedAllowed(loaded);
  const folder = path.resolve(loaded.config.embeddedFolder);
  const { startEmbedded } = await import('../db/embedded/start-embedded.ts');
  const server = await startEmbedded({
    folder,
    onLog: (line) => logger.debug({ postgres: line }, 'embedded PostgreSQL'),
  });
  logger.info({ folder, started: server.started }, `embedded PostgreSQL ${server.version} in ${folder}`);
  return server;
}

/**
 * Returns whether the embedded server may be used if no server is named. In production, it must be requested
 * explicitly.
 */
export function isEmbeddedAllowed(loaded: LoadedConfig): boolean {
  const { config, sources } = loaded;
  return productionBy(loaded) === undefined || config.embedded || sources.embeddedFolder.from === 'option';
}

/** @throws TaskerError `database_url_missing` if the embedded server may not be used */
export function checkEmbeddedAllowed(loaded: LoadedConfig): void {
  if (isEmbeddedAllowed(loaded)) return;
  throw new TaskerError(
    'database_url_missing',
    `DATABASE_URL is not set and ${productionBy(loaded)} is production: set it to your PostgreSQL server, or set TASKER_EMBEDDED=1 if you want an embedded server in this folder`,
  );
}

/** Returns whether the configuration says that this is production. */
export function isProduction(loaded: LoadedConfig): boolean {
  return productionBy(loaded) !== undefined;
}

/**
 * Returns the setting that makes this production: the configured environment, or `NODE_ENV` if `TASKER_ENV` is not set.
 */
export function productionBy({ config, sources, nodeEnv }: LoadedConfig): string | undefined {
  const { from, name = 'the environment' } = sources.environment;
  if (config.environment === 'production') return name;
  const isNamed = from === 'environment' || from === 'option';
  return !isNamed && nodeEnv === 'production' ? 'NODE_ENV' : undefined;
}

import { existsSync } from 'node:fs';
import path from 'node:path';
import { hostsOf } from '../../config/database-hosts.ts';
import { defaultConfig, type LoadedConfig, loadConfig, withOverrides } from '../../config/load-config.ts';
import { ownSurroundings, type Surroundings } from '../../config/surroundings.ts';
import { redactUrl } from '../../db/connection-error.ts';
import { Database } from '../../db/database.ts';
import type { EmbeddedStatus } from '../../db/embedded/embedded-status.ts';
import type { EmbeddedServer } from '../../db/embedded/start-embedded.ts';
import { migrate, type SchemaStatus, schemaStatus } from '../../engine/migrate.ts';
import { explainForbidden } from '../../engine/rights.ts';
import { isTaskerError, messageOf, TaskerError } from '../../errors.ts';
import { type Logger, silentLogger } from '../../logging/logger.ts';
import { serverFacts } from '../../store/server/server-facts.ts';
import { createTasker } from '../create-tasker.ts';
import { checkEmbeddedAllowed, type OpenDatabase, openDatabase } from '../open-database.ts';
import type { Tasker } from '../tasker.ts';

/** Loaded on demand, because most commands do not use the embedded server. */
const startingEmbedded = () => import('../../db/embedded/start-embedded.ts');

/** Selects the database of a tool. */
export interface DatabaseChoice extends Partial<Surroundings> {
  /** Default: `DATABASE_URL`, otherwise the URL in the configuration, otherwise the embedded server of this folder. */
  databaseUrl?: string | undefined;
  logger?: Logger;
}

/** The status of a database. */
export interface DatabaseStatus {
  kind: 'server' | 'embedded';
  /** The address without the password, or the folder of the embedded server. */
  place: string;
  /**
   * False if the embedded server is not running. This is not an error, because a program that needs the server starts
   * it.
   */
  running: boolean;
  /** The version of PostgreSQL. */
  version: string | null;
  /** The schema of the database that contains the tables. */
  schemaName: string;
  /** Undefined if the server is not running. */
  schema?: SchemaStatus;
  /** Size of the database; null if the server is not running. */
  bytes: number | null;
  embedded?: EmbeddedStatus;
}

/** Returns the folder of the embedded server that a folder uses, by default the current folder. */
export function embeddedHome({ env, cwd }: Partial<Surroundings> = {}): string {
  return path.resolve(cwd ?? '', loadConfig({ env, cwd }).config.embeddedFolder);
}

/** The URL of the chosen server; undefined for the embedded server. */
export function chosenUrl({ databaseUrl, env, cwd }: DatabaseChoice): string | undefined {
  return databaseUrl ?? loadConfig({ env, cwd }).config.databaseUrl;
}

/**
 * Loads the configuration of a tool that only needs the database. If the configuration is invalid but a URL is given,
 * uses the defaults and logs a warning.
 * @throws TaskerError `config_invalid` if the configuration is invalid and no URL is given
 */
export function configForTool(
  { databaseUrl, env, cwd, logger = silentLogger }: DatabaseChoice,
  { poolSize }: { poolSize?: number } = {},
): LoadedConfig {
  const overrides = { databaseUrl, poolSize };
  try {
    return withAbsoluteFolder(loadConfig({ env, cwd, overrides }), cwd);
  } catch (error) {
    if (databaseUrl === undefined || !isTaskerError(error) || error.code !== 'config_invalid') throw error;
    logger.warn(`configuration invalid, using the defaults and the given database URL: ${messageOf(error)}`);
    return withOverrides(defaultConfig({ env, cwd }), { ...overrides, schema: schemaOf(env) });
  }
}

/** Returns the schema that a variable names, so that a tool never takes the default schema for another one. */
function schemaOf(env: NodeJS.ProcessEnv = ownSurroundings().env): string | undefined {
  const name = env.TASKER_SCHEMA?.trim();
  return name === undefined || name === '' ? undefined : name;
}

/** The folder of the embedded server may be relative, and is opened relative to the folder of the process. */
function withAbsoluteFolder(loaded: LoadedConfig, cwd = ''): LoadedConfig {
  const embeddedFolder = path.resolve(cwd, loaded.config.embeddedFolder);
  return { ...loaded, config: { ...loaded.config, embeddedFolder } };
}

/**
 * Rejects an address that is not a PostgreSQL URL, which the driver would take for the name of a database.
 * @throws TaskerError `database_unreachable`
 */
export function checkUrl(choice: DatabaseChoice): void {
  const { config, sources } = configForTool({ ...choice, logger: silentLogger });
  const url = config.databaseUrl;
  if (url === undefined || hostsOf(url) !== undefined) return;
  const from = sources.databaseUrl.from === 'environment' ? sources.databaseUrl.name : 'the database URL';
  throw new TaskerError(
    'database_unreachable',
    `${from} is not a PostgreSQL URL; expected postgres://user:password@host:5432/database`,
  );
}

/** Opens the database for tools, whatever migrations are pending. */
export function openForTools(choice: DatabaseChoice): Promise<OpenDatabase> {
  checkUrl(choice);
  return openDatabase({
    loaded: configForTool(choice, { poolSize: 2 }),
    pending: 'ignore',
    logger: choice.logger ?? silentLogger,
  });
}

/** Returns whether a database exists: a server, or an embedded database, possibly of another user. */
export function databaseExists(choice: DatabaseChoice): boolean {
  return chosenUrl(choice) !== undefined || existsSync(path.join(embeddedHome(choice), 'postgres'));
}

/** Returns the status of the database. Does not start or change anything. */
export async function databaseStatus(choice: DatabaseChoice): Promise<DatabaseStatus> {
  checkUrl(choice);
  const url = chosenUrl(choice);
  const embedded = url === undefined ? await statusOfEmbedded(embeddedHome(choice)) : undefined;
  const reach = url ?? embedded?.url;
  const { schema: schemaName } = configForTool({ ...choice, logger: silentLogger }).config;
  const known = {
    kind: url === undefined ? 'embedded' : 'server',
    place: url === undefined ? embeddedHome(choice) : redactUrl(url),
    schemaName,
    ...(embedded && { embedded }),
  } as const;
  if (reach === undefined) return { ...known, running: false, version: embedded?.version ?? null, bytes: null };
  const database = await Database.connect({
    url: reach,
    schema: schemaName,
    poolSize: 2,
    logger: choice.logger ?? silentLogger,
  });
  try {
    const [schema, { version, bytes }] = await Promise.all([schemaStatus(database), serverFacts(database)]);
    return { ...known, running: true, version, schema, bytes };
  } finally {
    await database.close();
  }
}

/** Migrates the schema. Returns the migrations that ran. */
export async function migrateDatabase(choice: DatabaseChoice): Promise<{ place: string; ran: string[] }> {
  const open = await openForTools(choice);
  try {
    return { place: open.database.place, ran: await migrate(open.database, choice.logger ?? silentLogger) };
  } finally {
    await open.close();
  }
}

/** Starts the embedded server of a folder, or joins a running one, and migrates its schema. */
export async function holdEmbedded(
  folder: string,
  { logger, ...where }: Partial<Surroundings> & { logger: Logger },
): Promise<EmbeddedServer> {
  const { startEmbedded } = await startingEmbedded();
  const server = await startEmbedded({ folder });
  try {
    // An invalid configuration does not prevent the start of a server.
    const { schema } = configForTool({ ...where, databaseUrl: server.url }).config;
    const database = await Database.connect({ url: server.url, schema, poolSize: 2, logger });
    try {
      await migrate(database, logger);
    } finally {
      await database.close();
    }
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Returns the status of the embedded server of a folder. */
export async function statusOfEmbedded(folder: string): Promise<EmbeddedStatus> {
  const { embeddedStatus } = await import('../../db/embedded/embedded-status.ts');
  return embeddedStatus(folder);
}

/**
 * Stops the embedded server of this folder, even if other processes use it. Returns false if the server was not
 * running.
 */
export async function stopOwnEmbedded(where: Partial<Surroundings> = {}): Promise<boolean> {
  return (await startingEmbedded()).stopEmbedded(embeddedHome(where));
}

/** Options of {@link openClient}. */
export interface OpenClientOptions extends Partial<Surroundings> {
  databaseUrl?: string | undefined;
  logger: Logger;
  /** Creates a missing database, and migrates one whose schema is behind unless the setting `migrate` is false. */
  mayMake: boolean;
  /** Receives notifications, which commands that wait for tasks need. */
  listen: boolean;
}

/**
 * Opens a tasker for tools, which runs no steps. Without `mayMake`, it does not create a database or migrate a server.
 * @throws TaskerError `database_unreachable` if no database exists here, `database_url_missing` if none is configured
 * in production, `schema_behind` if migrations are pending
 */
export async function openClient({ mayMake, listen, ...choice }: OpenClientOptions): Promise<Tasker> {
  const { env, cwd, logger } = choice;
  checkUrl(choice);
  if (!mayMake && !databaseExists(choice)) {
    checkEmbeddedAllowed(loadConfig({ env, cwd }));
    throw new TaskerError(
      'database_unreachable',
      `no database exists in ${embeddedHome(choice)}; create one with \`npx tasker-core dev\` or \`npx tasker db start\`, or name a server with DATABASE_URL or --database-url`,
    );
  }
  const own = chosenUrl(choice) === undefined;
  const config = configForTool(choice, { poolSize: 3 });
  const tasker = await createTasker({
    // Workers log the warnings about the configuration; the tools do not repeat them.
    config,
    worker: false,
    logger,
    migrate: config.config.migrate && (own || mayMake),
    autoStart: false,
  });
  try {
    tasker.door = 'cli';
    if (listen) await tasker.start();
    return tasker;
  } catch (error) {
    await tasker.stop();
    throw error;
  }
}

/** Adds advice to the error of an operation on an open database whose role lacks a right. Returns other errors unchanged. */
export function explained(tasker: Tasker, error: unknown): Promise<unknown> {
  return explainForbidden(tasker.engine.database, error);
}

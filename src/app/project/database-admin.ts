import { existsSync } from 'node:fs';
import path from 'node:path';
import { defaultConfig, type LoadedConfig, loadConfig, withOverrides } from '../../config/load-config.ts';
import { redactUrl } from '../../db/connection-error.ts';
import { Database } from '../../db/database.ts';
import { type EmbeddedStatus, embeddedStatus } from '../../db/embedded/embedded-status.ts';
import { type EmbeddedServer, startEmbedded } from '../../db/embedded/start-embedded.ts';
import { stopEmbedded } from '../../db/embedded/stop-embedded.ts';
import { migrate, type SchemaStatus, schemaStatus } from '../../engine/migrate.ts';
import { isTaskerError, messageOf, TaskerError } from '../../errors.ts';
import { type Logger, silentLogger } from '../../logging/logger.ts';
import { serverFacts } from '../../store/server/server-facts.ts';
import { createTasker } from '../create-tasker.ts';
import { checkEmbeddedAllowed, type OpenDatabase, openDatabase } from '../open-database.ts';
import type { Tasker } from '../tasker.ts';

/** Which database a tool means. */
export interface DatabaseChoice {
  /** Default: `DATABASE_URL`, else what the configuration says; without it the embedded server of this folder. */
  databaseUrl?: string | undefined;
  logger?: Logger;
}

/** What is known of a database. */
export interface DatabaseStatus {
  kind: 'server' | 'embedded';
  /** Where it is, without its password. */
  place: string;
  /** False: the embedded server does not run (which is no fault: whoever needs it starts it). */
  running: boolean;
  /** PostgreSQL's version. */
  version: string | null;
  /** Undefined when it does not run. */
  schema?: SchemaStatus;
  /** Size of the database. */
  bytes: number | null;
  embedded?: EmbeddedStatus;
}

/** The folder of the embedded server of the current folder. */
export function embeddedHome(): string {
  return path.resolve(loadConfig().config.embeddedFolder);
}

/** The URL that counts; undefined: the embedded server is meant. */
export function chosenUrl({ databaseUrl }: DatabaseChoice): string | undefined {
  return databaseUrl ?? loadConfig().config.databaseUrl;
}

/**
 * The configuration of a tool that only needs the database. When it is invalid and the URL is given, the defaults
 * apply, with one warning.
 * @throws TaskerError `config_invalid` when no URL is given
 */
export function configForTool(
  { databaseUrl, logger = silentLogger }: DatabaseChoice,
  { poolSize }: { poolSize?: number } = {},
): LoadedConfig {
  const overrides = { databaseUrl, poolSize };
  try {
    return loadConfig({ overrides });
  } catch (error) {
    if (databaseUrl === undefined || !isTaskerError(error) || error.code !== 'config_invalid') throw error;
    logger.warn(
      `using the defaults and the given database URL because the configuration is invalid: ${messageOf(error)}`,
    );
    return withOverrides(defaultConfig(), overrides);
  }
}

/**
 * Refuses an address that is no PostgreSQL URL before the driver makes something of it.
 * @throws TaskerError `database_unreachable`
 */
export function checkUrl(choice: DatabaseChoice): void {
  const { config, sources } = configForTool({ databaseUrl: choice.databaseUrl });
  const url = config.databaseUrl;
  if (url === undefined || (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url))) return;
  const from = sources.databaseUrl.from === 'environment' ? sources.databaseUrl.name : 'the database URL';
  throw new TaskerError(
    'database_unreachable',
    `${from} is no PostgreSQL URL; it looks like postgres://user:password@host:5432/database`,
  );
}

/** Opens the database for tools, without touching its schema unless asked to. */
export function openForTools(choice: DatabaseChoice, { migrate }: { migrate: boolean }): Promise<OpenDatabase> {
  checkUrl(choice);
  return openDatabase({
    loaded: configForTool(choice, { poolSize: 2 }),
    migrate,
    logger: choice.logger ?? silentLogger,
  });
}

/** Whether there is something to look at: a server, or an embedded database that was made before, perhaps by another user. */
export function databaseExists(choice: DatabaseChoice): boolean {
  return chosenUrl(choice) !== undefined || existsSync(path.join(embeddedHome(), 'postgres'));
}

/** Looks at the database; starts and changes nothing. */
export async function databaseStatus(choice: DatabaseChoice): Promise<DatabaseStatus> {
  checkUrl(choice);
  const url = chosenUrl(choice);
  const embedded = url === undefined ? await embeddedStatus(embeddedHome()) : undefined;
  const reach = url ?? embedded?.url;
  const known = {
    kind: url === undefined ? 'embedded' : 'server',
    place: url === undefined ? embeddedHome() : redactUrl(url),
    ...(embedded && { embedded }),
  } as const;
  if (reach === undefined) return { ...known, running: false, version: embedded?.version ?? null, bytes: null };
  const database = await Database.connect({ url: reach, poolSize: 2, logger: choice.logger ?? silentLogger });
  try {
    const [schema, { version, bytes }] = await Promise.all([schemaStatus(database), serverFacts(database)]);
    return { ...known, running: true, version, schema, bytes };
  } finally {
    await database.close();
  }
}

/** Brings the schema up to date; answers with the migrations that ran. */
export async function migrateDatabase(choice: DatabaseChoice): Promise<{ place: string; ran: string[] }> {
  const open = await openForTools(choice, { migrate: false });
  try {
    return { place: open.database.place, ran: await migrate(open.database, choice.logger ?? silentLogger) };
  } finally {
    await open.close();
  }
}

/** Starts the embedded server of a folder, or joins it, and brings its schema up to date. */
export async function holdEmbedded(folder: string, logger: Logger): Promise<EmbeddedServer> {
  const server = await startEmbedded({ folder });
  try {
    const database = await Database.connect({ url: server.url, poolSize: 2, logger });
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

/** Status of the embedded server of a folder. */
export function statusOfEmbedded(folder: string): Promise<EmbeddedStatus> {
  return embeddedStatus(folder);
}

/** Stops the embedded server of this folder, whoever uses it; false: none ran. */
export function stopOwnEmbedded(): Promise<boolean> {
  return stopEmbedded(embeddedHome());
}

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

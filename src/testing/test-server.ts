import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { sqlState } from '../db/connection-error.ts';
import { Database } from '../db/database.ts';
import { startEmbedded } from '../db/embedded/start-embedded.ts';
import { migrate, schemaDigest } from '../engine/migrate.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { silentLogger } from '../logging/logger.ts';
import { cacheFolder } from '../registry/bundle-cache.ts';
import { databaseInUse, leftoverDatabases } from '../store/server/databases.ts';
import { type AdminSession, asAdmin, otherDatabase } from './admin-session.ts';

const { escapeIdentifier } = pg;

const PREFIX = 'tasker_test_';
/** Databases older than this belong to tests that were killed. */
const LEFT_OVER_MS = 60 * 60 * 1000;
const NO_SUCH_DATABASE = '3D000';
/** Error codes if the database exists. Two concurrent processes get a unique violation. */
const EXISTS_ALREADY = new Set(['42P04', '23505']);
const IN_USE = '55006';
const CLONE_TRIES = 200;
const RETRY_MS = 20;
const LEAVING_TRIES = 20;
const LEAVING_MS = 4;

/** A server on which test databases can be created. */
interface TestServer {
  url: string;
  /** The migrated database that the others are cloned from. */
  template: string;
}

/** The database of one test. */
export interface TestDatabase {
  url: string;
  /** Drops the database, even if there are connections. */
  drop(): Promise<void>;
}

const servers = new Map<string, Promise<TestServer>>();
let made = 0;

/**
 * Creates an empty database with the schema, on the given server or on an embedded server. The first call in this
 * process starts the embedded server without crash safety. The server stops with the last process that uses it.
 */
export async function testDatabase(serverUrl: string | undefined): Promise<TestDatabase> {
  const { url, template } = await theServer(serverUrl);
  const name = `${PREFIX}${Date.now().toString(36)}_${process.pid.toString(36)}_${(++made).toString(36)}`;
  await asAdmin(url, ({ run }) => clone(run, { name, template }));
  return {
    url: otherDatabase(url, name),
    drop: () => asAdmin(url, (session) => drop(session, name)),
  };
}

function theServer(serverUrl: string | undefined): Promise<TestServer> {
  const key = serverUrl ?? 'embedded';
  let server = servers.get(key);
  if (!server) {
    server = prepare(serverUrl);
    servers.set(key, server);
    // Removed from the map, so that the next test tries again.
    server.catch(() => servers.delete(key));
  }
  return server;
}

async function prepare(serverUrl: string | undefined): Promise<TestServer> {
  const url = serverUrl ?? (await startOwn());
  const template = `${PREFIX}template_${(await schemaDigest()).slice(0, 12)}`;
  const database = await Database.connect({ url, poolSize: 2, logger: silentLogger });
  let existing: string[];
  try {
    existing = await leftoverDatabases(database, PREFIX);
  } finally {
    await database.close();
  }
  if (!existing.includes(template)) await makeTemplate(url, template);
  await removeLeftovers(url, existing);
  return { url, template };
}

async function startOwn(): Promise<string> {
  const folder = cacheFolder(process.cwd(), 'test-server');
  try {
    const server = await startEmbedded({ folder, durable: false, settings: { max_connections: '400' } });
    return server.url;
  } catch (error) {
    if (!(error instanceof TaskerError) || error.code !== 'embedded_failed') throw error;
    throw new TaskerError(
      'embedded_failed',
      `${error.message}; the test kit's server contains no data to keep, so remove ${folder} and run the tests again`,
      { cause: error, details: error.details },
    );
  }
}

/**
 * Creates the template database under another name and renames it when it is complete, because two processes may race.
 */
async function makeTemplate(url: string, template: string): Promise<void> {
  const part = `${PREFIX}${Date.now().toString(36)}_${process.pid.toString(36)}_template`;
  await asAdmin(url, async ({ run }) => {
    await run(`create database ${escapeIdentifier(part)}`);
    const database = await Database.connect({ url: otherDatabase(url, part), poolSize: 2, logger: silentLogger });
    try {
      await migrate(database, silentLogger);
    } finally {
      await database.close();
    }
    try {
      await whenUnused(() => run(`alter database ${escapeIdentifier(part)} rename to ${escapeIdentifier(template)}`));
    } catch (error) {
      if (!EXISTS_ALREADY.has(sqlState(error) ?? '')) throw error;
      await run(`drop database ${escapeIdentifier(part)} with (force)`);
    }
  });
}

async function clone(
  run: (text: string) => Promise<void>,
  { name, template }: { name: string; template: string },
): Promise<void> {
  try {
    await whenUnused(() => run(`create database ${escapeIdentifier(name)} template ${escapeIdentifier(template)}`));
  } catch (error) {
    if (sqlState(error) !== NO_SUCH_DATABASE) throw error;
    servers.clear(); // another process dropped it, and the next call creates it again
    throw new TaskerError(
      'database_error',
      `the test kit's database ${template} was dropped by another process; run the test again: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/**
 * Drops a database, even if there are connections. First waits for sessions that were just closed, because the server
 * itself would only check again after 100 ms.
 */
async function drop({ run, db }: AdminSession, name: string): Promise<void> {
  for (let tries = 0; tries < LEAVING_TRIES && (await databaseInUse(db, name)); tries++) await pause(LEAVING_MS);
  await run(`drop database if exists ${escapeIdentifier(name)} with (force)`);
}

/**
 * Runs an action on a database once it has no connections, because a closed connection's backend exits with a delay.
 */
async function whenUnused(act: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (sqlState(error) !== IN_USE || tries >= CLONE_TRIES) throw error;
      await pause(RETRY_MS);
    }
  }
}

/** Drops databases of tests that were killed. Their names contain the time of creation. */
async function removeLeftovers(url: string, names: readonly string[]): Promise<void> {
  const old = names.filter((name) => {
    const madeAt = Number.parseInt(name.slice(PREFIX.length).split('_')[0] ?? '', 36);
    return !name.startsWith(`${PREFIX}template_`) && Date.now() - madeAt > LEFT_OVER_MS;
  });
  if (old.length === 0) return;
  await asAdmin(url, async ({ run }) => {
    for (const name of old) await run(`drop database if exists ${escapeIdentifier(name)}`);
  });
}

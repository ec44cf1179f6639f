import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Database } from '../db/database.ts';
import type { Session } from '../db/session.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { counted } from '../model/counted.ts';
import {
  type AppliedMigration,
  appliedMigrations,
  migrationLogExists,
  noteMigration,
  prepareMigrationLog,
} from '../store/server/migration-log.ts';
import { explainForbidden, factsOf, isForbidden } from './rights.ts';

const FOLDER = new URL('../../migrations/', import.meta.url);
/** The advisory lock under which migrations run. The number is arbitrary but unique. */
const LOCK_ID = 7_303_014_002;

interface Migration extends AppliedMigration {
  text: string;
}

/** Returns the migrations of this program, in order. */
async function ownMigrations(): Promise<Migration[]> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, FOLDER), 'utf8');
      return {
        id: Number(name.slice(0, 4)),
        name,
        text,
        checksum: createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex'),
        serves: Number(/^-- serves: (\d+)$/m.exec(text)?.[1] ?? Number.NaN),
      };
    }),
  );
}

/** Returns a hash of this program's schema. Programs with the same hash can use copies of one database. */
export async function schemaDigest(): Promise<string> {
  const checksums = (await ownMigrations()).map(({ name, checksum }) => `${name} ${checksum}`);
  return createHash('sha256').update(checksums.join('\n')).digest('hex');
}

/** The state of a database's schema, compared with this program. */
export interface SchemaStatus {
  applied: string[];
  pending: string[];
}

function check({ schema }: Database, applied: readonly AppliedMigration[], own: readonly Migration[]): void {
  const newest = own.at(-1)!.id;
  for (const row of applied) {
    const mine = own.find((migration) => migration.id === row.id);
    if (mine && mine.name !== row.name) {
      throw new TaskerError(
        'schema_changed',
        `the schema ${schema.name} was created by an unreleased version of tasker-core (${row.name}), which this version does not read; dump the data that you need, drop the schema, and start again`,
      );
    }
    if (mine && mine.checksum !== row.checksum) {
      throw new TaskerError(
        'schema_changed',
        `migration ${row.name} was applied with a different text than this program has; released migrations never change, so install the version that created the database`,
      );
    }
    if (row.serves > newest) {
      throw new TaskerError(
        'schema_too_new',
        `the database was migrated by a later version (${row.name}) that serves programs from migration ${row.serves} on, but this one only knows migrations up to ${newest}; upgrade tasker-core`,
      );
    }
  }
}

/**
 * Reads which migrations are applied and which are pending. Changes nothing.
 * @throws TaskerError `schema_changed`, `schema_too_new`, `rights_missing`
 */
export async function schemaStatus(database: Database): Promise<SchemaStatus> {
  const own = await ownMigrations();
  const applied = await readLog(database);
  check(database, applied, own);
  const done = new Set(applied.map((row) => row.id));
  return {
    applied: applied.map((row) => row.name),
    pending: own.filter((migration) => !done.has(migration.id)).map((migration) => migration.name),
  };
}

async function readLog(database: Database): Promise<AppliedMigration[]> {
  try {
    return (await migrationLogExists(database)) ? await appliedMigrations(database) : [];
  } catch (error) {
    throw await explainForbidden(database, error);
  }
}

/**
 * Refuses a database with pending migrations, for a program that does not apply them.
 * @throws TaskerError `schema_behind`, `schema_changed`, `schema_too_new`
 */
export async function refusePending(database: Database): Promise<void> {
  const { pending } = await schemaStatus(database);
  if (pending.length === 0) return;
  throw new TaskerError(
    'schema_behind',
    `${phrasePending(database, pending)}, and this program does not apply migrations; run \`${migrateCommand(database)}\` first`,
    { details: { pending } },
  );
}

function phrasePending({ place }: Database, pending: readonly string[]): string {
  return `${place} lacks ${counted(pending.length, 'migration')} (${pending.join(', ')})`;
}

/** Returns the command that applies the pending migrations. */
export function migrateCommand({ schema }: Database): string {
  return `npx tasker db migrate${schema.isDefault ? '' : ` --schema ${schema.name}`}`;
}

/**
 * Applies the pending migrations, each in its own transaction, and returns their names. An advisory lock lets any
 * number of processes start at the same time.
 * @throws TaskerError `schema_behind` if the role may not apply them, `schema_changed`, `schema_too_new`, `rights_missing`
 */
export async function migrate(database: Database, logger: Logger): Promise<string[]> {
  if ((await schemaStatus(database)).pending.length === 0) return [];
  try {
    return await database.exclusively(LOCK_ID, (session) => applyPending(database, session, logger));
  } catch (error) {
    throw isForbidden(error) ? await forbidden(database, error) : error;
  }
}

async function applyPending(database: Database, session: Session, logger: Logger): Promise<string[]> {
  await prepareMigrationLog(session);
  const applied = await appliedMigrations(session);
  const own = await ownMigrations();
  check(database, applied, own);
  const done = new Set(applied.map((row) => row.id));
  const isNew = applied.length === 0;
  const ran: string[] = [];
  for (const migration of own) {
    if (done.has(migration.id)) continue;
    await apply(session, migration);
    if (!isNew) logger.info({ migration: migration.name }, 'migration applied');
    ran.push(migration.name);
  }
  if (isNew) logger.info({ migrations: ran.length }, 'tables created');
  return ran;
}

/** The error of a role that may not apply the pending migrations. */
async function forbidden(database: Database, error: unknown): Promise<TaskerError> {
  const { pending } = await schemaStatus(database);
  const { role, owner } = (await factsOf(database)) ?? { role: 'of the connection', owner: null };
  const who = owner === null ? 'a role that may create the schema' : `${owner}, which owns the schema`;
  return new TaskerError(
    'schema_behind',
    `${phrasePending(database, pending)}, and the role ${role} may not apply ${pending.length === 1 ? 'it' : 'them'} (${messageOf(error)}); run \`${migrateCommand(database)}\` as ${who}`,
    { cause: error, details: { pending } },
  );
}

async function apply(session: Session, migration: Migration): Promise<void> {
  try {
    await session.transaction(async (run) => {
      await run(migration.text);
      await noteMigration(session, migration);
    });
  } catch (error) {
    throw new TaskerError('database_error', `migration ${migration.name}: ${messageOf(error)}`, { cause: error });
  }
}

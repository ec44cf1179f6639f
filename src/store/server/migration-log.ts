import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const PREPARE_LOG = sql('prepare_migration_log')`
do $$ begin
  -- An existing schema is not created again, because that requires a privilege on the database.
  if to_regnamespace('tasker') is null then create schema tasker; end if;
  create table if not exists tasker.migration (
    id int primary key, name text not null, checksum text not null, serves int not null, applied_at timestamptz not null default now());
end $$`;

/** Creates the table of applied migrations. */
export async function prepareMigrationLog(db: Db): Promise<void> {
  await db.query(PREPARE_LOG);
}

const LOG_EXISTS = sql('migration_log_exists')`select to_regclass('tasker.migration') is not null as there`;

/** Returns whether any migration was applied to this database. */
export async function migrationLogExists(db: Db): Promise<boolean> {
  return (await db.query<{ there: boolean }>(LOG_EXISTS)).rows[0]!.there;
}

const APPLIED = sql('applied_migrations')`select id, name, checksum, serves from tasker.migration order by id`;

/** An applied migration. `serves`: the newest migration of the oldest program that works after it. */
export interface AppliedMigration {
  id: number;
  name: string;
  checksum: string;
  serves: number;
}

/** Returns the applied migrations, in order. */
export async function appliedMigrations(db: Db): Promise<AppliedMigration[]> {
  return (await db.query<AppliedMigration>(APPLIED)).rows;
}

const NOTE_MIGRATION = sql('note_migration')`
insert into tasker.migration (id, name, checksum, serves) values ($1, $2, $3, $4)`;

/** Records a migration as applied, in the transaction of the migration. */
export async function noteMigration(db: Db, migration: AppliedMigration): Promise<void> {
  await db.query(NOTE_MIGRATION, [migration.id, migration.name, migration.checksum, migration.serves]);
}

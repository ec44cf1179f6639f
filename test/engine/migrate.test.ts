import { describe, expect, it, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import { Database } from '../../src/db/database.ts';
import { migrate, schemaStatus } from '../../src/engine/migrate.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { freshDatabase, openSession } from '../support/database.ts';
import { until } from '../support/setup.ts';

async function connected() {
  const { url, sql, drop } = await freshDatabase();
  const database = await Database.connect({ url, poolSize: 2, logger: silentLogger });
  onTestFinished(async () => {
    await database.close();
    await drop();
  });
  return { url, sql, database };
}

it('a migration that fails is reported with its name and the database error, and changes nothing', async () => {
  const { sql, database } = await connected();
  await sql('drop schema tasker cascade');
  await sql('create schema tasker');
  await sql('create table tasker.namespace (kept int)');
  await expect(migrate(database, silentLogger)).rejects.toMatchObject({
    code: 'database_error',
    message: expect.stringMatching(/^migration \d{4}_\w+\.sql: relation "namespace" already exists$/),
  });
  expect(await sql('select * from tasker.migration')).toEqual([]);
  expect(await sql(`select to_regclass('tasker.task') is null missing`)).toEqual([{ missing: true }]);
});

it('a migration that waited for another process checks again which migrations are applied', async () => {
  const { url, sql, database } = await connected();
  const [applied] = await sql(
    'delete from tasker.migration where id = (select max(id) from tasker.migration) returning *',
  );
  const other = await openSession(url);
  await other.query('select pg_advisory_lock(7303014002)');
  const migrating = migrate(database, silentLogger);
  migrating.catch(() => undefined);
  await until(
    () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
    (waiting) => waiting.length > 0,
  );
  const { id, name, serves } = applied!;
  await sql('insert into tasker.migration (id, name, checksum, serves) values ($1, $2, $3, $4)', [
    id,
    name,
    'other',
    serves,
  ]);
  await other.query('select pg_advisory_unlock(7303014002)');
  await expect(migrating).rejects.toMatchObject({ code: 'schema_changed' });
});

it('the first start on an empty database logs one line', async () => {
  const { sql, database } = await connected();
  await sql('drop schema tasker cascade');
  const lines: unknown[] = [];
  const ran = await migrate(database, { ...silentLogger, info: (...line: unknown[]) => void lines.push(line) });
  expect(lines).toEqual([[{ migrations: ran.length }, 'tables created']]);
});

it('a database that an unreleased version created is rejected with what to do', async () => {
  const { sql, database } = await connected();
  await sql(`update tasker.migration set name = '0001_foundation.sql', checksum = 'other' where id = 1`);
  await sql(`insert into tasker.migration (id, name, checksum, serves) values (2, '0002_search.sql', 'other', 1)`);
  const rejected = {
    code: 'schema_changed',
    message:
      'the schema tasker was created by an unreleased version of tasker-core (0001_foundation.sql), which this version does not read; dump the data that you need, drop the schema, and start again',
  };
  await expect(migrate(database, silentLogger)).rejects.toMatchObject(rejected);
  await expect(schemaStatus(database)).rejects.toMatchObject(rejected);
});

describe('a program that does not apply migrations', () => {
  /** Opens a tasker that does not apply migrations, and stops it. */
  async function open(url: string, options: CreateTaskerOptions = {}): Promise<void> {
    const tasker = await createTasker({ databaseUrl: url, worker: false, migrate: false, ...options });
    await tasker.stop();
  }

  it('refuses a database with pending migrations, and changes nothing', async () => {
    const { url, sql } = await connected();
    await sql('drop schema tasker cascade');
    await expect(open(url)).rejects.toMatchObject({
      code: 'schema_behind',
      message: expect.stringMatching(
        /^postgres:\S+ lacks 1 migration \(0001_\w+\.sql\), and this program does not apply migrations; run `npx tasker db migrate` first$/,
      ),
      details: { pending: [expect.stringMatching(/^0001_/)] },
    });
    expect(await sql(`select to_regnamespace('tasker') schema`)).toEqual([{ schema: null }]);
  });

  it('names its schema in the command, if it is not the default', async () => {
    const { url } = await connected();
    await expect(open(url, { schema: 'shop' })).rejects.toMatchObject({
      code: 'schema_behind',
      message: expect.stringContaining('run `npx tasker db migrate --schema shop` first'),
    });
  });

  it('uses a newer schema that still serves it, and refuses one that does not', async () => {
    const { url, sql } = await connected();
    await sql(`insert into tasker.migration (id, name, checksum, serves) values (99, '0099_later.sql', 'x', 1)`);
    await open(url);
    await sql('update tasker.migration set serves = 99 where id = 99');
    await expect(open(url)).rejects.toMatchObject({ code: 'schema_too_new' });
  });
});

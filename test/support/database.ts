import type { Socket } from 'node:net';
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';
import { closeSessionsOf, idleSessionsOf, keepSessionsOf } from './suite/warm-sessions.ts';

let made = 0;

/** A database for tests. */
export interface TestDatabase {
  url: string;
  sql: Sql;
  drop(): Promise<void>;
}

/**
 * Creates a migrated database by cloning the template, on the server that this project runs on. For tests that change
 * tables, count sessions or measure. Other tests use {@link emptyDatabase}, which takes less time.
 */
export async function freshDatabase(): Promise<TestDatabase> {
  const database = await clone();
  return { url: database.url, sql: database.sql, drop: () => remove(database) };
}

/** A database that this process created. */
interface Clone {
  server: string;
  name: string;
  url: string;
  sql: Sql;
  client: pg.Client;
}

async function clone(keepSessions = false): Promise<Clone> {
  const server = inject('servers')[inject('postgres')]!;
  const name = `test_${process.pid}_${++made}_${Date.now().toString(36)}`;
  // Copy the files. The default copies through the write-ahead log, which writes everything twice.
  await admin(server, `create database ${name} template tasker_template strategy = file_copy`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: url.toString(), application_name: 'operator' });
  client.on('error', () => {});
  await client.connect();
  if (keepSessions) keepSessionsOf(name);
  // One after another, because the driver warns about queries that are sent while another is in progress.
  let before: Promise<unknown> = Promise.resolve();
  const sql: Sql = async (text, values = []) => {
    const answer = before.then(() => client.query(text, values));
    before = answer.catch(() => undefined);
    return (await answer).rows;
  };
  return { server, name, url: url.toString(), sql, client };
}

async function remove({ server, name, client }: Clone): Promise<void> {
  closeSessionsOf(name);
  await client.end().catch(() => undefined);
  await admin(server, `drop database if exists ${name} with (force)`);
}

/** A database that tests use one after another, emptied in between. */
interface Reused extends Clone {
  /** The catalogs and counts of rows when it was created. After a test that changes or vacuums tables, the database is dropped. */
  catalogs: string;
  /** The rows of the tables that are not empty in a new database, as JSON. */
  first: Map<string, string>;
  tables: string[];
  /** The statement that restarts the sequences. */
  sequences: string;
  uses: number;
}

const unused: Reused[] = [];
/** Number of tests that use a database. Deleted rows remain in the files of its tables, and slow down each statement. */
const MOST_USES = 20;

/**
 * Returns a migrated database without rows. An earlier test of this process may have used it. Then its tables were
 * emptied and its sequences restarted. All sessions ended except the ones that `warm-sessions.ts` keeps.
 */
export async function emptyDatabase(): Promise<TestDatabase> {
  if (inject('thorough')) return freshDatabase();
  const database = unused.pop() ?? (await reused());
  database.uses++;
  return { url: database.url, sql: database.sql, drop: () => giveBack(database) };
}

const CATALOGS = {
  name: 'catalogs',
  text: `select concat_ws(' ', (select concat(count(*), ' ', max(xmin::text::bigint)) from pg_class),
    (select concat(count(*), ' ', max(xmin::text::bigint)) from pg_proc where oid >= 16384),
    (select concat(count(*), ' ', max(xmin::text::bigint)) from pg_trigger),
    (select concat(count(*), ' ', max(xmin::text::bigint)) from pg_constraint),
    (select concat(count(*), ' ', max(xmin::text::bigint)) from pg_attrdef),
    (select concat(count(*), ' ', max(xmin::text::bigint)) from pg_namespace),
    (select count(*) from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase where d.datname = current_database())) seen`,
};

async function reused(): Promise<Reused> {
  const database = await clone(true);
  const { sql } = database;
  const rows = await sql<{ name: string }>(
    "select oid::regclass::text name from pg_class where relnamespace = 'tasker'::regnamespace and relkind = 'r'",
  );
  const tables = rows.map(({ name }) => name).filter((name) => name !== 'tasker.migration');
  const first = new Map<string, string>();
  for (const name of await filled(database, tables)) {
    const [row] = await sql<{ rows: string }>(`select json_agg(t)::text rows from ${name} t`);
    first.set(name, row!.rows);
  }
  const [sequences] = await sql<{ again: string }>(
    `select 'select ' || string_agg(format('setval(%L, %s, %s)', schemaname || '.' || sequencename, coalesce(last_value, 1), (last_value is not null)::text), ', ') again
       from pg_sequences where schemaname = 'tasker'`,
  );
  return { ...database, tables, first, sequences: sequences!.again, catalogs: await catalogs(database), uses: 0 };
}

async function catalogs({ client }: Clone): Promise<string> {
  return (await client.query<{ seen: string }>(CATALOGS)).rows[0]!.seen;
}

async function filled({ client }: Clone, tables: readonly string[]): Promise<string[]> {
  const text = tables.map((name) => `select '${name}' name where exists (select from ${name})`).join(' union all ');
  return (await client.query<{ name: string }>({ name: 'filled', text })).rows.map(({ name }) => name);
}

async function giveBack(database: Reused): Promise<void> {
  const emptied = database.uses < MOST_USES && (await empty(database).catch(() => false));
  if (emptied) unused.push(database);
  else await remove(database);
}

const END_SESSIONS = {
  name: 'end_sessions',
  text: `select count(pg_terminate_backend(pid, 2000))::int ended from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and pid <> all($1::int[]) and backend_type = 'client backend'`,
};

/** Empties a database. Returns false if a test changed its schema or its settings, so that it cannot be used again. */
async function empty(database: Reused): Promise<boolean> {
  const { client, tables, first, sequences } = database;
  await client.query('rollback; reset all');
  await client.query(END_SESSIONS, [idleSessionsOf(database.name)]);
  if ((await catalogs(database)) !== database.catalogs) return false;
  const texts = (await filled(database, tables)).map((name) => {
    const rows = first.get(name);
    const again = rows
      ? `; insert into ${name} overriding system value select * from json_populate_recordset(null::${name}, ${pg.escapeLiteral(rows)})`
      : '';
    return `delete from ${name}${again}`;
  });
  await client.query(
    ["begin; set local session_replication_role = 'replica'", ...texts, sequences, 'commit'].join('; '),
  );
  return true;
}

/** A condition for `pg_locks`, which lists the locks of all databases of the server. Clones have the same tables. */
export const OF_THIS_DATABASE = 'database = (select oid from pg_database where datname = current_database())';

/** Queries tables as an operator would with psql. Tests act through the public verbs. */
export type Sql = <Row extends pg.QueryResultRow = Record<string, unknown>>(
  text: string,
  values?: unknown[],
) => Promise<Row[]>;

/** Opens a separate session of an operator, for transactions that stay open. It is closed when the test ends. */
export async function openSession(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** The connection of this process to each server, which creates and drops all its databases. */
const admins = new Map<string, Promise<pg.Client>>();

async function connectAdmin(server: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server });
  client.on('error', () => admins.delete(server));
  await client.connect();
  // It does not keep the process alive.
  (client as unknown as { connection: { stream: Socket } }).connection.stream.unref();
  return client;
}

// `create database … template` needs exclusive use of the template, so test files that start together take turns.
async function admin(server: string, text: string): Promise<void> {
  const connecting = admins.get(server) ?? connectAdmin(server);
  admins.set(server, connecting);
  const client = await connecting;
  for (let tries = 0; ; tries++) {
    try {
      await client.query(text);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== '55006' || tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

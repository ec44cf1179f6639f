import type { Socket } from 'node:net';
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';

let made = 0;

/** Creates a database by cloning the migrated template database, on the server that this project runs on. */
export async function freshDatabase(): Promise<{ url: string; sql: Sql; drop(): Promise<void> }> {
  const server = inject('servers')[inject('postgres')]!;
  const name = `test_${process.pid}_${++made}_${Date.now().toString(36)}`;
  // Copy the files. The default copies through the write-ahead log, which writes everything twice.
  await admin(server, `create database ${name} template tasker_template strategy = file_copy`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: url.toString() });
  client.on('error', () => {});
  await client.connect();
  // One after another, because the driver warns about queries that are sent while another is in progress.
  let before: Promise<unknown> = Promise.resolve();
  return {
    url: url.toString(),
    sql: async (text, values = []) => {
      const answer = before.then(() => client.query(text, values));
      before = answer.catch(() => undefined);
      return (await answer).rows;
    },
    drop: async () => {
      await client.end().catch(() => undefined);
      await admin(server, `drop database if exists ${name} with (force)`);
    },
  };
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

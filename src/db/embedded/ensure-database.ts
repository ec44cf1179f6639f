import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/** The database in which everything of tasker is. */
export const DATABASE = 'tasker';

const DOES_NOT_EXIST = '3D000';
const EXISTS_ALREADY = new Set(['42P04', '23505']);
const CANNOT_CONNECT_NOW = '57P03';
const ANSWER_TIMEOUT_MS = 10_000;
const RETRY_MS = 50;

/** Sees that the database is there and answers. Gives the server's version, for instance '18.4'. */
export async function ensureDatabase(urlOf: (database: string) => string): Promise<string> {
  try {
    return await ask(urlOf(DATABASE));
  } catch (error) {
    if (codeOf(error) !== DOES_NOT_EXIST) throw error;
  }
  try {
    await ask(urlOf('postgres'), `create database ${DATABASE}`);
  } catch (error) {
    if (!EXISTS_ALREADY.has(codeOf(error))) throw error; // two processes at once are fine
  }
  return ask(urlOf(DATABASE));
}

/** A server that lost a backend takes no connections for a moment while it recovers; that is waited for. */
async function ask(url: string, before?: string): Promise<string> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    try {
      return await askOnce(url, before);
    } catch (error) {
      if (codeOf(error) !== CANNOT_CONNECT_NOW || performance.now() > deadline) throw error;
      await pause(RETRY_MS);
    }
  }
}

async function askOnce(url: string, before?: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_TIMEOUT_MS });
  // A connection that breaks between two statements reports here; the next statement, or end(), tells it too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    if (before) await client.query(before);
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return rows[0]?.server_version.split(' ')[0] ?? '';
  } finally {
    await client.end();
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? '';
}

/** Where a server is, and who enters. */
export interface ServerAddress {
  /** Folder of the Unix socket; undefined for TCP on this machine. */
  socketFolder: string | undefined;
  port: number;
  password: string;
  database: string;
}

/**
 * The URL under which `pg` finds the server. With a socket, the host of the authority is not used: the one in the
 * query wins. `sslmode` and the port stand in it so that PGSSLMODE and PGPORT of the environment do not matter.
 */
export function serverUrl({ socketFolder, port, password, database }: ServerAddress): string {
  const base = `postgres://postgres:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
  return socketFolder === undefined ? base : `${base}&host=${encodeURIComponent(socketFolder)}`;
}

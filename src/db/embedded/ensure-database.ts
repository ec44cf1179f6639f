import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/** The name of the database that tasker uses. */
export const DATABASE = 'tasker';

const DOES_NOT_EXIST = '3D000';
const EXISTS_ALREADY = new Set(['42P04', '23505']);
const CANNOT_CONNECT_NOW = '57P03';
const ANSWER_TIMEOUT_MS = 10_000;
const RETRY_MS = 50;

/**
 * Creates the database if it does not exist, and checks that it responds. Returns the server's version, for example
 * '18.4'.
 */
export async function ensureDatabase(urlOf: (database: string) => string): Promise<string> {
  try {
    return await ask(urlOf(DATABASE));
  } catch (error) {
    if (codeOf(error) !== DOES_NOT_EXIST) throw error;
  }
  try {
    await ask(urlOf('postgres'), `create database ${DATABASE}`);
  } catch (error) {
    if (!EXISTS_ALREADY.has(codeOf(error))) throw error; // another process created it at the same time
  }
  return ask(urlOf(DATABASE));
}

/** Retries while the server recovers after the crash of a backend, since it then refuses connections for a moment. */
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
  // A connection lost between two statements emits an error here. The next statement, or end(), reports it too.
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

/** The address of a server, with its password and database. */
export interface ServerAddress {
  /** Folder of the Unix socket. Undefined for TCP on this machine. */
  socketFolder: string | undefined;
  port: number;
  password: string;
  database: string;
}

/**
 * Returns the URL of the server for `pg`. With a socket, `host` in the query overrides the host of the URL. `sslmode` and the
 * port are set, so that PGSSLMODE and PGPORT in the environment have no effect.
 */
export function serverUrl({ socketFolder, port, password, database }: ServerAddress): string {
  const base = `postgres://postgres:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
  return socketFolder === undefined ? base : `${base}&host=${encodeURIComponent(socketFolder)}`;
}

import pg from 'pg';
import { refusedConnection, sqlState } from '../db/connection-error.ts';
import type { Db, Rows, Statement } from '../db/statement.ts';
import { messageOf, TaskerError } from '../errors.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/** By server. Idle connections are kept for the next test for a while, and hold up no program that is done. */
const pools = new Map<string, pg.Pool>();

function poolOf(url: string): pg.Pool {
  let pool = pools.get(url);
  if (!pool) {
    pool = new pg.Pool({
      connectionString: url,
      max: 2,
      connectionTimeoutMillis: 10_000,
      idleTimeoutMillis: 10_000,
      allowExitOnIdle: true,
    });
    // One that breaks in use is told by its statement; one that breaks while idle is replaced when the next is asked for.
    pool.on('connect', (client) => client.on('error', () => undefined));
    pool.on('error', () => undefined);
    pools.set(url, pool);
  }
  return pool;
}

/** One connection, beside the databases of tests. */
export interface AdminSession {
  /** Creates, renames or drops a database. */
  run(text: string): Promise<void>;
  /** For the statements of `store`. */
  db: Db;
}

/** Gives `work` a connection for statements about databases. */
export async function asAdmin<T>(url: string, work: (session: AdminSession) => Promise<T>): Promise<T> {
  let client: pg.PoolClient;
  try {
    client = await poolOf(url).connect();
  } catch (error) {
    throw refusedConnection(url, error);
  }
  try {
    return await work(sessionOn(client));
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new TaskerError(
      'database_error',
      `the test kit makes a database for each test, and this user may not (${messageOf(error)}); ` +
        'give it the right (alter role … createdb), or leave out databaseUrl and DATABASE_URL for the embedded server',
      { cause: error },
    );
  } finally {
    client.release();
  }
}

function sessionOn(client: pg.PoolClient): AdminSession {
  return {
    run: async (text) => void (await client.query(text)),
    db: {
      query: async <Row>({ text }: Statement, values: readonly unknown[] = []) =>
        (await client.query(text, values as unknown[])) as unknown as Rows<Row>,
    },
  };
}

/** The same server, another database. */
export function otherDatabase(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(name)}`;
  return other.toString();
}

import pg from 'pg';
import { refusedConnection, sqlState } from '../db/connection-error.ts';
import type { Db, Rows, Statement } from '../db/statement.ts';
import { messageOf, TaskerError } from '../errors.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/** Pools by server. Idle connections are kept for the next test, but do not prevent the process from exiting. */
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
    // A connection that fails during a statement rejects that statement. One that fails while idle is replaced by the
    // pool.
    pool.on('connect', (client) => client.on('error', () => undefined));
    pool.on('error', () => undefined);
    pools.set(url, pool);
  }
  return pool;
}

/** A connection for administrative statements, outside the databases of tests. */
export interface AdminSession {
  /** Creates, renames or drops a database. */
  run(text: string): Promise<void>;
  /** The connection in the form that the statements of `store` need. */
  db: Db;
}

/** Runs `work` with a connection for administrative statements. */
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
      `the test kit creates a database for each test, which this user is not allowed to do (${messageOf(error)}); ` +
        'grant it (alter role … createdb), or omit databaseUrl and DATABASE_URL to use the embedded server',
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

/** Returns the URL of another database on the same server. */
export function otherDatabase(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(name)}`;
  return other.toString();
}

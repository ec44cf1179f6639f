import pg from 'pg';

/** The database in which everything of tasker is. */
export const DATABASE = 'tasker';

const DUPLICATE = new Set(['42P04', '23505']);
const DOES_NOT_EXIST = '3D000';

/** Sees that the database is there, and that it answers. */
export async function ensureDatabase(urlOf: (database: string) => string): Promise<void> {
  try {
    await send(urlOf(DATABASE), '');
  } catch (error) {
    if ((error as { code?: string }).code !== DOES_NOT_EXIST) throw error;
    await createDatabase(urlOf('postgres'));
  }
}

async function createDatabase(url: string): Promise<void> {
  try {
    await send(url, `create database ${DATABASE}`);
  } catch (error) {
    if (!DUPLICATE.has((error as { code?: string }).code ?? '')) throw error;
  }
}

async function send(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, ssl: false, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // the awaited call below tells
  await client.connect();
  try {
    if (statement) await client.query(statement);
  } finally {
    await client.end();
  }
}

// PostgreSQL servers of lanes: configured like those of the suite, with a migrated database that tests clone.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

/** Returns a function that starts a server in a folder. It uses the build without mutants. */
export async function serverStarter(root) {
  const load = (file) => import(pathToFileURL(path.join(root, 'dist', file)));
  const [{ startEmbedded }, { Database }, { migrate }, { silentLogger }] = await Promise.all(
    ['db/embedded/start-embedded.js', 'db/database.js', 'engine/migrate.js', 'logging/logger.js'].map(load),
  );
  return async (folder) => {
    const settings = { max_connections: '400', deadlock_timeout: '200ms' };
    const server = await startEmbedded({ folder, durable: false, settings });
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query('create database tasker_template');
    const url = new URL(server.url);
    url.pathname = '/tasker_template';
    const database = await Database.connect({ url: url.toString(), logger: silentLogger });
    await migrate(database, silentLogger);
    await database.close();
    await admin.query('create database tasker_check template tasker_template');
    await admin.end();
    return server;
  };
}

// Writes migrations/schema.sql, the schema of a database after all migrations. Uses dist:
//   npm run build && node scripts/dump-schema.mjs             writes the file
//   node scripts/dump-schema.mjs --check                      only compares the file
//   node scripts/dump-schema.mjs --of postgres://…/database   prints the schema of an existing database
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { Database } from '../dist/db/database.js';
import { startEmbedded } from '../dist/db/embedded/start-embedded.js';
import { migrate } from '../dist/engine/migrate.js';
import { silentLogger } from '../dist/logging/logger.js';
import { schemaText } from './schema-text.mjs';

const FILE = new URL('../migrations/schema.sql', import.meta.url);
const HEADER = `-- The schema that the migrations of this folder create, for reading and reviewing. It is not run, and not edited:
-- scripts/dump-schema.mjs reads it from the catalogue of a migrated database, and the static checks compare.

`;

async function dumpOf(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return HEADER + (await schemaText(client, 'tasker'));
  } finally {
    await client.end();
  }
}

/** Returns the schema of an empty database after all migrations, on a temporary server. */
async function dumpOfMigrations() {
  const folder = await mkdtemp(path.join(tmpdir(), 'tasker-dump-'));
  try {
    const server = await startEmbedded({ folder, durable: false });
    try {
      const database = await Database.connect({ url: server.url, logger: silentLogger });
      await migrate(database, silentLogger);
      await database.close();
      return await dumpOf(server.url);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const of = process.argv.indexOf('--of');
if (of !== -1) {
  process.stdout.write(await dumpOf(process.argv[of + 1]));
} else {
  const made = await dumpOfMigrations();
  if (!process.argv.includes('--check')) {
    await writeFile(FILE, made);
  } else {
    const there = (await readFile(FILE, 'utf8').catch(() => '')).replaceAll('\r\n', '\n');
    if (there !== made) {
      console.error('migrations/schema.sql does not match the migrations; run node scripts/dump-schema.mjs');
      process.exitCode = 1;
    }
  }
}

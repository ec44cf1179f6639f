import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { TestProject, Vitest } from 'vitest/node';
import { buildWebIfStale } from '../../../scripts/build-web.mjs';
import { Database } from '../../../src/db/database.ts';
import { type EmbeddedServer, startEmbedded } from '../../../src/db/embedded/start-embedded.ts';
import { migrate } from '../../../src/engine/migrate.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { needsOf } from './needs.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The servers that the run needs, by major version, each with a migrated database `tasker_template`. */
    servers: Record<string, string>;
    /** The server that this project runs on. */
    postgres: string;
    /** A folder for the data of servers that tests start themselves. Removed after the last test. */
    data: string;
  }
}

function binariesOf(major: string): string | undefined {
  if (major === '18') return undefined;
  const name = `postgres-${major}-${process.platform}-${process.arch}`;
  const here = path.resolve('test/servers');
  const roots = [path.join(here, 'node_modules', name), path.resolve('node_modules', name)];
  const found = roots.find((root) => existsSync(path.join(root, 'native')));
  if (!found) throw new Error(`the suite runs on PostgreSQL 15, 17 and 18, and ${name} is not installed: run npm ci`);
  return found;
}

const MEMORY = '/dev/shm';
const ENOUGH_MEMORY = 4 * 2 ** 30;

/** The folder for the data of the servers: in memory, if there is room. Copying a database on disk takes up to ten times as long. */
async function dataParent(): Promise<string> {
  const { bavail, bsize } = await statfs(MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  return Math.min(bavail * bsize, freemem()) >= ENOUGH_MEMORY ? MEMORY : tmpdir();
}

/** A migrated server of an earlier run is used for this long. */
const KEPT_MS = 24 * 3_600_000;
const KEPT = path.resolve('node_modules/.cache/servers');
/** The files that determine a new server. */
const OF_SERVERS = [
  'package-lock.json',
  'src/db/embedded/create-cluster.ts',
  'src/engine/migrate.ts',
  'test/support/suite/global-setup.ts',
  ...readdirSync('migrations').map((name) => `migrations/${name}`),
];

function keptServer(major: string): string {
  const hash = createHash('sha256');
  for (const file of OF_SERVERS) hash.update(readFileSync(file));
  return path.join(KEPT, `${major}-${hash.digest('hex').slice(0, 16)}`);
}

/** Copies a folder with its owners and modes. */
const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to]);

/** Copies the data of a migrated server of an earlier run into a folder. Returns whether there was one. */
async function restore(kept: string, data: string): Promise<boolean> {
  const { mtimeMs = 0 } = statSync(kept, { throwIfNoEntry: false }) ?? {};
  if (Date.now() - mtimeMs > KEPT_MS) return false;
  try {
    await mkdir(path.dirname(data), { recursive: true });
    await copy(path.join(kept, 'data'), data);
    return true;
  } catch {
    // Another user may have created it.
    await rm(data, { recursive: true, force: true });
    return false;
  }
}

/** Moves the times of the rows of a migrated database to now, as if it had just been created. */
const MAKE_NEW = `
do $$
declare
  age interval := (select now() - max(applied_at) from tasker.migration);
  one record;
begin
  for one in
    select attrelid::regclass as of_table, attname as name from pg_attribute join pg_class on pg_class.oid = attrelid
     where relnamespace = 'tasker'::regnamespace and relkind = 'r' and atttypid = 'timestamptz'::regtype
       and attgenerated = '' and not attisdropped
  loop
    execute format('update %s set %I = %I + $1', one.of_table, one.name, one.name) using age;
  end loop;
end $$`;

async function makeNew(server: EmbeddedServer): Promise<EmbeddedServer> {
  const client = new pg.Client({ connectionString: templateOf(server) });
  await client.connect();
  await client.query(MAKE_NEW);
  await client.end();
  return server;
}

/** Keeps the data of a stopped server for later runs. */
async function keep(data: string, kept: string, major: string): Promise<void> {
  await mkdir(KEPT, { recursive: true });
  const making = await mkdtemp(path.join(KEPT, `${major}-`));
  await copy(data, path.join(making, 'data'));
  for (const name of readdirSync(KEPT).filter((each) => each.startsWith(`${major}-`))) {
    const old = path.join(KEPT, name);
    if (old !== making) await rm(old, { recursive: true, force: true });
  }
  await rename(making, kept);
}

async function startServer(folder: string, major: string): Promise<EmbeddedServer> {
  const binaries = binariesOf(major);
  const start = () =>
    startEmbedded({
      folder: path.join(folder, major),
      durable: false,
      settings: { max_connections: '400', deadlock_timeout: '200ms' },
      ...(binaries && { binaries }),
    });
  const kept = keptServer(major);
  const canKeep = process.platform !== 'win32';
  if (canKeep && (await restore(kept, path.join(folder, major, 'postgres', 'data')))) return makeNew(await start());
  const server = await start();
  await prepare(server);
  if (!canKeep) return server;
  const data = path.join(path.dirname(server.logFile), 'data');
  await server.stop();
  // Without it, the next run creates the server again.
  await keep(data, kept, major).catch(() => undefined);
  return start();
}

async function prepare(server: EmbeddedServer): Promise<void> {
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  // Checking a password takes a client milliseconds, for each of the thousands of connections of a run.
  const rules = path.join(path.dirname(server.logFile), 'data', 'pg_hba.conf');
  await writeFile(rules, 'local all all trust\nhost all all 127.0.0.1/32 trust\n');
  await admin.query('select pg_reload_conf()');
  await admin.query('create database tasker_template');
  await admin.end();
  const database = await Database.connect({ url: templateOf(server), logger: silentLogger });
  await migrate(database, silentLogger);
  await database.close();
}

function templateOf(server: EmbeddedServer): string {
  const url = new URL(server.url);
  url.pathname = '/tasker_template';
  return url.toString();
}

/**
 * Starts what the selected tests need, once for all projects: the build for child processes, the web page, and the
 * servers. Tests that started together would otherwise build the page at the same time, in the same folder.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { majors, build, page } = selectedNeeds(project.vitest);
  if (page) buildWebIfStale();
  const folder = await mkdtemp(path.join(await dataParent(), 'tasker-suite-'));
  await chmod(folder, 0o755);
  const [servers] = await Promise.all([
    Promise.all(majors.map((major) => startServer(folder, major))),
    build && promisify(execFile)(process.execPath, ['scripts/build-if-stale.mjs']),
  ]);
  if (servers.length > 0) console.log(`PostgreSQL ${servers.map(({ version }) => version).join(', ')}, in ${folder}`);
  project.provide('servers', Object.fromEntries(majors.map((major, i) => [major, servers[i]!.url])));
  project.provide('data', folder);
  return async () => {
    // Immediately, because their data is removed.
    for (const server of servers) await server.shutdown('immediate');
    for (const server of servers) await server.stop();
    // The watcher of a server may still move a file in it.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
}

/** Returns the needs of the test files that this run selected. */
function selectedNeeds(vitest: Vitest): { majors: string[]; build: boolean; page: boolean } {
  const files = vitest.state.getPaths();
  const needs = (file: string) => needsOf(path.relative(process.cwd(), file));
  const onServer = files.filter((file) => needs(file).server);
  const projects = vitest.projects.filter((each) => onServer.some((file) => each.matchesTestGlob(file)));
  const majors = new Set(projects.flatMap(({ config }) => config.provide.postgres ?? []));
  return {
    majors: [...majors].sort(),
    build: files.some((file) => needs(file).build),
    page: files.some((file) => needs(file).page),
  };
}

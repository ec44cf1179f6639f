import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
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

async function startServer(folder: string, major: string): Promise<EmbeddedServer> {
  const binaries = binariesOf(major);
  const server = await startEmbedded({
    folder: path.join(folder, major),
    durable: false,
    settings: { max_connections: '400', deadlock_timeout: '200ms' },
    ...(binaries && { binaries }),
  });
  await prepare(server);
  return server;
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
  const url = new URL(server.url);
  url.pathname = '/tasker_template';
  const database = await Database.connect({ url: url.toString(), logger: silentLogger });
  await migrate(database, silentLogger);
  await database.close();
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
    for (const server of servers) await server.stop();
    await rm(folder, { recursive: true, force: true });
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

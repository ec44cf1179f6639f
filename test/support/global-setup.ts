import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { Database } from '../../src/db/database.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/db/embedded/start-embedded.ts';
import { migrate } from '../../src/engine/migrate.ts';
import { silentLogger } from '../../src/logging/logger.ts';

/** The servers that the suite runs on: 18 is the one that users get, the others are the oldest that we support and the last. */
const MAJORS = ['15', '17', '18'] as const;

declare module 'vitest' {
  export interface ProvidedContext {
    /** By major version: a server with a migrated database `tasker_template`. */
    servers: Record<string, string>;
    /** Which of them this project runs on. */
    postgres: string;
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

async function prepare(server: EmbeddedServer): Promise<void> {
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query('create database tasker_template');
  await admin.end();
  const url = new URL(server.url);
  url.pathname = '/tasker_template';
  const database = await Database.connect({ url: url.toString(), logger: silentLogger });
  await migrate(database, silentLogger);
  await database.close();
}

/** What the whole suite needs once: the build that child processes run, and a server of each version. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
  const folder = await mkdtemp(path.join(tmpdir(), 'tasker-suite-'));
  await chmod(folder, 0o755);
  const servers: EmbeddedServer[] = [];
  const urls: Record<string, string> = {};
  for (const major of MAJORS) {
    const binaries = binariesOf(major);
    const server = await startEmbedded({
      folder: path.join(folder, major),
      durable: false,
      settings: { max_connections: '400', deadlock_timeout: '200ms' },
      ...(binaries && { binaries }),
    });
    await prepare(server);
    servers.push(server);
    urls[major] = server.url;
  }
  console.log(`PostgreSQL ${servers.map((server) => server.version).join(', ')}`);
  project.provide('servers', urls);
  return async () => {
    for (const server of servers) await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';
import { type EmbeddedServer, startEmbedded } from '../../../src/db/embedded/start-embedded.ts';
import type { Sql } from '../database.ts';

/** A durable server for one test, which crashes it. */
export interface OwnServer {
  url: string;
  /** Runs SQL on a new connection each time, so that it works after a crash. */
  sql: Sql;
  /** Stops the server immediately, as a crash does, and restarts it, with recovery. */
  crash(): Promise<void>;
  /** Sends SIGKILL to the postmaster, and restarts the server, with recovery. */
  kill(): Promise<void>;
  /** The log of the server so far. */
  log(): string;
}

export async function startServer(settings: Record<string, string> = {}): Promise<OwnServer> {
  const folder = mkdtempSync(path.join(inject('data'), 'tasker-crash-'));
  chmodSync(folder, 0o755);
  const options = { folder, durable: true, settings: { log_min_messages: 'error', ...settings } };
  const held: EmbeddedServer[] = [await startEmbedded(options)];
  onTestFinished(async () => {
    for (const server of held) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const { url, logFile } = held[0]!;
  return {
    url,
    async sql(text, values = []) {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => {});
      await client.connect();
      try {
        return (await client.query(text, values)).rows;
      } finally {
        await client.end();
      }
    },
    async crash() {
      await held.at(-1)!.shutdown('immediate');
      held.push(await startEmbedded(options));
    },
    async kill() {
      const pid = held.at(-1)!.postmasterPid;
      process.kill(pid, 'SIGKILL');
      // A server does not start while the process of its lock file exists, even as a zombie.
      while (exists(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
      held.push(await startEmbedded(options));
    },
    log: () => readFileSync(logFile, 'utf8'),
  };
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

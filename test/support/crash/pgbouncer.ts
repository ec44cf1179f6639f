import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { until } from '../setup.ts';
import { freePort } from '../suite/free-ports.ts';
import { programPath } from '../suite/programs.ts';

export interface Pgbouncer {
  /** The URL of the same database through the pooler. */
  url: string;
  log(): string;
}

/** Starts pgbouncer in transaction mode in front of a server, as that server's user. Stops it when the test ends. */
export async function startPgbouncer(
  serverUrl: string,
  { maxPreparedStatements }: { maxPreparedStatements: number },
): Promise<Pgbouncer> {
  const server = new URL(serverUrl);
  const host = server.searchParams.get('host') ?? server.hostname;
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-pgbouncer-'));
  const port = await freePort();
  const file = path.join(folder, 'pgbouncer.ini');
  const logFile = path.join(folder, 'pgbouncer.log');
  const { username, password } = server;
  writeFileSync(
    file,
    `[databases]
* = host=${host} port=${server.port || '5432'} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_prepared_statements = ${maxPreparedStatements}
logfile = ${logFile}
`,
  );
  // pgbouncer refuses to run as root, and only the owner may use the folder of the socket.
  const { uid, gid } = statSync(host.startsWith('/') ? host : folder);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(folder, uid, gid);
  chmodSync(folder, 0o755);
  const child = spawn(programPath('pgbouncer')!, [file], { ...(isRoot && { uid, gid }), stdio: 'ignore' });
  await once(child, 'spawn');
  const url = new URL(serverUrl);
  url.searchParams.delete('host');
  url.hostname = '127.0.0.1';
  url.port = String(port);
  onTestFinished(async () => {
    const exited = once(child, 'exit');
    if (child.kill('SIGKILL')) await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  await until(
    () => answers(url.toString()),
    (yes) => yes,
  );
  return { url: url.toString(), log: () => readFileSync(logFile, 'utf8') };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    await client.end();
  }
}

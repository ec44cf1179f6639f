import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chosenUrl, embeddedHome, holdEmbedded, statusOfEmbedded } from '../../app/project/database-admin.ts';
import { type ErrorCode, messageOf, TaskerError } from '../../errors.ts';
import { consoleLogger } from '../../logging/console-logger.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { listenForStop } from '../stop-signal.ts';

interface DbStartOptions extends GlobalOptions {
  foreground?: boolean;
}

/** What the process that holds the server says, once. */
type Report = { ready: Started } | { error: { code: ErrorCode; message: string } };

interface Started {
  folder: string;
  pid: number;
  version: string;
  /** False: it ran already. */
  started: boolean;
}

const LOOK_MS = 500;

/** `tasker db start`: starts the embedded server and leaves it running. */
export async function dbStart(options: DbStartOptions): Promise<void> {
  if (chosenUrl(options) !== undefined) {
    throw new TaskerError(
      'bad_request',
      'a database URL is given (DATABASE_URL or --database-url): that server is not ours to start; unset it to use the embedded one',
    );
  }
  if (options.foreground) return hold(options);
  tell(await startHolder(), options);
}

function tell(started: Started, { json }: GlobalOptions): void {
  if (json) {
    printJson(started);
    return;
  }
  const { folder, pid, version } = started;
  note(
    `PostgreSQL ${version} ${started.started ? 'runs' : 'ran already'} in ${folder}, process ${pid}; \`npx tasker db stop\` stops it`,
  );
  print(folder);
}

/** Starts a process that outlives this one, and holds the server until that is stopped. */
function startHolder(): Promise<Started> {
  const program = fileURLToPath(new URL('../../../bin/tasker.js', import.meta.url));
  const child = spawn(process.execPath, [program, 'db', 'start', '--foreground'], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new TaskerError('embedded_failed', `the process that was to hold the server ended with code ${code}`)),
    );
    child.once('message', (report: Report) => {
      child.disconnect();
      child.unref();
      if ('ready' in report) resolve(report.ready);
      else reject(new TaskerError(report.error.code, report.error.message));
    });
  });
}

/**
 * Holds the server until a signal comes, or until it is gone. The folder is resolved once: a configuration that
 * changes or breaks later does not affect a running server.
 */
async function hold(options: GlobalOptions): Promise<void> {
  const stop = listenForStop();
  const folder = embeddedHome();
  const logger = consoleLogger({ level: options.verbose ? 'info' : 'warn', form: 'notes' });
  const server = await holdEmbedded(folder, logger).catch((error: unknown) => {
    report({
      error: { code: error instanceof TaskerError ? error.code : 'embedded_failed', message: messageOf(error) },
    });
    throw error;
  });
  const ready = { folder, pid: server.postmasterPid, version: server.version, started: server.started };
  if (process.send) report({ ready });
  else tell(ready, options);
  await Promise.race([stop.requested, untilGone(folder, server.postmasterPid, stop.signal)]);
  await server.stop();
  stop.release();
}

function report(report: Report): void {
  process.send?.(report);
}

/** Polls, because `db stop` is another process and PostgreSQL is not a child process to wait for. */
async function untilGone(folder: string, pid: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await runs(folder, pid))) await pause(LOOK_MS, undefined, { signal }).catch(() => {});
}

/** A failed poll, for example for lack of file descriptors, says nothing about the server. */
async function runs(folder: string, pid: number): Promise<boolean> {
  const status = await statusOfEmbedded(folder).catch(() => undefined);
  return status === undefined || (status.running && status.pid === pid);
}

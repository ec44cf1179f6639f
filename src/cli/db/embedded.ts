import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  chosenUrl,
  embeddedHome,
  holdEmbedded,
  statusOfEmbedded,
  stopOwnEmbedded,
} from '../../app/project/database-admin.ts';
import { packageFile } from '../../config/package-version.ts';
import { type ErrorCode, messageOf, TaskerError } from '../../errors.ts';
import { plainLogger } from '../../logging/plain-logger.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { listenForStop } from '../stop-signal.ts';
import { here } from '../this-run.ts';

interface DbStartOptions extends GlobalOptions {
  foreground?: boolean;
}

/** The only message from the background process that runs the server. */
type Report = { ready: Started } | { error: { code: ErrorCode; message: string } };

interface Started {
  folder: string;
  pid: number;
  version: string;
  /** False if the server was already running. */
  started: boolean;
}

const POLL_MS = 500;

/** `tasker db start`: starts the embedded server, which keeps running after the command. */
export async function dbStart(options: DbStartOptions): Promise<void> {
  refuseServer(options, 'start');
  if (options.foreground) return hold(options);
  printStarted(await startHolder(), options);
}

/** `tasker db stop`: stops the embedded server of the project. */
export async function dbStop(options: GlobalOptions): Promise<void> {
  refuseServer(options, 'stop');
  const folder = embeddedHome(here());
  const stopped = await stopOwnEmbedded(here());
  if (options.json) printJson({ folder, stopped });
  else note(stopped ? `stopped the server in ${folder}` : `no server runs in ${folder}`);
}

function refuseServer(options: GlobalOptions, verb: 'start' | 'stop'): void {
  if (chosenUrl({ ...options, ...here() }) === undefined) return;
  throw new TaskerError(
    'bad_request',
    `cannot ${verb} the server of a database URL (DATABASE_URL or --database-url); unset it to ${verb} the embedded server`,
  );
}

function printStarted(started: Started, { json }: GlobalOptions): void {
  if (json) {
    printJson(started);
    return;
  }
  const { folder, pid, version } = started;
  note(
    `PostgreSQL ${version} ${started.started ? 'started' : 'was already running'} in ${folder}, process ${pid}; stop it with \`npx tasker db stop\``,
  );
  print(folder);
}

/** Starts a process that outlives this one and runs the server until `tasker db stop`. */
function startHolder(): Promise<Started> {
  const program = fileURLToPath(packageFile('bin/tasker.js'));
  const child = spawn(process.execPath, [program, 'db', 'start', '--foreground'], {
    ...here(),
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(
        new TaskerError(
          'embedded_failed',
          `the background process that runs the embedded server exited with code ${code}; run \`npx tasker db start --foreground\` to see why`,
        ),
      ),
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
 * Keeps the server running until a signal arrives or the server stops. The folder is resolved once, so that a later
 * change of the configuration does not affect a running server.
 */
async function hold(options: GlobalOptions): Promise<void> {
  const stop = listenForStop();
  const folder = embeddedHome(here());
  const logger = plainLogger({ level: options.verbose ? 'info' : 'warn', write: note });
  const server = await holdEmbedded(folder, { ...here(), logger }).catch((error: unknown) => {
    report({
      error: { code: error instanceof TaskerError ? error.code : 'embedded_failed', message: messageOf(error) },
    });
    throw error;
  });
  const ready = { folder, pid: server.postmasterPid, version: server.version, started: server.started };
  if (process.send) report({ ready });
  else printStarted(ready, options);
  await Promise.race([stop.requested, untilGone(folder, server.postmasterPid, stop.signal)]);
  await server.stop();
  stop.release();
}

function report(report: Report): void {
  process.send?.(report);
}

/** Polls until the server has stopped. `db stop` runs in another process, and PostgreSQL is not a child of this one. */
async function untilGone(folder: string, pid: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await runs(folder, pid))) await pause(POLL_MS, undefined, { signal }).catch(() => {});
}

/** Returns whether the server runs. Returns true if the poll fails, for example for lack of file descriptors. */
async function runs(folder: string, pid: number): Promise<boolean> {
  const status = await statusOfEmbedded(folder).catch(() => undefined);
  return status === undefined || (status.running && status.pid === pid);
}

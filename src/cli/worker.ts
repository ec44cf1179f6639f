import { createTasker } from '../app/create-tasker.ts';
import { checkUrl } from '../app/database-admin.ts';
import { HandlerFolders } from '../app/handler-folders.ts';
import { readEnvironment } from '../config/environment.ts';
import { consoleLogger } from '../logging/console-logger.ts';
import type { Logger } from '../logging/logger.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { leave } from './leave.ts';
import type { GlobalOptions } from './options.ts';
import { runnableFolders } from './project-folders.ts';
import { reportError } from './report-error.ts';
import { listenForStop } from './stop-signal.ts';

/** Options of `tasker worker` and `tasker dev`. */
export interface WorkerOptions extends GlobalOptions {
  concurrency?: number;
  namespace?: string[];
  /** Milliseconds. */
  drainTimeout?: number;
  name?: string;
}

/** `tasker worker`: runs steps until a signal comes, then lets running ones finish. */
export async function worker(options: WorkerOptions): Promise<void> {
  const stop = listenForStop();
  const logger = workerLogger(options);
  let starting = true;
  try {
    const { templates, handlers } = runnableFolders(options);
    checkUrl(options);
    const library = new HandlerFolders(handlers, logger);
    const { count } = await library.load();
    logger.info({ folders: handlers }, `discovered ${count} handler${count === 1 ? '' : 's'}`);
    const tasker = await createTasker({ ...taskerOptions(options), templates, handlers: library.registry, logger });
    starting = false;
    logger.info({ database: tasker.place }, 'worker is ready');
    const name = await stop.requested;
    logger.info({ signal: name, running: tasker.stats?.running }, 'stopping: running handlers may finish');
    await tasker.stop(drainOf(options));
    if (tasker.stats?.running) process.exitCode = EXIT.failed;
  } catch (error) {
    reportError(error, options);
    process.exitCode = starting ? exitCodeOf(error, { starting }) : EXIT.failed;
  } finally {
    stop.release();
    leave();
  }
}

/** What the options say to `createTasker`. */
export function taskerOptions({ databaseUrl, concurrency, namespace, name }: WorkerOptions) {
  return { databaseUrl, databaseDirectUrl: databaseUrl, concurrency, namespaces: namespace, name };
}

/** How long running handlers may take to finish. */
export function drainOf({ drainTimeout }: WorkerOptions): { drainTimeoutMs?: number } {
  return drainTimeout === undefined ? {} : { drainTimeoutMs: drainTimeout };
}

/** JSON for machines; lines for the person who develops at a terminal. */
function workerLogger({ json, verbose }: GlobalOptions): Logger {
  const { environment, logLevel, badLogLevel } = readEnvironment();
  const forPeople = !json && environment === 'development' && process.stderr.isTTY;
  const logger = consoleLogger({ level: verbose ? 'debug' : logLevel, form: forPeople ? 'lines' : 'json' });
  if (badLogLevel !== undefined)
    logger.warn(`LOG_LEVEL ${badLogLevel} is none of trace, debug, info, warn, error; info is used`);
  return logger;
}

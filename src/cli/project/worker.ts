import { handleSignals } from '../../app/process/handle-signals.ts';
import { programLogger } from '../../app/process/program-logger.ts';
import { ShutdownController } from '../../app/process/shutdown-controller.ts';
import { checkUrl } from '../../app/project/database-admin.ts';
import { WorkerServer } from '../../app/server/worker-server.ts';
import { loadConfig } from '../../config/load-config.ts';
import { isTaskerError, messageOf, WorkerBootstrapError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { workerGuard } from '../../rest/auth/worker-guard.ts';
import { parseBindAddress } from '../../server/bind-address.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { leave } from '../leave.ts';
import type { GlobalOptions } from '../options.ts';
import { reportError } from '../report-error.ts';
import { note } from '../show/output.ts';
import { here, thisRun } from '../this-run.ts';
import { runnableFolders, scheduleFolders } from './folders.ts';
import { securityFrom } from './server-security.ts';

/** Options of `tasker worker` and `tasker dev`. */
export interface WorkerOptions extends GlobalOptions {
  concurrency?: number;
  namespace?: string[];
  /** Milliseconds. */
  drainTimeout?: number;
  name?: string;
  /** For `tasker worker`: an address to listen on, or `off`. */
  web?: string;
  /** Whether templates replace registered versions that have different content, in production. */
  replace?: boolean;
  /** False means `--no-migrate`. Otherwise commander sets it to true, and the configuration decides. */
  migrate?: boolean;
}

/** `tasker worker`: runs a worker server until a signal arrives, then lets running steps finish. */
export async function worker(options: WorkerOptions): Promise<void> {
  const shutdown = new ShutdownController();
  const server = new WorkerServer();
  server.needsHandlers = true;
  const logger = programLogger({
    level: options.verbose ? 'debug' : undefined,
    form: options.json ? 'json' : undefined,
  });
  const release = listen(server, shutdown, logger);
  try {
    const config = loadConfig(here());
    const folders = runnableFolders(options);
    checkUrl({ ...options, ...here() });
    const { web, drainTimeout } = options;
    // A stop request during startup does not wait until startup is complete.
    void shutdown.promise.then(() => server.shutdown().catch(() => undefined));
    for (const line of config.warnings) logger.warn(line);
    const { host } = web === undefined || web === 'off' ? config.config.webAddress : parseBindAddress(web);
    const settings = securityFrom(config.config, { host, insecure: false, tls: false });
    server.guard = workerGuard(() => server.tasker, { settings, logger });
    await server.start({
      config,
      ...taskerOptions(options),
      ...folders,
      schedules: scheduleFolders(),
      drainTimeoutMs: drainTimeout,
      web: web === undefined ? undefined : web === 'off' ? { enabled: false } : { bindAddress: web },
      logger,
    });
    logger.info({ database: server.tasker?.place }, 'worker is ready');
    await shutdown.promise;
    await server.shutdown();
    if (server.status().activeHandlers > 0) thisRun().exitCode = EXIT.failed;
  } catch (error) {
    await fail(error, { options, server, shutdown });
  } finally {
    release();
    leave();
  }
}

async function fail(
  error: unknown,
  { options, server, shutdown }: { options: WorkerOptions; server: WorkerServer; shutdown: ShutdownController },
): Promise<void> {
  // Stopping a worker during startup is not an error.
  if (shutdown.isRequested && isTaskerError(error) && error.code === 'stopped') return await server.shutdown();
  const starting = server.getState() === 'error' || server.getState() === 'initialized';
  const shown = error instanceof WorkerBootstrapError ? error.cause : error;
  reportError(shown, options);
  thisRun().exitCode = shutdown.isRequested ? EXIT.failed : exitCodeOf(shown, { starting });
}

function listen(server: WorkerServer, shutdown: ShutdownController, logger: Logger): () => void {
  return handleSignals({
    stop: (signal) => {
      logger.info({ signal, running: server.status().activeHandlers }, 'stopping, waiting for running handlers');
      shutdown.trigger(signal);
    },
    hurry: (signal) => {
      if (signal === 'SIGINT') {
        note('stopped immediately; running steps return to the queue when their lease expires');
        process.exit(EXIT.interrupted);
      }
      logger.info({ signal, running: server.status().activeHandlers }, 'aborting running handlers');
      server.hurry();
    },
    report: () => logger.info({ ...server.status() }, 'worker status'),
    reload: () => {
      server.reload().catch((error: unknown) => logger.error({ error: messageOf(error) }, 'reload failed'));
    },
  });
}

/** Returns the options of `createTasker`. */
export function taskerOptions({ databaseUrl, concurrency, namespace, name, replace, migrate }: WorkerOptions) {
  const ofDatabase = { databaseUrl, databaseDirectUrl: databaseUrl, migrate: migrate === false ? false : undefined };
  return { ...ofDatabase, concurrency, namespaces: namespace, name, replaceTemplates: replace };
}

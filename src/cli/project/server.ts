import v8 from 'node:v8';
import { createTasker } from '../../app/create-tasker.ts';
import { httpWorkersOf } from '../../app/http-workers/http-workers-of.ts';
import { programLogger } from '../../app/process/program-logger.ts';
import { checkUrl, explained } from '../../app/project/database-admin.ts';
import { WorkerServer } from '../../app/server/worker-server.ts';
import type { Tasker } from '../../app/tasker.ts';
import { CONFIG_KEYS } from '../../config/config-keys.ts';
import { type LoadedConfig, loadConfig, withOverrides } from '../../config/load-config.ts';
import { packageVersion } from '../../config/package-version.ts';
import { phraseSource, shownValue } from '../../config/show/show-config.ts';
import { WorkerBootstrapError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { restApp } from '../../rest/rest-app.ts';
import { parseBindAddress } from '../../server/bind-address.ts';
import { type Listening, listen } from '../../server/listen.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { leave } from '../leave.ts';
import type { GlobalOptions } from '../options.ts';
import { reportError } from '../report-error.ts';
import { listenForStop } from '../stop-signal.ts';
import { here, thisRun } from '../this-run.ts';
import { existingFolders, runnableFolders, scheduleFolders } from './folders.ts';
import { checkSecurity, readTls, securityFrom, servedConfig } from './server-security.ts';

/** Options of `tasker server`. */
export interface ServerOptions extends GlobalOptions {
  bind?: string;
  legacyStatus?: boolean;
  withWorker?: boolean;
  insecure?: boolean;
  tlsCert?: string;
  tlsKey?: string;
  /** Whether templates replace registered versions that have different content, in production. */
  replace?: boolean;
  /** False means `--no-migrate`. Otherwise commander sets it to true, and the configuration decides. */
  migrate?: boolean;
}

/**
 * `tasker server`: serves the HTTP API until a signal arrives, then finishes the requests in progress. With
 * `--with-worker`, it also runs steps, and waits for running steps to finish.
 */
export async function server(options: ServerOptions): Promise<void> {
  // Under load, V8 would allocate arrays of requests where only a full garbage collection frees them and their content.
  v8.setFlagsFromString('--no-allocation-site-pretenuring');
  const stop = listenForStop();
  const logger = programLogger({
    level: options.verbose ? 'debug' : undefined,
    form: options.json ? 'json' : undefined,
  });
  const worker = options.withWorker ? new WorkerServer() : undefined;
  let tasker: Tasker | undefined;
  let listening: Listening | undefined;
  try {
    const bound = options.bind === undefined ? undefined : parseBindAddress(options.bind);
    checkUrl({ ...options, ...here() });
    const loaded = configFor(options);
    const { config } = loaded;
    const address = bound ?? config.serverAddress;
    for (const line of loaded.warnings) logger.warn(line);
    const tls = readTls(options, config);
    const secured = { host: address.host, insecure: options.insecure ?? false, tls: tls !== undefined };
    const security = securityFrom(config, secured);
    tasker = worker
      ? await startWorker(worker, options, { loaded, logger })
      : await createTasker({ config: loaded, templates: existingFolders(options), worker: false, logger });
    tasker.door = 'rest';
    const state = () => (stop.signal.aborted ? 'shutting_down' : 'running');
    const facts = { version: packageVersion(), environment: config.environment, state };
    await checkSecurity(tasker, security, { address: phraseAddress(options, loaded), logger });
    const app = restApp({
      tasker,
      logger,
      facts,
      security,
      legacyStatus: options.legacyStatus ?? config.legacyStatus,
      requestMs: config.serverRequestMs,
      config: servedConfig(loaded, security),
    });
    // This timeout is for bulk creations. The app limits the time of all other requests.
    listening = await listen(app, address, {
      tls,
      requestTimeoutMs: 600_000,
      lastAnswersMs: config.drainTimeoutMs,
      otherAddress: 'choose another address with --bind or TASKER_WEB_BIND_ADDRESS',
    });
    await httpWorkersOf(tasker).resume();
    logger.info(
      { url: listening.url, database: tasker.place, authentication: security.auth.required },
      'server is ready',
    );
    await stop.requested;
    logger.info('stopping, finishing the requests in progress');
  } catch (error) {
    const cause = error instanceof WorkerBootstrapError ? error.cause : error;
    const shown = tasker ? await explained(tasker, cause) : cause;
    reportError(shown, options);
    thisRun().exitCode = exitCodeOf(shown, { starting: listening === undefined });
  } finally {
    // Asks the clients of streams to reconnect, so that streams do not delay the shutdown.
    tasker?.engine.changes.close();
    await listening?.close();
    await (worker?.shutdown() ?? tasker?.stop());
    if (worker && worker.status().activeHandlers > 0) thisRun().exitCode = EXIT.failed;
    stop.release();
    if (worker) leave();
  }
}

/** Starts running steps. The worker opens no port, because the server also serves health and metrics. */
async function startWorker(
  worker: WorkerServer,
  options: ServerOptions,
  { loaded, logger }: { loaded: LoadedConfig; logger: Logger },
): Promise<Tasker> {
  worker.needsHandlers = true;
  const folders = runnableFolders(options);
  await worker.start({ config: loaded, ...folders, schedules: scheduleFolders(), web: false, logger });
  return worker.tasker!;
}

/** The configuration, with the options that replace parts of it. */
function configFor({ databaseUrl, replace: replaceTemplates, migrate }: ServerOptions): LoadedConfig {
  const loaded = loadConfig(here());
  const { serverPoolSize: poolSize } = loaded.config;
  const ofDatabase = {
    databaseUrl,
    databaseDirectUrl: databaseUrl,
    poolSize,
    migrate: migrate === false ? false : undefined,
  };
  return withOverrides(loaded, { ...ofDatabase, replaceTemplates });
}

/** The address, and the source of the setting. */
function phraseAddress({ bind }: ServerOptions, { config, sources }: LoadedConfig): string {
  if (bind !== undefined) return `--bind ${bind}`;
  return `${CONFIG_KEYS.serverAddress.path} ${shownValue('serverAddress', config.serverAddress)} (${phraseSource(sources.serverAddress)})`;
}

import { createTasker } from '../../app/create-tasker.ts';
import { programLogger } from '../../app/process/program-logger.ts';
import { checkUrl } from '../../app/project/database-admin.ts';
import type { Tasker } from '../../app/tasker.ts';
import { CONFIG_KEYS } from '../../config/config-keys.ts';
import { type LoadedConfig, loadConfig, withOverrides } from '../../config/load-config.ts';
import { packageVersion } from '../../config/package-version.ts';
import { phraseSource, shownValue } from '../../config/show/show-config.ts';
import { restApp } from '../../rest/rest-app.ts';
import { parseBindAddress } from '../../server/bind-address.ts';
import { type Listening, listen } from '../../server/listen.ts';
import { exitCodeOf } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { reportError } from '../report-error.ts';
import { listenForStop } from '../stop-signal.ts';
import { existingFolders } from './folders.ts';
import { checkSecurity, readTls, securityFrom, servedConfig } from './server-security.ts';

/** Options of `tasker server`. */
export interface ServerOptions extends GlobalOptions {
  bind?: string;
  legacyStatus?: boolean;
  insecure?: boolean;
  tlsCert?: string;
  tlsKey?: string;
}

/** `tasker server`: answers HTTP requests about tasks until a signal arrives, then finishes the requests in progress. */
export async function server(options: ServerOptions): Promise<void> {
  const stop = listenForStop();
  const logger = programLogger({
    level: options.verbose ? 'debug' : undefined,
    form: options.json ? 'json' : undefined,
  });
  let tasker: Tasker | undefined;
  let listening: Listening | undefined;
  try {
    const bound = options.bind === undefined ? undefined : parseBindAddress(options.bind);
    checkUrl(options);
    const loaded = configFor(options);
    const { config } = loaded;
    const address = bound ?? config.serverAddress;
    for (const line of loaded.warnings) logger.warn(line);
    const tls = readTls(options, config);
    const secured = { host: address.host, insecure: options.insecure ?? false, tls: tls !== undefined };
    const security = securityFrom(config, secured);
    const templates = existingFolders(options);
    tasker = await createTasker({ config: loaded, templates, worker: false, logger });
    tasker.door = 'rest';
    const { environment } = config;
    const state = () => (stop.signal.aborted ? 'shutting_down' : 'running');
    const facts = { version: packageVersion(), environment, state };
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
    // For bulk creations. The app limits the time of all other requests.
    listening = await listen(app, address, { tls, requestTimeoutMs: 600_000 });
    logger.info({ url: listening.url, database: tasker.place, authentication: security.auth.required }, 'server is ready');
    await stop.requested;
    logger.info('stopping, finishing the requests in progress');
  } catch (error) {
    reportError(error, options);
    process.exitCode = exitCodeOf(error, { starting: listening === undefined });
  } finally {
    stop.release();
    // Tells the clients of streams to reconnect, so that they do not hold up the end of the other requests.
    tasker?.engine.changes.close();
    await listening?.close();
    await tasker?.stop();
  }
}

/** The configuration, with the options that replace parts of it. */
function configFor({ databaseUrl }: ServerOptions): LoadedConfig {
  const loaded = loadConfig();
  return withOverrides(loaded, { databaseUrl, databaseDirectUrl: databaseUrl, poolSize: loaded.config.serverPoolSize });
}

/** The address, and what set it. */
function phraseAddress({ bind }: ServerOptions, { config, sources }: LoadedConfig): string {
  if (bind !== undefined) return `--bind ${bind}`;
  return `${CONFIG_KEYS.serverAddress.path} ${shownValue('serverAddress', config.serverAddress)} (${phraseSource(sources.serverAddress)})`;
}

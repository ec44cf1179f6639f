import { createTasker } from '../../app/create-tasker.ts';
import { programLogger } from '../../app/process/program-logger.ts';
import { checkUrl } from '../../app/project/database-admin.ts';
import type { Tasker } from '../../app/tasker.ts';
import { loadConfig } from '../../config/load-config.ts';
import { packageVersion } from '../../config/package-version.ts';
import { restApp } from '../../rest/rest-app.ts';
import { parseBindAddress } from '../../server/bind-address.ts';
import { type Listening, listen } from '../../server/listen.ts';
import { exitCodeOf } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { reportError } from '../report-error.ts';
import { listenForStop } from '../stop-signal.ts';
import { existingFolders } from './folders.ts';
import { checkSecurity, readTls, securityFrom } from './server-security.ts';

/** Options of `tasker server`. */
export interface ServerOptions extends GlobalOptions {
  bind: string;
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
    const address = parseBindAddress(options.bind);
    checkUrl(options);
    const config = loadConfig();
    const tls = readTls(options);
    const secured = { host: address.host, insecure: options.insecure ?? false, tls: tls !== undefined };
    const security = securityFrom(config.config, secured);
    const { databaseUrl } = options;
    const templates = existingFolders(options);
    tasker = await createTasker({ config, databaseUrl, templates, worker: false, logger });
    tasker.door = 'rest';
    const { environment } = config.config;
    const state = () => (stop.signal.aborted ? 'shutting_down' : 'running');
    const facts = { version: packageVersion(), environment, state };
    await checkSecurity(tasker, security, { bind: options.bind, logger });
    const app = restApp({ tasker, logger, facts, security, legacyStatus: options.legacyStatus ?? false });
    // For bulk creations. The app limits the time of all other requests.
    listening = await listen(app, address, { tls, requestTimeoutMs: 600_000 });
    await tasker.httpWorkers.resume();
    logger.info({ url: listening.url, database: tasker.place, credentials: security.auth.required }, 'server is ready');
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

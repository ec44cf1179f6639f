import { type LoadedConfig, loadConfig, withOverrides } from '../../config/load-config.ts';
import { loggerOf } from '../../logging/any-logger.ts';
import type { Logger } from '../../logging/logger.ts';
import { moduleLogger } from '../../logging/module-logger.ts';
import { parseBindAddress } from '../../server/bind-address.ts';
import type { AssemblyParts } from '../assembly.ts';
import { processEventRegistries } from '../event-registries.ts';
import { workerLogger } from '../process/program-logger.ts';
import * as workerCode from '../process/worker-code.ts';
import {
  type CreateTaskerOptions,
  LIMIT_OPTIONS,
  type OptionNames,
  refuseUnknown,
  TASKER_OPTIONS,
} from '../tasker-options.ts';

/** Options of the worker's HTTP port. */
export interface WebOptions {
  /** Whether to open a port. Default true. */
  enabled?: boolean;
  /**
   * Default `127.0.0.1:8081`. On an address that other machines can reach, only health and metrics are served. Port 0:
   * any free port.
   */
  bindAddress?: string;
  /** Serves the effective configuration at `/config`, with secrets hidden. Default false. */
  configEndpointEnabled?: boolean;
}

/**
 * Options of a {@link WorkerServer}: the options of `createTasker`, and options of a worker that is a separate program.
 */
export interface WorkerServerConfig extends Omit<CreateTaskerOptions, 'handlers' | 'worker' | 'autoStart' | 'signal'> {
  /**
   * Folders of handlers. Default: `TASKER_HANDLER_PATH`, otherwise `worker.handlers.search_paths`. Register more
   * handlers with `getHandlerSystem()`.
   */
  handlers?: string | readonly string[];
  /** The only namespace to serve. Use `namespaces` for several. */
  namespace?: string;
  /** The log level, if `logger` is not given. Default: `TASKER_LOG`, `LOG_LEVEL` or `RUST_LOG`, else `info`. */
  logLevel?: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** Whether to open the configured port. */
  web?: boolean | WebOptions;
  /** Handles SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 while the server runs. Default false. */
  handleSignals?: boolean;
  /** Another name for `concurrency`, which takes precedence. */
  maxConcurrentHandlers?: number;
  /** Has no effect: there is no native library to load. */
  libraryPath?: string;
  modulePath?: string | null;
  /** Has no effect, like the three options below: a server runs its steps without a poller. */
  pollIntervalMs?: number;
  starvationCheckInterval?: number;
  cleanupInterval?: number;
  metricsInterval?: number;
}

const { handlers, worker: _worker, autoStart: _autoStart, signal: _signal, ...SHARED_OPTIONS } = TASKER_OPTIONS;
const SERVER_OPTIONS: OptionNames<WorkerServerConfig> = {
  ...SHARED_OPTIONS,
  handlers,
  namespace: true,
  logLevel: true,
  web: true,
  handleSignals: true,
  maxConcurrentHandlers: true,
  libraryPath: true,
  modulePath: true,
  pollIntervalMs: true,
  starvationCheckInterval: true,
  cleanupInterval: true,
  metricsInterval: true,
};
const WEB_OPTIONS: OptionNames<WebOptions> = { enabled: true, bindAddress: true, configEndpointEnabled: true };

/** The settings of a server, from its options, the environment and the configuration file. */
export interface ServerSettings extends AssemblyParts {
  ownLogger: Logger;
  handleSignals: boolean;
}

/** Reads the options of a server, the environment and the configuration file. @throws TaskerError `config_invalid` */
export function serverSettings(given: WorkerServerConfig): ServerSettings {
  refuseUnknown('WorkerServer', given, SERVER_OPTIONS);
  refuseUnknown('WorkerServer: limits', given.limits, LIMIT_OPTIONS);
  if (typeof given.web !== 'boolean') refuseUnknown('WorkerServer: web', given.web, WEB_OPTIONS);
  const loaded = loadedFor(given);
  const { config } = loaded;
  const own = processEventRegistries();
  const logger = given.logger ? loggerOf(given.logger) : workerLogger(config);
  const templates = given.templates ?? (config.templatePaths.length > 0 ? config.templatePaths : undefined);
  const schedules = given.schedules ?? (config.schedulePaths.length > 0 ? config.schedulePaths : undefined);
  return {
    loaded,
    options: {
      ...given,
      concurrency: given.concurrency ?? given.maxConcurrentHandlers,
      publishers: given.publishers ?? own.publishers,
      subscribers: given.subscribers ?? own.subscribers,
      templates,
      schedules,
      logger,
    },
    logger,
    ownLogger: moduleLogger(logger, 'server'),
    // The warnings of a configuration that was passed in were reported when it was loaded.
    warnings: given.config ? [] : loaded.warnings,
    port: true,
    reload: true,
    workerCode,
    handleSignals: given.handleSignals ?? false,
  };
}

/** The configuration with the options applied. */
function loadedFor(given: WorkerServerConfig): LoadedConfig {
  const { environment: _, namespace, logLevel, limits = {}, web = {}, templates, handlers, ...same } = given;
  const { enabled, bindAddress, configEndpointEnabled } = typeof web === 'boolean' ? { enabled: web } : web;
  const loaded = given.config ?? loadConfig({ configPath: given.configPath });
  return withOverrides(loaded, {
    ...same,
    ...limits,
    concurrency: given.concurrency ?? given.maxConcurrentHandlers,
    templatePaths: templates === undefined ? undefined : [templates].flat().filter((one) => typeof one === 'string'),
    handlerPaths: handlers === undefined ? undefined : [handlers].flat(),
    namespaces: given.namespaces ?? (namespace === undefined ? undefined : [namespace]),
    log: logLevel && { level: logLevel, modules: {} },
    webEnabled: enabled,
    webAddress: bindAddress === undefined ? undefined : parseBindAddress(bindAddress),
    webConfigEndpoint: configEndpointEnabled,
  });
}

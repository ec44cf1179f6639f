import { readEnvironment } from '../config/environment.ts';
import { loggerOf } from '../logging/any-logger.ts';
import type { Logger } from '../logging/logger.ts';
import { roomLogger } from '../logging/room-logger.ts';
import { type BindAddress, parseBindAddress } from '../server/bind-address.ts';
import type { CreateTaskerOptions } from './create-tasker.ts';
import { programLogger } from './program-logger.ts';

/** The worker's own HTTP port. */
export interface WebOptions {
  /** False: no port is opened. Default true. */
  enabled?: boolean;
  /** Default `127.0.0.1:8081`. Beyond this machine only health and metrics are answered. Port 0: any free one. */
  bindAddress?: string;
  /** Show the effective configuration, secrets hidden, at `/config`. Default false. */
  configEndpointEnabled?: boolean;
}

/** How a {@link WorkerServer} works: what `createTasker` takes, and what a program of its own needs beside it. */
export interface WorkerServerConfig extends Omit<CreateTaskerOptions, 'handlers' | 'worker' | 'autoStart' | 'signal'> {
  /** Folders of handlers. Default: `TASKER_HANDLER_PATH`. More may be registered with `getHandlerSystem()`. */
  handlers?: string | readonly string[];
  /** The only namespace to serve; `namespaces` names several. */
  namespace?: string;
  /** Of the server's own logger, when `logger` is not given. Default: `TASKER_LOG`, `LOG_LEVEL` or `RUST_LOG`, else `info`. */
  logLevel?: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** How long running handlers may take to finish when the server stops, in milliseconds. Default 30,000. */
  drainTimeoutMs?: number;
  /** True: the default port; false: none. */
  web?: boolean | WebOptions;
  /** Answer SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 while the server runs. Default false: they are yours. */
  handleSignals?: boolean;
  /** The same as `concurrency`. */
  maxConcurrentHandlers?: number;
  /** Has no meaning here, and no effect: there is nothing native to load. */
  libraryPath?: string;
  /** Have no meaning here, and no effect: steps are waited for, not polled. */
  pollIntervalMs?: number;
  starvationCheckInterval?: number;
  cleanupInterval?: number;
  metricsInterval?: number;
}

/** What a configuration comes to. */
export interface ServerSettings {
  tasker: CreateTaskerOptions;
  handlers: readonly string[];
  environment: string;
  logger: Logger;
  drainTimeoutMs: number | undefined;
  web: { address: BindAddress; showConfig: boolean } | undefined;
  handleSignals: boolean;
}

const BIND_ADDRESS = '127.0.0.1:8081';

/** Reads a configuration and the environment. @throws TaskerError `config_invalid` */
export function serverSettings(config: WorkerServerConfig): ServerSettings {
  const { handlerPaths, templatePaths, ...env } = readEnvironment();
  const environment = config.environment ?? env.environment;
  const { namespace, handlers = handlerPaths, web = true, maxConcurrentHandlers, ...rest } = config;
  const logger = config.logger ? loggerOf(config.logger) : programLogger({ level: config.logLevel });
  const {
    enabled = true,
    bindAddress = env.webBindAddress ?? BIND_ADDRESS,
    configEndpointEnabled = false,
  } = typeof web === 'boolean' ? { enabled: web } : web;
  const tasker = {
    ...rest,
    logger,
    templates: config.templates ?? templatePaths,
    concurrency: config.concurrency ?? maxConcurrentHandlers,
    namespaces: config.namespaces ?? (namespace === undefined ? undefined : [namespace]),
  };
  return {
    tasker: Object.fromEntries(Object.entries(tasker).filter(([, value]) => value !== undefined)),
    handlers: typeof handlers === 'string' ? [handlers] : handlers,
    environment,
    logger: roomLogger(logger, 'server'),
    drainTimeoutMs: config.drainTimeoutMs,
    web: enabled ? { address: parseBindAddress(bindAddress), showConfig: configEndpointEnabled } : undefined,
    handleSignals: config.handleSignals ?? false,
  };
}

import { availableParallelism, hostname } from 'node:os';
import { type LoadedConfig, loadConfig, withOverrides } from '../config/load-config.ts';
import type { TaskerConfig } from '../config/config-keys.ts';
import { lostAtStart } from '../db/connection-error.ts';
import { Engine } from '../engine/engine.ts';
import type { DynamicLimits } from '../engine/expansion.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { EventDeliveryOptions } from '../events/delivery/event-delivery.ts';
import { allSinks, sinksFromConfig } from '../events/sinks/all-sinks.ts';
import { type AnyLogger, loggerOf } from '../logging/any-logger.ts';
import { consoleLogger } from '../logging/console-logger.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import { untold, useWorkerLogger } from '../logging/process-logger.ts';
import { type Metrics, type MetricsRegistry, silentMetrics, TaskerMetrics } from '../metrics/metrics.ts';
import { formatProblem } from '../template/parse-template.ts';
import { openTracing } from '../tracing/tracing.ts';
import { type OptionNames, refuseUnknown } from './check-options.ts';
import { eventRegistries, type PublisherSource, type SubscriberSource } from './event-registries.ts';
import { openDatabase } from './open-database.ts';
import { DiscoveredSubscribers } from './project/discovered-subscribers.ts';
import { type HandlerSource, loadHandlers } from './project/load-handlers.ts';
import { loadTemplates, type TemplateSource, withoutTemplates } from './project/load-templates.ts';
import { Tasker } from './tasker.ts';

/**
 * Options of {@link createTasker}. Times in milliseconds. What is not given is taken from the environment, then from the
 * configuration file, then from the defaults.
 */
export interface CreateTaskerOptions {
  /** A TOML file, or a folder with `base/` and `environments/`. Default: `TASKER_CONFIG_PATH`, else the project's own. */
  configPath?: string;
  /** What {@link loadConfig} gave: environment and file are not read again. */
  config?: LoadedConfig;
  /**
   * A folder, files, parsed templates, or plain objects with the keys of a template file. They are registered at the
   * start. Default: those in the database.
   */
  templates?: TemplateSource;
  /** A folder, classes, instances, `define…()` values or a registry. Without handlers nothing is run. */
  handlers?: HandlerSource;
  /**
   * Publishers of domain events: classes, instances, or a `PublisherRegistry`; those that a folder of handlers exports join
   * them. What a step declares and no publisher is for has the step's result as its payload.
   */
  publishers?: PublisherSource;
  /**
   * Subscribers to domain events: classes, instances, `defineSubscriber` values, or a `SubscriberRegistry`; those that a
   * folder of handlers exports join them. They run from start to stop, with or without a worker.
   */
  subscribers?: SubscriberSource;
  /** Default: `DATABASE_URL`; without it, an embedded PostgreSQL in `.tasker/`. */
  databaseUrl?: string;
  /** For LISTEN and migrations, when `databaseUrl` leads through a transaction pooler. Default: `DATABASE_DIRECT_URL`. */
  databaseDirectUrl?: string;
  /** The embedded server's folder. Default `.tasker` below the current folder. */
  embeddedFolder?: string;
  /** Connections at most. Default 10. */
  poolSize?: number;
  /** Namespaces to serve. Default: those of the templates. */
  namespaces?: string[];
  /** Handlers that run at once. Default 100. */
  concurrency?: number;
  /** False: creates and watches only. */
  worker?: boolean;
  /**
   * pino, winston, `console`, or anything of their shapes. Default: standard error, at the level of `TASKER_LOG`,
   * `LOG_LEVEL`, `RUST_LOG` or the configuration file, else warnings and errors only.
   */
  logger?: AnyLogger;
  /**
   * Where to count: a `Registry` of `prom-client`, in which the instruments stand until the tasker stops; `false`: nowhere.
   * Default: only `tasker.metrics`, which tells them in any case.
   */
  metrics?: MetricsRegistry | false;
  /** The worker's name in history and messages. Default: host and process id. */
  name?: string;
  /** A worker that gives no sign of life for so long is taken for dead. Default 30,000. */
  leaseMs?: number;
  /**
   * A handler that blocks the event loop keeps its worker's steps for so long: a thread of their own proves meanwhile
   * that the process lives. A loop that is blocked for longer is given up, and its steps go to others when the lease is
   * over. 0: no such thread. Default 300,000.
   */
  blockedLoopBoundMs?: number;
  /** Threads for steps with `isolation: thread`, at most; each runs one step at a time. Default: one a core. */
  threads?: number;
  /** Megabytes that what a step in a thread keeps may take; one that goes beyond them fails. Default: as Node does it. */
  threadMemoryMb?: number;
  /** For steps without `timeout_seconds`; 0: none. Default 300,000. */
  handlerTimeoutMs?: number;
  /** How long a step waits for a handler that no worker has. Default 10,000. */
  handlerMissingGraceMs?: number;
  /** How long `stop()` lets running handlers finish. Default 30,000. */
  drainTimeoutMs?: number;
  /** Between looks into the queue when no notification came. Default 2,000; 1,000 while none can arrive. */
  pollMs?: number;
  /**
   * What one result may make happen: steps that a decision names (`stepsPerDecision`, 100), decisions on one way through
   * a template (`decisionDepth`, 20), workers of one batch (`workersPerBatch`, 10,000; at most 131,072). An outcome that
   * goes beyond them fails its step for good.
   */
  limits?: Partial<DynamicLimits>;
  /**
   * Where durable domain events are brought to: `webhookSink(…)`, `rabbitmqSink(…)`, or a consumer of your own. They are
   * closed when the tasker stops. Those of the configuration file are added where there is a worker.
   */
  sinks?: readonly EventConsumer[];
  /** Which overrides of the templates' `environments` apply. Default `TASKER_ENV`, else `development`. */
  environment?: string;
  /** Bring the schema up to date. Default true. */
  migrate?: boolean;
  /** False: connect and register only; call `start()` later. */
  autoStart?: boolean;
  /** Stops the tasker when it fires. */
  signal?: AbortSignal;
}

/** Every option of {@link createTasker}. */
export const TASKER_OPTIONS: OptionNames<CreateTaskerOptions> = {
  configPath: true,
  config: true,
  templates: true,
  handlers: true,
  publishers: true,
  subscribers: true,
  databaseUrl: true,
  databaseDirectUrl: true,
  embeddedFolder: true,
  poolSize: true,
  namespaces: true,
  concurrency: true,
  worker: true,
  logger: true,
  metrics: true,
  name: true,
  leaseMs: true,
  blockedLoopBoundMs: true,
  threads: true,
  threadMemoryMb: true,
  handlerTimeoutMs: true,
  handlerMissingGraceMs: true,
  drainTimeoutMs: true,
  pollMs: true,
  limits: true,
  sinks: true,
  environment: true,
  migrate: true,
  autoStart: true,
  signal: true,
};

/** Every member of the option `limits`. */
export const LIMIT_OPTIONS: OptionNames<DynamicLimits> = {
  stepsPerDecision: true,
  decisionDepth: true,
  workersPerBatch: true,
};

/**
 * The front door: connects to PostgreSQL (or starts the embedded one), registers templates, and runs steps.
 *
 * @example
 * const greet = defineHandler('greet', { inputs: { name: 'name' } }, async ({ name }) => ({ greeting: `Hello ${name}` }));
 * const tasker = await createTasker({ templates: './templates', handlers: [greet] });
 * const task = await tasker.createTask({ namespace: 'demo', name: 'hello', version: '1.0.0', context: { name: 'Ada' } });
 * const done = await tasker.waitForTask(task.taskUuid, { timeoutMs: 10_000 });
 * await tasker.stop();
 * @throws TaskerError `config_invalid`, `database_unreachable`, `database_too_old`, `database_url_missing`, `template_invalid`, `handler_invalid` …
 */
export async function createTasker(options: CreateTaskerOptions = {}): Promise<Tasker> {
  refuseUnknown('createTasker', options, TASKER_OPTIONS);
  refuseUnknown('createTasker: limits', options.limits, LIMIT_OPTIONS);
  return makeTasker(options, { handOut: false });
}

/** As {@link createTasker}; with `handOut`, the steps are for those who read them from its worker's channel. @internal */
export async function makeTasker(options: CreateTaskerOptions, { handOut }: { handOut: boolean }): Promise<Tasker> {
  checkNumbers(options);
  const loaded = configOf(options);
  const logger = options.logger ? loggerOf(options.logger) : defaultLogger(loaded);
  if (!options.config) for (const line of untold(loaded.warnings)) logger.warn(line);
  const wantsWorker = options.worker ?? options.handlers !== undefined;
  const leaveLogs = options.logger && wantsWorker ? useWorkerLogger(logger) : undefined;
  try {
    return await openTasker(options, { loaded, logger, wantsWorker, handOut, leaveLogs });
  } catch (error) {
    leaveLogs?.();
    throw error;
  }
}

interface Opening {
  loaded: LoadedConfig;
  logger: Logger;
  wantsWorker: boolean;
  handOut: boolean;
  /** Stops sending lines from outside of handlers to this logger. */
  leaveLogs: (() => void) | undefined;
}

async function openTasker(options: CreateTaskerOptions, opening: Opening): Promise<Tasker> {
  const { loaded, logger, wantsWorker, handOut, leaveLogs } = opening;
  const { config } = loaded;
  options.signal?.throwIfAborted();
  const environment = options.environment ?? config.environment;
  const { templates, problems } = await loadTemplates(options.templates ?? [], environment);
  for (const problem of problems) logger.warn(formatProblem(problem));
  if (handOut) {
    const { namespaces } = config;
    const noTemplates = withoutTemplates(options.templates, { namespaces, found: templates.length });
    if (noTemplates !== undefined) logger.warn(noTemplates);
  }
  const events = eventRegistries(options, moduleLogger(logger, 'events'));
  const found = new DiscoveredSubscribers(events);
  const loading = { logger: moduleLogger(logger, 'registry'), found };
  const registry = wantsWorker ? await loadHandlers(options.handlers ?? [], loading) : undefined;
  const sinks = sinksOf(options, { config, logger, wantsWorker });
  const metrics = metricsOf(options);
  const onDatabase = moduleLogger(logger, 'db');
  const open = await openDatabase({ loaded, logger: onDatabase, migrate: options.migrate, metrics }).catch(
    (error: unknown) => {
      metrics.close();
      throw error;
    },
  );
  let tasker: Tasker | undefined;
  try {
    const engine = new Engine(open.database, moduleLogger(logger, 'engine'), limitsOf(config));
    await engine.templates.registerAll(templates);
    tasker = new Tasker({
      open,
      engine,
      registry,
      logger,
      metrics,
      tracing: await openTracing(),
      templates,
      environment,
      ...events,
      name: config.name ?? `${hostname()}-${process.pid}`,
      concurrency: config.concurrency,
      leaseMs: config.leaseMs,
      blockedLoopBoundMs: config.blockedLoopBoundMs,
      threads: config.threads ?? availableParallelism(),
      threadMemoryMb: config.threadMemoryMb,
      handlerTimeoutMs: config.handlerTimeoutMs,
      handlerMissingGraceMs: config.handlerMissingGraceMs,
      drainTimeoutMs: config.drainTimeoutMs,
      pollMs: config.pollMs,
      namespaces: config.namespaces,
      handOut,
      sinks,
      eventDelivery: deliveryOf(config),
      stopped: leaveLogs,
    });
    if (options.autoStart ?? true) await tasker.start();
    options.signal?.throwIfAborted();
    if (options.signal) tasker.stopWith(options.signal);
    return tasker;
  } catch (error) {
    // What was started must not keep the process alive; why it failed is told by the first error.
    await (tasker?.stop({ drainTimeoutMs: 0 }) ?? open.close()).catch((also: unknown) =>
      logger.debug({ error: messageOf(also) }, 'what was started could not be stopped cleanly'),
    );
    metrics.close();
    throw lostAtStart(open.database.place, error);
  }
}

function metricsOf({ metrics }: CreateTaskerOptions): Metrics {
  if (metrics === false) return silentMetrics;
  try {
    return new TaskerMetrics({ registry: metrics });
  } catch (error) {
    throw new TaskerError(
      'config_invalid',
      `createTasker: metrics: ${messageOf(error)} Give each tasker a registry of its own, and join them by Registry.merge`,
      { cause: error },
    );
  }
}

/** The options over what environment and file say. `environment` is about templates alone: it opens no database. */
function configOf(options: CreateTaskerOptions): LoadedConfig {
  const { environment: _, limits = {}, ...given } = options;
  const loaded = options.config ?? loadConfig({ configPath: options.configPath });
  return withOverrides(loaded, { ...given, ...limits });
}

/** A program that only creates tasks and watches leaves the sinks of the file to the workers. */
function sinksOf(
  { sinks = [] }: CreateTaskerOptions,
  { config, logger, wantsWorker }: { config: TaskerConfig; logger: Logger; wantsWorker: boolean },
): EventConsumer[] {
  return allSinks(sinks, wantsWorker ? sinksFromConfig(config, moduleLogger(logger, 'events')) : []);
}

function deliveryOf(config: Readonly<TaskerConfig>): EventDeliveryOptions {
  return {
    retentionMs: config.eventRetentionMs,
    concurrency: config.eventConcurrency,
    timeoutMs: config.eventTimeoutMs,
    maxDeliveries: config.eventMaxDeliveries,
  };
}

function limitsOf({ stepsPerDecision, decisionDepth, workersPerBatch }: LoadedConfig['config']): DynamicLimits {
  return { stepsPerDecision, decisionDepth, workersPerBatch };
}

/** No timer of Node runs longer: it would fire at once, again and again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** For people on a terminal while they develop, JSON for everything else. */
/** An application may not expect our lines on its standard error: warnings only, unless a level was asked for. */
function defaultLogger({ config: { environment, log }, sources }: LoadedConfig): Logger {
  const form = process.stderr.isTTY && environment !== 'production' ? 'lines' : 'json';
  return consoleLogger({ ...(sources.log.from === 'default' ? { level: 'warn' } : log), form });
}

function checkNumbers(options: CreateTaskerOptions): void {
  const least = {
    concurrency: 1,
    leaseMs: 100,
    blockedLoopBoundMs: 0,
    threads: 1,
    threadMemoryMb: 16,
    handlerTimeoutMs: 0,
    handlerMissingGraceMs: 0,
    drainTimeoutMs: 0,
    pollMs: 10,
    poolSize: 2,
  } as const;
  for (const [key, value] of Object.entries(options.limits ?? {})) {
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= 131_072)) continue;
    throw new TaskerError(
      'config_invalid',
      `createTasker: limits.${key} must be a whole number from 1 to 131072, got ${value}`,
    );
  }
  for (const key of Object.keys(least) as (keyof typeof least)[]) {
    const value = options[key];
    if (value === undefined || (Number.isInteger(value) && value >= least[key] && value <= LONGEST_TIMER_MS)) continue;
    throw new TaskerError(
      'config_invalid',
      `createTasker: ${key} must be a whole number from ${least[key]} to ${LONGEST_TIMER_MS}, got ${value}`,
    );
  }
}

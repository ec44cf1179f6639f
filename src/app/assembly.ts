import { hostname } from 'node:os';
import type { TaskerConfig } from '../config/config-keys.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { shownConfig } from '../config/show/show-config.ts';
import { lostAtStart } from '../db/connection-error.ts';
import { Engine } from '../engine/engine.ts';
import { explainForbidden } from '../engine/rights.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import { untold, useWorkerLogger } from '../logging/worker-loggers.ts';
import { type Metrics, silentMetrics, TaskerMetrics } from '../metrics/metrics.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { Listening } from '../server/listen.ts';
import type { WorkerAppOptions } from '../server/worker-app.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { formatProblem } from '../template/template-problem.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import { openTracing } from '../tracing/tracing.ts';
import type { AnyWorkflow } from '../workflow/workflow.ts';
import type { EventRegistries } from './event-registries.ts';
import { isProduction, type OpenDatabase, openDatabase } from './open-database.ts';
import type { DiscoveredSubscribers } from './project/discovered-subscribers.ts';
import type { LoadedHandlers } from './project/handler-folders.ts';
import type { Project } from './project/project.ts';
import { startSchedules } from './schedules/start-schedules.ts';
import type { ServedTasker } from './server/served-tasker.ts';
import type { HealthLoop } from './server/worker-health.ts';
import { Tasker } from './tasker.ts';
import { type CreateTaskerOptions, checkNumbers } from './tasker-options.ts';

/** The parts from which `createTasker`, `bootstrapWorker` and `WorkerServer` assemble a tasker. */
export interface AssemblyParts {
  /** The configuration, with the source of each value. Includes the options. */
  loaded: LoadedConfig;
  /** Templates, handlers, and other options that are not configuration. */
  options: CreateTaskerOptions;
  logger: Logger;
  /** Logs startup and shutdown. Default: `logger`. */
  ownLogger?: Logger;
  /** Warnings to log at startup. */
  warnings: readonly string[];
  /** Puts steps on the worker's channel for a poller to read, instead of running them. */
  handOut?: boolean;
  /** Serves health, metrics and templates on the configured port. */
  port?: boolean;
  /** Enables {@link Assembly.reload}, which reloads the templates and the configured handler folders. */
  reload?: boolean;
  /** Refuses to start if no file in these folders exports a handler. By default, only logs a warning. */
  needsHandlers?: boolean;
  /** Authenticates requests to the port on an address that other machines can reach. */
  guard?: WorkerAppOptions['guard'];
  /** The registry for handlers. It outlives this worker. Default: a new registry. */
  registry?: HandlerRegistry;
  /** The state for reports, such as `starting` or `running`. */
  state?: () => string;
  /** The code that runs steps and delivers events. Undefined for a tasker that does neither. */
  workerCode: typeof import('./process/worker-code.ts') | undefined;
}

/** How long a stop waits for a startup in progress, which may be waiting for a server that does not respond. */
const START_MS = 5_000;

/** One run of a tasker and its surrounding parts. Opens the parts in order, and closes them in reverse order. */
export class Assembly {
  readonly #parts: AssemblyParts;
  readonly #logger: Logger;
  readonly #environment: string;
  readonly #events: EventRegistries | undefined;
  readonly #project: Project | undefined;
  readonly #found: DiscoveredSubscribers | undefined;
  readonly #abort = new AbortController();
  /** The worker's name. */
  readonly workerId: string;
  readonly report: ServedTasker | undefined;
  /** A value of `performance.now()`. */
  readonly startedAt = performance.now();
  #listening: Listening | undefined;
  #tasker: Tasker | undefined;
  #health: HealthLoop | undefined;
  #started: Promise<Tasker> | undefined;
  #stopped: Promise<void> | undefined;
  #reloading: Promise<void> = Promise.resolve();

  constructor(parts: AssemblyParts) {
    const { loaded, options, logger, reload, registry, workerCode, state = () => 'running' } = parts;
    checkNumbers(options);
    this.#parts = parts;
    this.#logger = parts.ownLogger ?? logger;
    this.#environment = options.environment ?? loaded.config.environment;
    this.workerId = loaded.config.name ?? `${hostname()}-${process.pid}`;
    if (!workerCode) return;
    this.#events = workerCode.eventRegistries(options, moduleLogger(logger, 'events'));
    this.#found = new workerCode.DiscoveredSubscribers(this.#events);
    if (reload) {
      this.#project = new workerCode.Project({
        templates: options.templates ?? [],
        handlers: loaded.config.handlerPaths,
        environment: this.#environment,
        logger: this.#logger,
        registry,
        events: this.#events,
        tell: (line) => this.#logger.info(line),
        warn: (line) => this.#logger.warn(line),
      });
    }
    const environment = this.#environment;
    const config = loaded.config.webConfigEndpoint ? () => shownConfig(loaded, environment) : undefined;
    this.report = new workerCode.ServedTasker({ workerId: this.workerId, environment, state, config });
  }

  get config(): Readonly<TaskerConfig> {
    return this.#parts.loaded.config;
  }

  /** The configuration file or folder that was read. */
  get configPath(): string | undefined {
    return this.#parts.loaded.path;
  }

  /** Undefined until startup has finished. */
  get tasker(): Tasker | undefined {
    return this.#tasker;
  }

  get health(): HealthLoop | undefined {
    return this.#health;
  }

  /** The URL of the open port; undefined if there is none. */
  get url(): string | undefined {
    return this.#listening?.url;
  }

  start(): Promise<Tasker> {
    this.#started = this.#start();
    return this.#started;
  }

  async #start(): Promise<Tasker> {
    const { options, logger, warnings } = this.#parts;
    const { signal } = this.#abort;
    for (const line of untold(warnings)) this.#logger.warn(line);
    // The logger is needed early, because handlers may log while they are loaded.
    const leaveLogs = options.logger && this.#wantsWorker ? useWorkerLogger(logger) : undefined;
    try {
      options.signal?.throwIfAborted();
      signal.throwIfAborted();
      await this.#openPort();
      // Reports a broken handler folder before a broken template.
      const found = await this.#project?.library.load();
      const templates = await this.#loadTemplates();
      const registry = this.#wantsWorker ? await this.#loadHandlers(templates, found) : undefined;
      signal.throwIfAborted();
      const tasker = await this.#connect({ templates, registry, stopped: leaveLogs });
      this.#tasker = tasker;
      if (registry) this.report?.serve(tasker, registry);
      signal.throwIfAborted();
      const { report } = this;
      if (this.#project && report) {
        this.#health = new this.#parts.workerCode!.HealthLoop(() => report.readiness(), this.#logger);
        this.#health.start();
      }
      return tasker;
    } catch (error) {
      await this.#close().finally(() => leaveLogs?.());
      throw signal.aborted ? new TaskerError('stopped', 'the worker was stopped before it had started') : error;
    }
  }

  get #wantsWorker(): boolean {
    const { worker, handlers } = this.#parts.options;
    return worker ?? (this.#project !== undefined || handlers !== undefined);
  }

  /** Opens the port first, so that it responds to health checks from the beginning. */
  async #openPort(): Promise<void> {
    const { port, logger, guard } = this.#parts;
    const { webEnabled, webAddress: address } = this.config;
    if (!port || !webEnabled) return;
    // Imported only here, so that a worker without a port does not spend time loading the server.
    const [{ listen, listenOrMove }, { workerApp }, { isLoopback }] = await Promise.all([
      import('../server/listen.ts'),
      import('../server/worker-app.ts'),
      import('../server/bind-address.ts'),
    ]);
    const ofServer = moduleLogger(logger, 'server');
    const app = workerApp({ worker: this.report!, logger: ofServer, exposed: !isLoopback(address.host), guard });
    const moved = () => ofServer.warn({ port: address.port }, 'the default port is in use, using a free one');
    const isDefault = this.#parts.loaded.sources.webAddress.from === 'default';
    this.#listening = await (isDefault ? listenOrMove(app, address, { moved }) : listen(app, address));
    ofServer.info({ url: this.#listening.url }, 'health and metrics server listening');
  }

  async #loadTemplates(): Promise<TaskTemplate[]> {
    const { loaded, options, handOut, workerCode } = this.#parts;
    if (options.templates === undefined && !workerCode) return [];
    const { checkFolders, loadTemplates, withoutTemplates } = await import('./project/load-templates.ts');
    const read = await loadTemplates(options.templates ?? [], this.#environment);
    const workflows = this.#project?.library.workflows ?? [];
    const templates = [...read.templates, ...workflows.map(({ template }) => template)];
    for (const problem of read.problems) this.#logger.warn(formatProblem(problem));
    this.#warnOf(workflows, templates);
    this.#project?.adopt(templates);
    if (handOut || this.#project) {
      const { namespaces } = loaded.config;
      const noTemplates = withoutTemplates(options.templates, { namespaces, found: templates.length });
      if (noTemplates !== undefined) this.#logger.warn(noTemplates);
    } else checkFolders(read);
    return templates;
  }

  /** Logs the warnings about workflows that handler folders export. */
  #warnOf(workflows: readonly AnyWorkflow[], templates: readonly TaskTemplate[]): void {
    for (const line of this.#parts.workerCode?.workflowWarnings(workflows, templates) ?? []) this.#logger.warn(line);
  }

  /**
   * Adds the templates of workflows that handler folders export.
   * @throws TaskerError `handler_not_found` if no file exports a handler and the worker needs one */
  async #loadHandlers(templates: TaskTemplate[], found?: LoadedHandlers): Promise<HandlerRegistry> {
    const { options, logger, registry, needsHandlers } = this.#parts;
    if (!this.#project || !found) {
      const lines = registry?.logger ?? moduleLogger(logger, 'registry');
      const { loadHandlers } = this.#parts.workerCode!;
      const loaded = await loadHandlers(options.handlers ?? [], { logger: lines, found: this.#found!, registry });
      templates.push(...loaded.workflows.map(({ template }) => template));
      this.#warnOf(loaded.workflows, templates);
      return loaded.registry;
    }
    const { library } = this.#project;
    const folders = this.config.handlerPaths;
    const { count } = found;
    if (folders.length > 0) this.#logger.info({ folders }, `discovered ${count} handler${count === 1 ? '' : 's'}`);
    const why = await library.whyEmpty(templates);
    if (why !== undefined && needsHandlers) throw new TaskerError('handler_not_found', why);
    if (why !== undefined) this.#logger.warn(why);
    return library.registry;
  }

  get #handlerPlaces(): readonly string[] {
    if (this.#project) return this.config.handlerPaths;
    const { handlers } = this.#parts.options;
    const sources: readonly unknown[] = Array.isArray(handlers) ? handlers : [handlers];
    return sources.filter((one) => typeof one === 'string');
  }

  async #connect(made: {
    templates: TaskTemplate[];
    registry: HandlerRegistry | undefined;
    stopped: (() => void) | undefined;
  }): Promise<Tasker> {
    const { loaded, options, logger, workerCode, handOut = false } = this.#parts;
    const { config } = loaded;
    const { stepsPerDecision, decisionDepth, workersPerBatch } = config;
    const sinks = this.#sinks();
    const metrics = metricsOf(options);
    let open: OpenDatabase | undefined;
    let tasker: Tasker | undefined;
    try {
      open = await openDatabase({ loaded, logger: moduleLogger(logger, 'db'), metrics });
      const limits = { stepsPerDecision, decisionDepth, workersPerBatch };
      const search = { enabled: config.searchEnabled };
      const analytics = { enabled: config.analyticsEnabled };
      const engine = new Engine(open.database, moduleLogger(logger, 'engine'), {
        ...limits,
        search,
        analytics,
        replica: open.replica,
        filesForHttpTemplates: config.filesForHttpTemplates ?? !this.#isProduction,
      });
      const keepContent = this.#keepsContent;
      await engine.templates.registerAll(made.templates, { keepContent });
      const schedules = { files: options.schedules, source: config.scheduleSource };
      await startSchedules({ engine, ...schedules, logger: moduleLogger(logger, 'app') });
      tasker = new Tasker({
        ...made,
        ...this.#events,
        Worker: workerCode?.Worker,
        config,
        name: this.workerId,
        handlerPlaces: this.#handlerPlaces,
        environment: this.#environment,
        open,
        engine,
        logger,
        metrics,
        tracing: await openTracing(),
        handOut,
        sinks,
        keepContent,
      });
      if (options.autoStart ?? true) await tasker.start();
      options.signal?.throwIfAborted();
      if (options.signal) tasker.stopWith(options.signal);
      return tasker;
    } catch (error) {
      const cause = open ? lostAtStart(open.database.place, await explainForbidden(open.database, error)) : error;
      // Stops the parts that were started, so that they do not keep the process alive. The caller throws the first
      // error.
      await (tasker?.stop({ drainTimeoutMs: 0 }) ?? open?.close())?.catch((also: unknown) =>
        logger.debug({ error: messageOf(also) }, 'cleanup after a failed start failed'),
      );
      metrics.close();
      throw cause;
    }
  }

  /** Whether registered versions keep their content: in production, unless it is to be replaced. */
  get #keepsContent(): boolean {
    return this.#isProduction && !this.#parts.loaded.config.replaceTemplates;
  }

  get #isProduction(): boolean {
    const { loaded, options } = this.#parts;
    return options.environment === undefined ? isProduction(loaded) : options.environment === 'production';
  }

  /** The sinks in the configuration file run only in workers, not in a program that only creates and watches tasks. */
  #sinks(): EventConsumer[] {
    const { loaded, options, logger, workerCode } = this.#parts;
    if (!workerCode) return [];
    const configured = this.#wantsWorker
      ? workerCode.sinksFromConfig(loaded.config, moduleLogger(logger, 'events'))
      : [];
    return workerCode.allSinks(options.sinks ?? [], configured);
  }

  /** Reloads templates and handlers. Logs broken files, whose earlier content stays in use. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(async () => {
      const project = this.#project;
      const tasker = this.#tasker;
      if (!project || !tasker || this.#stopped) return;
      const templates = await project.reloadTemplates(tasker);
      const handlers = this.config.handlerPaths.length === 0 || (await project.reloadHandlers(tasker));
      if (templates && handlers) this.#logger.info('templates and handlers reloaded');
    });
    const reloading = this.#reloading;
    this.#reloading = reloading.catch(() => undefined); // the caller handles the error
    return reloading;
  }

  /** Returns the same promise for every call. `drainTimeoutMs` defaults to the configured value. */
  stop(drainTimeoutMs: number | undefined): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number | undefined): Promise<void> {
    this.#abort.abort();
    // A startup that hangs must not block the stop. The startup later closes the parts that it has opened.
    if (this.#started && !this.#tasker) {
      const ended = this.#started.catch(() => undefined);
      if (!(await waitAtMost(START_MS, ended))) {
        this.#logger.warn('stopping without waiting for the startup in progress, which will close its own parts');
      }
    }
    await this.#close(drainTimeoutMs);
  }

  /** Closes the port last. While handlers finish, the port reports that the worker is alive and not ready. */
  async #close(drainTimeoutMs?: number): Promise<void> {
    this.#health?.stop();
    try {
      try {
        await this.#tasker?.stop({ drainTimeoutMs });
      } finally {
        await this.#leave();
      }
    } finally {
      await this.#listening?.close().catch((error: unknown) => {
        this.#logger.debug({ error: messageOf(error) }, 'the port was already closed');
      });
    }
  }

  /** Removes the exports of the folders from registries that outlive this worker. */
  async #leave(): Promise<void> {
    // A reload in progress would add the exports again.
    await waitAtMost(START_MS, this.#reloading);
    if (this.#project) await this.#project.library.leave();
    else if (this.#parts.registry) await this.#found?.leave();
  }
}

function metricsOf({ metrics }: CreateTaskerOptions): Metrics {
  if (metrics === false) return silentMetrics;
  try {
    return new TaskerMetrics({ registry: metrics });
  } catch (error) {
    throw new TaskerError(
      'config_invalid',
      `createTasker: metrics: ${messageOf(error)} Give each tasker its own registry, and combine them with Registry.merge`,
      { cause: error },
    );
  }
}

import { messageOf, TaskerError } from '../../errors.ts';
import { loggerOf } from '../../logging/any-logger.ts';
import { untold, useWorkerLogger } from '../../logging/process-logger.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { Listening } from '../../server/listen.ts';
import { formatProblem } from '../../template/parse-template.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { makeTasker } from '../create-tasker.ts';
import { type EventRegistries, eventRegistries, processEventRegistries } from '../event-registries.ts';
import { loadTemplates, withoutTemplates } from '../project/load-templates.ts';
import { Project } from '../project/project.ts';
import type { Tasker } from '../tasker.ts';
import { HealthLoop } from './health-loop.ts';
import { openPort } from './open-port.ts';
import { ServedTasker } from './served-tasker.ts';
import type { ServerSettings } from './server-config.ts';

/** How long a stop waits for a start under way. What it waits for may be a server that does not answer. */
const START_MS = 5_000;

/** One life of a worker server, from its start to its end: opens things in order, and closes them in the other. */
export class ServerRun {
  readonly #settings: ServerSettings;
  readonly #project: Project;
  readonly #events: EventRegistries;
  readonly #served: ServedTasker;
  readonly #abort = new AbortController();
  #listening: Listening | undefined;
  #tasker: Tasker | undefined;
  #health: HealthLoop | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #reloading: Promise<void> = Promise.resolve();

  constructor(settings: ServerSettings, registry: HandlerRegistry, state: () => string) {
    const { logger, handlers, environment, tasker } = settings;
    this.#settings = settings;
    this.#events = serverEvents(settings);
    this.#project = new Project({
      templates: tasker.templates ?? [],
      handlers,
      environment,
      logger,
      registry,
      events: this.#events,
      tell: (line) => logger.info(line),
      warn: (line) => logger.warn(line),
    });
    this.#served = new ServedTasker({ settings, registry, state });
  }

  get tasker(): Tasker | undefined {
    return this.#tasker;
  }

  get workerId(): string {
    return this.#served.facts().workerId;
  }

  /** The configuration file, or the folder of such, that was read. */
  get configPath(): string | undefined {
    return this.#settings.loaded.path;
  }

  get health(): HealthLoop | undefined {
    return this.#health;
  }

  /** Where the REST is; undefined without one. */
  get url(): string | undefined {
    return this.#listening?.url;
  }

  start(): Promise<void> {
    this.#started = this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    for (const line of untold(this.#settings.warnings)) this.#settings.logger.warn(line);
    // Handlers are loaded before the tasker exists, and may log.
    const leaveLogs = useWorkerLogger(loggerOf(this.#settings.tasker.logger ?? this.#settings.logger));
    try {
      this.#abort.signal.throwIfAborted();
      await this.#openPort();
      await this.#startTasker();
    } catch (error) {
      await this.#close();
      throw this.#abort.signal.aborted ? stoppedEarly() : error;
    } finally {
      leaveLogs();
    }
  }

  /** First of all, so that whoever asks for the worker's health is answered from the beginning. */
  async #openPort(): Promise<void> {
    const { web, logger } = this.#settings;
    if (!web) return;
    this.#listening = await openPort({ worker: this.#served, logger, address: web.address });
  }

  async #startTasker(): Promise<void> {
    const { loaded, tasker, environment, handlers: folders, logger } = this.#settings;
    const { count } = await this.#project.library.load();
    if (folders.length > 0) logger.info({ folders }, `discovered ${count} handler${count === 1 ? '' : 's'}`);
    const { templates, problems } = await loadTemplates(tasker.templates ?? [], environment);
    for (const problem of problems) logger.warn(formatProblem(problem));
    this.#project.adopt(templates);
    const noTemplates = withoutTemplates(tasker.templates, {
      namespaces: loaded.config.namespaces,
      found: templates.length,
    });
    if (noTemplates !== undefined) logger.warn(noTemplates);
    await this.#checkFolders(templates);
    this.#abort.signal.throwIfAborted();
    const handlers = this.#project.library.registry;
    const options = { ...tasker, ...this.#events, templates, handlers, environment };
    this.#tasker = await makeTasker(options, { handOut: false });
    this.#served.serve(this.#tasker);
    this.#abort.signal.throwIfAborted();
    this.#health = new HealthLoop(() => this.#served.readiness(), logger);
    this.#health.start();
  }

  /** @throws TaskerError `handler_not_found` when no file exports a handler, and the worker needs one */
  async #checkFolders(templates: readonly TaskTemplate[]): Promise<void> {
    const why = await this.#project.library.whyEmpty(templates);
    if (why === undefined) return;
    if (this.#settings.needsHandlers) throw new TaskerError('handler_not_found', why);
    this.#settings.logger.warn(why);
  }

  /** Reads templates and handlers anew; what is broken is logged, and what was there before stays. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(async () => {
      const tasker = this.#tasker;
      if (!tasker || this.#stopped) return;
      const templates = await this.#project.reloadTemplates(tasker);
      const handlers = this.#settings.handlers.length === 0 || (await this.#project.reloadHandlers(tasker));
      if (templates && handlers) this.#settings.logger.info('templates and handlers were read anew');
    });
    const reloading = this.#reloading;
    this.#reloading = reloading.catch(() => undefined); // it is told to whoever asked for it
    return reloading;
  }

  /** The same promise for every call. */
  stop(drainTimeoutMs: number | undefined): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number | undefined): Promise<void> {
    this.#abort.abort();
    // A start that hangs must not hold up the stop; what it still opens, it closes itself.
    if (this.#started && !this.#tasker) {
      const ended = this.#started.catch(() => undefined);
      if (!(await waitAtMost(START_MS, ended))) {
        this.#settings.logger.warn('the start that was under way did not end; it closes by itself what it has opened');
      }
    }
    await this.#close(drainTimeoutMs);
  }

  /** Running handlers get their signal now. */
  hurry(): void {
    this.#tasker?.hurry();
  }

  /** The port last: while handlers finish, it says that the worker lives and is not ready. */
  async #close(drainTimeoutMs?: number): Promise<void> {
    this.#health?.stop();
    try {
      await this.#stopTasker(drainTimeoutMs).finally(() => this.#leaveFolders());
    } finally {
      await this.#listening?.close().catch((error: unknown) => {
        this.#settings.logger.debug({ error: messageOf(error) }, 'the port was closed already');
      });
    }
  }

  async #stopTasker(drainTimeoutMs: number | undefined): Promise<void> {
    await this.#tasker?.stop(drainTimeoutMs === undefined ? {} : { drainTimeoutMs });
  }

  async #leaveFolders(): Promise<void> {
    // A reload under way would put back what they export.
    await waitAtMost(START_MS, this.#reloading);
    await this.#project.library.leave();
  }
}

/** What the server was given, else what is registered in this process. */
function serverEvents({ tasker: { publishers, subscribers }, logger }: ServerSettings): EventRegistries {
  const own = processEventRegistries();
  return eventRegistries(
    { publishers: publishers ?? own.publishers, subscribers: subscribers ?? own.subscribers },
    logger,
  );
}

function stoppedEarly(): TaskerError {
  return new TaskerError('stopped', 'the worker was stopped before it had started');
}

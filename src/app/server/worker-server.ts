import { WorkerAlreadyRunningError, WorkerBootstrapError } from '../../errors/worker-errors.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventSystem } from '../../worker/bridge/event-system.ts';
import { Assembly } from '../assembly.ts';
import { handleSignals } from '../process/handle-signals.ts';
import { runAll, type ShutdownHandler } from '../process/shutdown-controller.ts';
import { HandlerSystem } from '../project/handler-system.ts';
import type { Tasker } from '../tasker.ts';
import { type ServerSettings, serverSettings, type WorkerServerConfig } from './server-config.ts';

/** Where a {@link WorkerServer} is in its life. */
export type ServerState = 'initialized' | 'starting' | 'running' | 'shutting_down' | 'stopped' | 'error';

/** What a {@link WorkerServer} does right now. */
export interface ServerStatus {
  state: ServerState;
  /** Null before the first start. */
  workerId: string | null;
  running: boolean;
  /** Attempts that ended, since the start. */
  processedCount: number;
  /** Those of them that failed. */
  errorCount: number;
  /** Handlers that run now. */
  activeHandlers: number;
  /** Milliseconds since the start; 0 when it does not run. */
  uptimeMs: number;
  /** The configuration file that was read, or the folder of such; null: there is none, or no start yet. */
  configPath: string | null;
}

/** What {@link WorkerServer.healthCheck} answers. */
export interface ServerHealthCheckResult {
  healthy: boolean;
  status?: ServerStatus;
  /** What is wrong. */
  error?: string;
}

/** Options of {@link WorkerServer.shutdown}. */
export interface ShutdownOptions {
  /** How long running handlers may take to finish, in milliseconds. Default: what the server was started with. */
  drainTimeoutMs?: number;
}

/**
 * A worker that is a program of its own: handlers and templates from folders, a port for health and metrics, and an end
 * that loses nothing. `tasker worker` is one. It installs no signal handlers unless told to.
 *
 * @example
 * const server = new WorkerServer();
 * server.getHandlerSystem().register('greet', Greet);
 * await server.start({ templates: './templates', handleSignals: true });
 * console.log(server.url); // http://127.0.0.1:8081
 */
export class WorkerServer {
  readonly #defaults: WorkerServerConfig;
  readonly #shutdownHandlers: ShutdownHandler[] = [];
  #state: ServerState = 'initialized';
  #handlers: HandlerSystem | undefined;
  #run: Assembly | undefined;
  #stopping: Promise<void> | undefined;
  #releaseSignals: (() => void) | undefined;

  /** Whether to refuse a start without any handler, as `tasker worker` does. @internal */
  needsHandlers = false;

  /** `defaults`: for what {@link start} is not told. */
  constructor(defaults: WorkerServerConfig = {}) {
    this.#defaults = defaults;
  }

  getState(): ServerState {
    return this.#state;
  }

  /** The worker's name, as history and messages have it; null before the first start. */
  getWorkerId(): string | null {
    return this.#run?.workerId ?? null;
  }

  isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Where handlers may be registered by hand, before the start or later. */
  getHandlerSystem(): HandlerSystem {
    return this.#handlersOf(() => serverSettings(this.#defaults));
  }

  #handlersOf(settings: () => ServerSettings): HandlerSystem {
    this.#handlers ??= new HandlerSystem({ baseFolder: settings().loaded.config.handlerPaths[0] });
    return this.#handlers;
  }

  /** Null: a server runs its steps itself, without a poller between. `bootstrapWorker` and `EventSystem` have one. */
  getEventSystem(): EventSystem | null {
    return null;
  }

  /** What runs the steps: creates tasks, too. Undefined while the server does not run. */
  get tasker(): Tasker | undefined {
    return this.isRunning() ? this.#run?.tasker : undefined;
  }

  /** Where health and metrics are answered; undefined without a port. */
  get url(): string | undefined {
    return this.#run?.url;
  }

  /**
   * Opens the port, reads handlers and templates, connects, registers, and runs steps from then on.
   * @throws WorkerAlreadyRunningError when it runs, starts or stops
   * @throws WorkerBootstrapError when it can't start; `cause` is why
   * @throws TaskerError `stopped` when it was shut down meanwhile
   */
  async start(config: WorkerServerConfig = {}): Promise<WorkerServer> {
    if (this.#state === 'running' || this.#state === 'starting' || this.#state === 'shutting_down') {
      throw new WorkerAlreadyRunningError(`the worker server is ${PHRASES[this.#state]}`);
    }
    this.#state = 'starting';
    this.#stopping = undefined;
    this.#run = undefined;
    try {
      const settings = serverSettings({ ...this.#defaults, ...config });
      const handlers = this.#handlersOf(() => settings);
      const run = new Assembly({
        ...settings,
        needsHandlers: this.needsHandlers,
        registry: handlers.getRegistry(),
        state: () => this.#state,
      });
      this.#run = run;
      if (settings.handleSignals) this.#listenForSignals(settings.ownLogger);
      await handlers.initialize();
      await run.start();
      if (this.#state === 'starting') this.#state = 'running';
      return this;
    } catch (error) {
      this.#releaseSignals?.();
      if (this.#stopping) throw error;
      this.#state = 'error';
      throw new WorkerBootstrapError(`the worker could not start: ${messageOf(error)}`, { cause: error });
    }
  }

  /**
   * Stops: takes no new steps, lets running handlers finish for the drain time, then fires their signal and gives their
   * steps back; runs the handlers of {@link onShutdown} last. May be called at any time and as often as you like: it is
   * the same promise, and without a server that runs or starts there is nothing to do.
   */
  shutdown({ drainTimeoutMs }: ShutdownOptions = {}): Promise<void> {
    if (this.#state === 'starting' || this.#state === 'running') {
      this.#state = 'shutting_down';
      this.#stopping = this.#shutdown(drainTimeoutMs);
    }
    return this.#stopping ?? Promise.resolve();
  }

  async #shutdown(drainTimeoutMs: number | undefined): Promise<void> {
    try {
      try {
        await this.#run?.stop(drainTimeoutMs);
      } finally {
        await runAll(this.#shutdownHandlers);
      }
      this.#state = 'stopped';
    } catch (error) {
      this.#state = 'error';
      throw error;
    } finally {
      this.#releaseSignals?.();
    }
  }

  /** The same as {@link shutdown}. */
  stop(options?: ShutdownOptions): Promise<void> {
    return this.shutdown(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** Ends the drain time of a {@link shutdown} under way: running handlers get their signal now. */
  hurry(): void {
    this.#run?.tasker?.hurry();
  }

  /** Something to run when the server has stopped, in the order in which it was added. */
  onShutdown(handler: ShutdownHandler): void {
    this.#shutdownHandlers.push(handler);
  }

  /**
   * Reads handlers and templates anew. Running steps end with the handlers that they began with; what is broken is
   * logged, and what was there before stays in use.
   */
  async reload(): Promise<void> {
    await this.#run?.reload();
  }

  /** How it is, as of the last look some seconds ago. `/health/ready` looks anew. */
  healthCheck(): ServerHealthCheckResult {
    const status = this.status();
    if (!status.running) return { healthy: false, status, error: `the worker server is ${PHRASES[this.#state]}` };
    const { level, wrong } = this.#run!.health!;
    return level === 'unhealthy' ? { healthy: false, status, error: wrong ?? level } : { healthy: true, status };
  }

  status(): ServerStatus {
    const stats = this.#run?.tasker?.stats;
    const alive = this.#state === 'running' || this.#state === 'shutting_down';
    return {
      state: this.#state,
      workerId: this.getWorkerId(),
      running: this.isRunning(),
      processedCount: stats?.processed ?? 0,
      errorCount: stats?.failed ?? 0,
      activeHandlers: stats?.running ?? 0,
      uptimeMs: alive ? Math.round(performance.now() - (this.#run?.startedAt ?? 0)) : 0,
      configPath: this.#run?.configPath ?? null,
    };
  }

  #listenForSignals(logger: Logger): void {
    const release = handleSignals({
      stop: (signal) => {
        logger.info({ signal, running: this.status().activeHandlers }, 'stopping: running handlers may finish');
        this.shutdown().catch((error: unknown) => {
          logger.error({ error: messageOf(error) }, 'the worker did not stop cleanly');
          process.exitCode = 1;
        });
      },
      hurry: (signal) => {
        if (signal === 'SIGINT') process.exitCode = 130;
        this.hurry();
      },
      report: () => logger.info({ ...this.status() }, 'worker status'),
      reload: () => {
        this.reload().catch((error: unknown) => logger.error({ error: messageOf(error) }, 'reloading went wrong'));
      },
    });
    this.#releaseSignals = () => {
      release();
      this.#releaseSignals = undefined;
    };
  }
}

const PHRASES: Readonly<Record<ServerState, string>> = {
  initialized: 'not started yet',
  starting: 'starting already',
  running: 'running already; stop it first',
  shutting_down: 'shutting down; wait for shutdown() first',
  stopped: 'stopped',
  error: 'not running: it ended with an error',
};

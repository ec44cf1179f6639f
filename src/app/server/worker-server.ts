import { messageOf, WorkerAlreadyRunningError, WorkerBootstrapError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { WorkerAppOptions } from '../../server/worker-app.ts';
import type { EventSystem } from '../../worker/bridge/event-system.ts';
import { Assembly } from '../assembly.ts';
import { handleSignals } from '../process/handle-signals.ts';
import { runAll, type ShutdownHandler } from '../process/shutdown-controller.ts';
import { HandlerSystem } from '../project/handler-system.ts';
import type { Tasker } from '../tasker.ts';
import { type ServerSettings, serverSettings, type WorkerServerConfig } from './server-config.ts';

/** The lifecycle state of a {@link WorkerServer}. */
export type ServerState = 'initialized' | 'starting' | 'running' | 'shutting_down' | 'stopped' | 'error';

/** The current status of a {@link WorkerServer}. */
export interface ServerStatus {
  state: ServerState;
  /** Null before the first start. */
  workerId: string | null;
  running: boolean;
  /** Number of attempts that ended since the server started. */
  processedCount: number;
  /** Number of attempts that failed since the server started. */
  errorCount: number;
  /** Number of running handlers. */
  activeHandlers: number;
  /** Milliseconds since the server started; 0 if it is not running. */
  uptimeMs: number;
  /** The configuration file or folder that was read; null if there is none, or before the first start. */
  configPath: string | null;
}

/** The result of {@link WorkerServer.healthCheck}. */
export interface ServerHealthCheckResult {
  healthy: boolean;
  status?: ServerStatus;
  /** The problem; absent if the server is healthy. */
  error?: string;
}

/** Options of {@link WorkerServer.shutdown}. */
export interface ShutdownOptions {
  /** How long to wait for running handlers, in milliseconds. Default: the option that the server was started with. */
  drainTimeoutMs?: number;
}

/**
 * A worker as a separate program: handlers and templates from folders, a port for health and metrics, and a graceful
 * shutdown. `tasker worker` uses this class. Installs no signal handlers unless `handleSignals` is true.
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

  /** Whether to refuse to start without any handler, as `tasker worker` does. @internal */
  needsHandlers = false;

  /** Authenticates requests to the port on an address that other machines can reach. @internal */
  guard: WorkerAppOptions['guard'];

  /** `defaults`: values for options that are not passed to {@link start}. */
  constructor(defaults: WorkerServerConfig = {}) {
    this.#defaults = defaults;
  }

  getState(): ServerState {
    return this.#state;
  }

  /** Returns the worker's name in history and messages. Null before the first start. */
  getWorkerId(): string | null {
    return this.#run?.workerId ?? null;
  }

  isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Returns the server's registry, in which you can register handlers before and after the server starts. */
  getHandlerSystem(): HandlerSystem {
    return this.#handlersOf(() => serverSettings(this.#defaults));
  }

  #handlersOf(settings: () => ServerSettings): HandlerSystem {
    this.#handlers ??= new HandlerSystem({ baseFolder: settings().loaded.config.handlerPaths[0] });
    return this.#handlers;
  }

  /** Always returns null: a server runs its steps without a poller. Use `bootstrapWorker` and `EventSystem` for one. */
  getEventSystem(): EventSystem | null {
    return null;
  }

  /** The tasker that runs the steps, which can also create tasks. Undefined while the server is not running. */
  get tasker(): Tasker | undefined {
    return this.isRunning() ? this.#run?.tasker : undefined;
  }

  /** The URL of health and metrics; undefined if no port is open. */
  get url(): string | undefined {
    return this.#run?.url;
  }

  /**
   * Opens the port, loads handlers and templates, connects, registers the templates, and starts to run steps.
   *
   * @throws WorkerAlreadyRunningError while the server is running, starting or shutting down
   * @throws WorkerBootstrapError if it cannot start; `cause` has the reason
   * @throws TaskerError `stopped` if it is shut down during startup
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
        guard: this.guard,
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
   * Stops the server. Claims no new steps, and waits for running handlers up to the drain time. Then fires their signal
   * and releases their steps. Runs the handlers of {@link onShutdown} last. Can be called at any time. Repeated calls
   * return the same promise. If the server is not running, resolves immediately.
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

  /** Another name for {@link shutdown}. */
  stop(options?: ShutdownOptions): Promise<void> {
    return this.shutdown(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** Ends the drain time of a {@link shutdown} in progress: fires the signal of running handlers now. */
  hurry(): void {
    this.#run?.tasker?.hurry();
  }

  /** Adds a function to run after the server has stopped. Functions run in the order in which they were added. */
  onShutdown(handler: ShutdownHandler): void {
    this.#shutdownHandlers.push(handler);
  }

  /**
   * Reloads handlers and templates. Running steps finish with the handlers that they started with. Broken files are
   * logged, and their earlier content stays in use.
   */
  async reload(): Promise<void> {
    await this.#run?.reload();
  }

  /** Returns the last periodic health check, which is at most a few seconds old. `/health/ready` checks again. */
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
        logger.info({ signal, running: this.status().activeHandlers }, 'stopping; waiting for running handlers');
        this.shutdown().catch((error: unknown) => {
          logger.error({ error: messageOf(error) }, 'worker did not stop cleanly');
          process.exitCode = 1;
        });
      },
      hurry: (signal) => {
        if (signal === 'SIGINT') process.exitCode = 130;
        this.hurry();
      },
      report: () => logger.info({ ...this.status() }, 'worker status'),
      reload: () => {
        this.reload().catch((error: unknown) => logger.error({ error: messageOf(error) }, 'reload failed'));
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
  starting: 'already starting',
  running: 'already running; stop it first',
  shutting_down: 'shutting down; wait for shutdown() first',
  stopped: 'stopped',
  error: 'not running: it ended with an error',
};

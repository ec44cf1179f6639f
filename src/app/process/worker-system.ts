import { randomUUID } from 'node:crypto';
import { type BootstrapConfig, loadBootstrapConfig } from '../../config/bootstrap-config.ts';
import { withOverrides } from '../../config/load-config.ts';
import { messageOf, WorkerBootstrapError } from '../../errors.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import { processWorker } from '../../worker/bridge/process-worker.ts';
import type { Worker } from '../../worker/worker.ts';
import { Assembly } from '../assembly.ts';
import { processEventRegistries } from '../event-registries.ts';
import type { Tasker } from '../tasker.ts';
import { workerLogger } from './program-logger.ts';
import * as workerCode from './worker-code.ts';

/** The outcome of {@link bootstrapWorker}. */
export interface BootstrapResult {
  /** Whether a worker is running: the status is `started` or `already_running`. */
  success: boolean;
  status: 'started' | 'already_running' | 'error';
  message: string;
  /** Absent if the status is `error`. */
  workerId?: string;
  /** The reason for the failure. */
  error?: string;
  /** The original error. */
  cause?: unknown;
}

/** The outcome of {@link stopWorker}. */
export interface StopResult {
  success: boolean;
  status: 'stopped' | 'not_running' | 'error';
  message: string;
  workerId?: string;
  error?: string;
}

/** The worker of this process while it runs. */
export interface RunningWorker {
  assembly: Assembly;
  tasker: Tasker;
  worker: Worker;
}

/** Starts and stops the worker of a process whose steps are read by pollers. A process has one. */
class WorkerSystem {
  #starting: Promise<BootstrapResult> | undefined;
  /** The earlier stop for which the startup in progress waits. */
  #startsAfter: Promise<StopResult> | undefined;
  #stopping: Promise<StopResult> | undefined;
  #running: RunningWorker | undefined;

  get running(): RunningWorker | undefined {
    return this.#running;
  }

  get state(): 'starting' | 'running' | 'stopping' | 'stopped' {
    if (this.#stopping) return 'stopping';
    if (this.#running) return 'running';
    return this.#starting ? 'starting' : 'stopped';
  }

  /** Never rejects. */
  start(config: BootstrapConfig | undefined): Promise<BootstrapResult> {
    if (this.#running && !this.#stopping) return Promise.resolve(alreadyRunning(this.#running));
    if (this.#starting)
      return this.#starting.then((result) => (this.#running ? alreadyRunning(this.#running) : result));
    // Synchronous, so that a poller that is started in the same turn of the event loop waits for the worker.
    processWorker.starting();
    this.#startsAfter = this.#stopping;
    this.#starting = this.#start(config).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #start(config: BootstrapConfig | undefined): Promise<BootstrapResult> {
    try {
      // The worker may be started while an earlier stop is still in progress.
      await this.#stopping;
      const assembly = assemblyOf(config, () => this.state);
      const tasker = await assembly.start();
      this.#running = { assembly, tasker, worker: tasker.worker! };
      processWorker.running(tasker.worker!.channel);
      const { workerId } = assembly;
      return { success: true, status: 'started', message: `worker ${workerId} started`, workerId };
    } catch (cause) {
      const error = new WorkerBootstrapError(`the worker could not start: ${messageOf(cause)}`, { cause });
      processWorker.failed(error);
      return { success: false, status: 'error', message: error.message, error: messageOf(cause), cause };
    }
  }

  /** Never rejects. `drainTimeoutMs` defaults to the configured value. */
  stop(options: { drainTimeoutMs?: number } = {}): Promise<StopResult> {
    // After a stop, and a start that waits for that stop, another stop also stops the new worker.
    if (this.#stopping && this.#starting && this.#startsAfter === this.#stopping) {
      return this.#stopping.then(() => this.stop(options));
    }
    this.#stopping ??= this.#stop(this.#starting, options.drainTimeoutMs).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async #stop(starting: Promise<unknown> | undefined, drainTimeoutMs?: number): Promise<StopResult> {
    if (starting) await starting;
    const running = this.#running;
    if (!running) return { success: true, status: 'not_running', message: 'no worker is running in this process' };
    const { workerId } = running.assembly;
    processWorker.stopped();
    try {
      await running.assembly.stop(drainTimeoutMs);
      return { success: true, status: 'stopped', message: `worker ${workerId} stopped`, workerId };
    } catch (thrown) {
      const error = messageOf(thrown);
      const message = `worker ${workerId} did not stop cleanly: ${error}`;
      return { success: false, status: 'error', message, workerId, error };
    } finally {
      this.#running = undefined;
    }
  }
}

function alreadyRunning({ assembly: { workerId } }: RunningWorker): BootstrapResult {
  return { success: true, status: 'already_running', message: `worker ${workerId} is already running`, workerId };
}

/** @throws TaskerError `config_invalid` */
function assemblyOf(given: BootstrapConfig | undefined, state: () => string): Assembly {
  const read = loadBootstrapConfig(given);
  const loaded = withOverrides(read, { name: read.config.name ?? `typescript-worker-${randomUUID()}` });
  const { config, warnings } = loaded;
  const logger = workerLogger(config);
  const templates = config.templatePaths.length > 0 ? config.templatePaths : undefined;
  const options = { templates, handlers: config.handlerPaths, ...processEventRegistries(), logger };
  const registry = HandlerRegistry.instance();
  return new Assembly({ loaded, options, logger, warnings, handOut: true, port: true, registry, state, workerCode });
}

export const workerSystem = new WorkerSystem();

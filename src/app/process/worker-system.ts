import { randomUUID } from 'node:crypto';
import { type BootstrapConfig, loadBootstrapConfig } from '../../config/bootstrap-config.ts';
import { withOverrides } from '../../config/load-config.ts';
import { WorkerBootstrapError } from '../../errors/worker-errors.ts';
import { messageOf } from '../../errors.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import { processWorker } from '../../worker/bridge/process-worker.ts';
import type { Worker } from '../../worker/worker.ts';
import { Assembly } from '../assembly.ts';
import { processEventRegistries } from '../event-registries.ts';
import type { Tasker } from '../tasker.ts';
import { workerLogger } from './program-logger.ts';

/** What {@link bootstrapWorker} came to. */
export interface BootstrapResult {
  /** Whether a worker runs now: `started`, or `already_running`. */
  success: boolean;
  status: 'started' | 'already_running' | 'error';
  message: string;
  /** Absent with `error`. */
  workerId?: string;
  /** Why there is none, in one text. */
  error?: string;
  /** The error itself. */
  cause?: unknown;
}

/** What {@link stopWorker} came to. */
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

/** The one worker of a process that steps are read from: started, asked for, and stopped. */
class WorkerSystem {
  #starting: Promise<BootstrapResult> | undefined;
  /** The stop that the start under way waits for. */
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
    // At once: a poller that is started in the same turn waits for it.
    processWorker.starting();
    this.#startsAfter = this.#stopping;
    this.#starting = this.#start(config).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #start(config: BootstrapConfig | undefined): Promise<BootstrapResult> {
    try {
      // What was just stopped may be started again.
      await this.#stopping;
      const assembly = assemblyOf(config, () => this.state);
      const tasker = await assembly.start();
      this.#running = { assembly, tasker, worker: tasker.worker! };
      processWorker.running(tasker.worker!.channel);
      const { workerId } = assembly;
      return { success: true, status: 'started', message: `worker ${workerId} runs`, workerId };
    } catch (cause) {
      const error = new WorkerBootstrapError(`the worker could not start: ${messageOf(cause)}`, { cause });
      processWorker.failed(error);
      return { success: false, status: 'error', message: error.message, error: messageOf(cause), cause };
    }
  }

  /** Never rejects. `drainTimeoutMs`: as configured unless given. */
  stop(options: { drainTimeoutMs?: number } = {}): Promise<StopResult> {
    // Of a stop, a start and another stop, the last one counts.
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
    if (!running) return { success: true, status: 'not_running', message: 'no worker runs in this process' };
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
  return { success: true, status: 'already_running', message: `worker ${workerId} runs already`, workerId };
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
  return new Assembly({ loaded, options, logger, warnings, handOut: true, port: true, registry, state });
}

export const workerSystem = new WorkerSystem();

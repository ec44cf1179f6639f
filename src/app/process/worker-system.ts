import { randomUUID } from 'node:crypto';
import { type BootstrapConfig, loadBootstrapConfig } from '../../config/bootstrap-config.ts';
import { type LoadedConfig, withOverrides } from '../../config/load-config.ts';
import type { TaskerConfig } from '../../config/config-keys.ts';
import { WorkerBootstrapError } from '../../errors/worker-errors.ts';
import { messageOf } from '../../errors.ts';
import { consoleLogger } from '../../logging/console-logger.ts';
import type { Logger } from '../../logging/logger.ts';
import { moduleLogger } from '../../logging/module-logger.ts';
import { untold, useWorkerLogger } from '../../logging/process-logger.ts';
import { discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { Listening } from '../../server/listen.ts';
import { processWorker } from '../../worker/bridge/process-worker.ts';
import type { Worker } from '../../worker/worker.ts';
import { makeTasker } from '../create-tasker.ts';
import { processEventRegistries } from '../event-registries.ts';
import { DiscoveredSubscribers } from '../project/discovered-subscribers.ts';
import { openPort } from '../server/open-port.ts';
import { ServedTasker } from '../server/served-tasker.ts';
import type { Tasker } from '../tasker.ts';
import type { BootstrapResult, StopResult } from './bootstrap-result.ts';

/** The worker of this process while it runs. */
export interface RunningWorker {
  workerId: string;
  config: Readonly<TaskerConfig>;
  tasker: Tasker;
  worker: Worker;
  /** What the folders of its handlers export besides. */
  found: DiscoveredSubscribers;
  /** Its port; undefined: it has none. */
  listening: Listening | undefined;
  /** On the clock of `performance.now()`. */
  startedAt: number;
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
      const running = await open(config, () => this.state);
      this.#running = running;
      processWorker.running(running.worker.channel);
      const { workerId } = running;
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
    const { workerId, tasker, config, found, listening } = running;
    processWorker.stopped();
    try {
      // The port last: while handlers finish, it says that the worker lives and is not ready.
      await tasker.stop({ drainTimeoutMs: drainTimeoutMs ?? config.drainTimeoutMs }).finally(() => listening?.close());
      return { success: true, status: 'stopped', message: `worker ${workerId} stopped`, workerId };
    } catch (thrown) {
      const error = messageOf(thrown);
      const message = `worker ${workerId} did not stop cleanly: ${error}`;
      return { success: false, status: 'error', message, workerId, error };
    } finally {
      await found.leave();
      this.#running = undefined;
    }
  }
}

function alreadyRunning({ workerId }: RunningWorker): BootstrapResult {
  return { success: true, status: 'already_running', message: `worker ${workerId} runs already`, workerId };
}

async function open(given: BootstrapConfig = {}, state: () => string): Promise<RunningWorker> {
  const read = loadBootstrapConfig(given);
  const workerId = read.config.name ?? `typescript-worker-${randomUUID()}`;
  const loaded = withOverrides(read, { name: workerId });
  const { config } = loaded;
  const form = process.stderr.isTTY && config.environment === 'development' ? 'lines' : 'json';
  const logger = consoleLogger({ ...config.log, form });
  for (const line of untold(loaded.warnings)) logger.warn(line);
  // Handlers are loaded before the tasker exists, and may log.
  const leaveLogs = useWorkerLogger(logger);
  try {
    return await openWith({ loaded, workerId, logger }, state);
  } finally {
    leaveLogs();
  }
}

interface Opening {
  loaded: LoadedConfig;
  workerId: string;
  logger: Logger;
}

async function openWith({ loaded, workerId, logger }: Opening, state: () => string): Promise<RunningWorker> {
  const { config } = loaded;
  const registry = HandlerRegistry.instance();
  const events = processEventRegistries();
  const found = new DiscoveredSubscribers(events);
  for (const folder of config.handlerPaths) {
    await discoverHandlers(folder, { registry, logger: registry.logger, also: found.take });
  }
  await found.apply();
  const templates = config.templatePaths.length > 0 ? config.templatePaths : undefined;
  const options = { config: loaded, templates, handlers: registry, ...events, logger };
  const { environment, handlerPaths, webEnabled, webAddress: address, webConfigEndpoint: showConfig } = config;
  const settings = { loaded, tasker: options, handlers: handlerPaths, environment, web: { address, showConfig } };
  const served = webEnabled ? new ServedTasker({ settings, registry, state }) : undefined;
  let listening: Listening | undefined;
  try {
    // First, as of a worker server: whoever asks for the worker's health is answered from the beginning.
    listening = served && (await openPort({ worker: served, logger: moduleLogger(logger, 'server'), address }));
    const tasker = await makeTasker(options, { handOut: true });
    served?.serve(tasker);
    return { workerId, config, tasker, worker: tasker.worker!, found, listening, startedAt: performance.now() };
  } catch (error) {
    await listening?.close();
    await found.leave();
    throw error;
  }
}

export const workerSystem = new WorkerSystem();

import type { BootstrapConfig } from '../../config/bootstrap-config.ts';
import { messageOf } from '../../errors.ts';
import type { NapiModule } from '../../worker/bridge/napi-module.ts';
import { processModule } from './process-module.ts';
import { type BootstrapResult, type StopResult, workerSystem } from './worker-system.ts';

/**
 * Starts the worker of this process: it connects, registers templates, finds the handlers of `TASKER_HANDLER_PATH`, and
 * hands its steps out to an `EventPoller`. What is not given is taken from the environment and the configuration file.
 * `web: true`, or `[worker.web] enabled = true` in the file, opens the port of a worker server: health, metrics, templates.
 * There is one worker at a time; `createTasker` makes any number, which run their steps themselves.
 *
 * It never rejects: why it could not start is in the result, and is told by `poller.start()`, or its `onError`, too. So
 * it need not be awaited.
 *
 * @example
 * const result = await bootstrapWorker({ namespace: 'my_app' });
 * if (!result.success) throw new WorkerBootstrapError(result.message, { cause: result.cause });
 */
export async function bootstrapWorker(config?: BootstrapConfig, module?: NapiModule): Promise<BootstrapResult> {
  if (module === undefined || module === processModule) return workerSystem.start(config);
  try {
    const { namespace, configPath } = config ?? {};
    const told = { ...(namespace !== undefined && { namespace }), ...(configPath !== undefined && { configPath }) };
    const { success, status, message, workerId } = await module.bootstrapWorker(told);
    const known = status === 'started' || status === 'already_running' ? status : success ? 'started' : 'error';
    return { success, status: known, message, ...(workerId !== undefined && { workerId }) };
  } catch (cause) {
    const error = messageOf(cause);
    return { success: false, status: 'error', message: `the worker could not start: ${error}`, error, cause };
  }
}

/**
 * Stops the worker of this process: it takes nothing new, waits for the steps that were handed out, gives back what does
 * not end in the drain time, and closes its connections. Never rejects. A module that is given answers for itself.
 *
 * @example
 * await poller.stop();
 * await subscriber.stop();
 * bridge.stop();
 * console.log((await stopWorker()).status); // 'stopped'
 */
export async function stopWorker(
  module?: NapiModule | null,
  options?: { drainTimeoutMs?: number },
): Promise<StopResult> {
  if (module == null || module === processModule) return workerSystem.stop(options);
  try {
    const { success, status, workerId } = await module.stopWorker();
    const known = status === 'error' || status === 'not_running' ? status : 'stopped';
    return { success, status: known, message: `worker ${known}`, ...(workerId !== undefined && { workerId }) };
  } catch (thrown) {
    const error = messageOf(thrown);
    return { success: false, status: 'error', message: `the worker did not stop: ${error}`, error };
  }
}

/**
 * The worker takes nothing new from now on, and what runs goes on; `stopWorker()` then stops it.
 *
 * @example
 * transitionToGracefulShutdown();
 */
export function transitionToGracefulShutdown(module: NapiModule = processModule): StopResult {
  const { running, workerId } = module.getWorkerStatus();
  if (!running) return { success: true, status: 'not_running', message: 'no worker runs' };
  const { success } = module.transitionToGracefulShutdown();
  const message = 'the worker takes no new steps; those that run go on';
  return { success, status: 'stopped', message, ...(workerId !== undefined && { workerId }) };
}

/** What {@link getWorkerStatus} tells. Members after `running` are absent while no worker runs. */
export interface WorkerStatus {
  success: boolean;
  running: boolean;
  /** `starting`, `running`, `stopping` or `stopped`. */
  status?: string;
  workerId?: string;
  /** What `TASKER_ENV` says. */
  environment?: string;
  /** `healthy`, or `degraded` while the worker can't prove that it lives. */
  workerCoreStatus?: string;
  /** Whether health, metrics and templates are answered over HTTP. */
  webApiEnabled?: boolean;
  /** Where: `http://127.0.0.1:8081`. Absent without a port. */
  webUrl?: string;
  supportedNamespaces?: string[];
  /** Connections at most. */
  databasePoolSize?: number;
  /** Open connections that do nothing right now. */
  databasePoolIdle?: number;
}

/**
 * What is known of the worker.
 *
 * @example
 * const { running, supportedNamespaces } = getWorkerStatus();
 */
export function getWorkerStatus(module: NapiModule = processModule): WorkerStatus {
  const status = module.getWorkerStatus();
  const { running } = workerSystem;
  if (module !== processModule || !running) return status;
  const { namespaces, poolSize, poolIdle, leaseSure } = running.tasker.vitals;
  const { url } = running.assembly;
  return {
    ...status,
    workerCoreStatus: leaseSure ? 'healthy' : 'degraded',
    webApiEnabled: url !== undefined,
    ...(url !== undefined && { webUrl: url }),
    supportedNamespaces: [...namespaces],
    databasePoolSize: poolSize,
    databasePoolIdle: poolIdle,
  };
}

/**
 * Whether a worker runs.
 *
 * @example
 * if (!isWorkerRunning()) await bootstrapWorker();
 */
export function isWorkerRunning(module: NapiModule = processModule): boolean {
  return module.isWorkerRunning();
}

/**
 * Whether a worker runs and knows that it is alive to others. `getHealthCheck()` tells more.
 *
 * @example
 * if (!healthCheck()) console.error(await getHealthCheck());
 */
export function healthCheck(module: NapiModule = processModule): boolean {
  return module.healthCheck();
}

/**
 * The version of this package.
 *
 * @example
 * console.log(`tasker-core ${getVersion()}`);
 */
export function getVersion(module: NapiModule = processModule): string {
  return module.getVersion();
}

/**
 * The version of the native core, where there is one; here a sentence that there is none.
 *
 * @example
 * console.log(getRustVersion());
 */
export function getRustVersion(module: NapiModule = processModule): string {
  return module.getRustVersion();
}

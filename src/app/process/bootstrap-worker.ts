import type { BootstrapConfig } from '../../config/bootstrap-config.ts';
import { messageOf } from '../../errors.ts';
import type { NapiModule } from '../../worker/bridge/napi-module.ts';
import { processModule } from './process-module.ts';
import { type BootstrapResult, type StopResult, workerSystem } from './worker-system.ts';

/**
 * Starts the worker of this process: it connects, registers templates, loads the handlers in `TASKER_HANDLER_PATH`, and
 * passes its steps to an `EventPoller`. Other settings come from the environment and the configuration file. `web:
 * true`, or `[worker.web] enabled = true` in the file, opens the port of a worker server for health, metrics and
 * templates.
 *
 * A process has one such worker at a time. `createTasker` can create any number of workers, which run their steps
 * themselves.
 *
 * Never rejects, so an await is not required. If startup fails, the result has the reason. `poller.start()`, or the
 * poller's `onError`, also reports it.
 *
 * @example
 * const result = await bootstrapWorker({ namespace: 'my_app' });
 * if (!result.success) throw new WorkerBootstrapError(result.message, { cause: result.cause });
 */
export async function bootstrapWorker(config?: BootstrapConfig, module?: NapiModule): Promise<BootstrapResult> {
  if (module === undefined || module === processModule) return workerSystem.start(config);
  try {
    const { namespace, configPath } = config ?? {};
    const given = { ...(namespace !== undefined && { namespace }), ...(configPath !== undefined && { configPath }) };
    const { success, status, message, workerId } = await module.bootstrapWorker(given);
    const known = status === 'started' || status === 'already_running' ? status : success ? 'started' : 'error';
    return { success, status: known, message, ...(workerId !== undefined && { workerId }) };
  } catch (cause) {
    const error = messageOf(cause);
    return { success: false, status: 'error', message: `the worker could not start: ${error}`, error, cause };
  }
}

/**
 * Stops the worker of this process. The worker takes no new steps, and waits for dispatched steps. It releases the
 * steps that do not finish within the drain time, and closes its connections. Never rejects. If you pass a module,
 * stops the worker of that module.
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
 * Makes the worker stop taking steps while running steps continue. Call `stopWorker()` afterwards to stop the worker.
 *
 * @example
 * transitionToGracefulShutdown();
 */
export function transitionToGracefulShutdown(module: NapiModule = processModule): StopResult {
  const { running, workerId } = module.getWorkerStatus();
  if (!running) return { success: true, status: 'not_running', message: 'no worker is running' };
  const { success } = module.transitionToGracefulShutdown();
  const message = 'the worker takes no new steps; running steps continue';
  return { success, status: 'stopped', message, ...(workerId !== undefined && { workerId }) };
}

/** The result of {@link getWorkerStatus}. Members after `running` are absent while no worker is running. */
export interface WorkerStatus {
  success: boolean;
  running: boolean;
  /** `starting`, `running`, `stopping` or `stopped`. */
  status?: string;
  workerId?: string;
  /** The configured environment, such as `production`. */
  environment?: string;
  /** `healthy`, or `degraded` while the worker cannot renew its lease. */
  workerCoreStatus?: string;
  /** Whether health, metrics and templates are served over HTTP. */
  webApiEnabled?: boolean;
  /** The URL, such as `http://127.0.0.1:8081`. Absent if no port is open. */
  webUrl?: string;
  supportedNamespaces?: string[];
  /** Maximum number of connections. */
  databasePoolSize?: number;
  /** Number of open connections that are idle. */
  databasePoolIdle?: number;
}

/**
 * Returns the status of the worker.
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
 * Returns whether a worker is running.
 *
 * @example
 * if (!isWorkerRunning()) await bootstrapWorker();
 */
export function isWorkerRunning(module: NapiModule = processModule): boolean {
  return module.isWorkerRunning();
}

/**
 * Returns whether a worker is running and holds its lease. `getHealthCheck()` has more details.
 *
 * @example
 * if (!healthCheck()) console.error(await getHealthCheck());
 */
export function healthCheck(module: NapiModule = processModule): boolean {
  return module.healthCheck();
}

/**
 * Returns the version of this package.
 *
 * @example
 * console.log(`tasker-core ${getVersion()}`);
 */
export function getVersion(module: NapiModule = processModule): string {
  return module.getVersion();
}

/**
 * Returns the version of a module's native core. For this package, the text reports that there is none.
 *
 * @example
 * console.log(getRustVersion());
 */
export function getRustVersion(module: NapiModule = processModule): string {
  return module.getRustVersion();
}

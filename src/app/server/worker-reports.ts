import type { TaskerConfig } from '../../config/config-keys.ts';
import { redactUrl } from '../../db/connection-error.ts';
import { WorkerNotInitializedError } from '../../errors/worker-errors.ts';
import { worstOf } from '../../server/served-worker.ts';
import type { FfiDispatchMetrics } from '../../worker/dispatch-channel.ts';
import { type RunningWorker, workerSystem } from '../process/worker-system.ts';

/** How one part of a worker is. */
export interface ComponentHealth {
  name: 'database' | 'lease' | 'dispatch';
  status: 'healthy' | 'degraded' | 'unhealthy';
  /** What is wrong; absent when nothing is. */
  message?: string;
}

/** How the worker of this process is. */
export interface HealthCheck {
  /** The worst of its components. */
  status: ComponentHealth['status'];
  workerId: string;
  /** ISO 8601. */
  timestamp: string;
  components: ComponentHealth[];
}

/** What the worker of this process does, and has done since it was started. */
export interface WorkerMetrics {
  workerId: string;
  uptimeMs: number;
  /** Steps that take a slot: handed out, or waiting to be. */
  running: number;
  /** Outcomes that are not committed yet. */
  unrecorded: number;
  processed: number;
  failed: number;
  /** Results that were refused, because their step was taken away. */
  refused: number;
  dispatch: FfiDispatchMetrics;
}

/** The configuration that a worker runs with; passwords in URLs are hidden. */
export type WorkerConfig = Readonly<TaskerConfig>;

/**
 * How the worker of this process is: whether its database answers, whether it is known to live, whether events wait for
 * too long.
 *
 * @example
 * const { status, components } = await getHealthCheck();
 * if (status !== 'healthy') console.error(components.filter((part) => part.status !== 'healthy'));
 * @throws WorkerNotInitializedError
 */
export async function getHealthCheck(): Promise<HealthCheck> {
  const { assembly, worker } = theWorker();
  const database = await assembly.report.database();
  const dispatch = worker.channel.metrics();
  const answers = database?.status === 'healthy';
  const wrong = database?.detail ?? database?.message ?? 'not looked at yet';
  const components: ComponentHealth[] = [
    answers ? { name: 'database', status: 'healthy' } : { name: 'database', status: 'unhealthy', message: wrong },
    worker.leaseSure
      ? { name: 'lease', status: 'healthy' }
      : { name: 'lease', status: 'degraded', message: 'no proof of life got through for a lease' },
    dispatch.starvationDetected
      ? { name: 'dispatch', status: 'degraded', message: `${dispatch.starvingEventCount} events wait for too long` }
      : { name: 'dispatch', status: 'healthy' },
  ];
  const status = worstOf(components.map((component) => component.status));
  return { status, workerId: assembly.workerId, timestamp: new Date().toISOString(), components };
}

/**
 * What the worker of this process does and has done.
 *
 * @example
 * console.log(`${getMetrics().processed} steps so far`);
 * @throws WorkerNotInitializedError
 */
export function getMetrics(): WorkerMetrics {
  const { assembly, worker } = theWorker();
  const { workerId, startedAt } = assembly;
  const { running, unrecorded, processed, failed, refused } = worker.stats;
  const uptimeMs = Math.round(performance.now() - startedAt);
  const counts = { running, unrecorded, processed, failed, refused };
  return { workerId, uptimeMs, ...counts, dispatch: worker.channel.metrics() };
}

/**
 * The configuration that the worker of this process runs with.
 *
 * @example
 * console.log(getWorkerConfig().concurrency);
 * @throws WorkerNotInitializedError
 */
export function getWorkerConfig(): WorkerConfig {
  const { config } = theWorker().assembly;
  const hidden = (url: string | undefined) => (url === undefined ? undefined : redactUrl(url));
  return Object.freeze({
    ...config,
    databaseUrl: hidden(config.databaseUrl),
    databaseDirectUrl: hidden(config.databaseDirectUrl),
  });
}

function theWorker(): RunningWorker {
  const { running } = workerSystem;
  if (running) return running;
  throw new WorkerNotInitializedError('there is no worker in this process; call bootstrapWorker() first');
}

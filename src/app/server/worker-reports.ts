import type { TaskerConfig } from '../../config/config-keys.ts';
import { redactUrl } from '../../db/connection-error.ts';
import { WorkerNotInitializedError } from '../../errors.ts';
import { counted } from '../../model/counted.ts';
import { worstOf } from '../../server/served-worker.ts';
import type { FfiDispatchMetrics } from '../../worker/dispatch-channel.ts';
import { type RunningWorker, workerSystem } from '../process/worker-system.ts';

/** The health of one part of a worker. */
export interface ComponentHealth {
  name: 'database' | 'lease' | 'dispatch';
  status: 'healthy' | 'degraded' | 'unhealthy';
  /** The problem; absent if the part is healthy. */
  message?: string;
}

/** The health of the worker of this process. */
export interface HealthCheck {
  /** The worst status of its components. */
  status: ComponentHealth['status'];
  workerId: string;
  /** ISO 8601. */
  timestamp: string;
  components: ComponentHealth[];
}

/** Statistics of the worker of this process since startup. */
export interface WorkerMetrics {
  workerId: string;
  uptimeMs: number;
  /** Number of steps that occupy a slot: dispatched, or waiting to be dispatched. */
  running: number;
  /** Number of outcomes that are not committed yet. */
  unrecorded: number;
  processed: number;
  failed: number;
  /** Number of results that were rejected because the worker no longer held the step. */
  refused: number;
  dispatch: FfiDispatchMetrics;
}

/** The configuration of a worker, with the passwords in URLs hidden. */
export type WorkerConfig = Readonly<TaskerConfig>;

/**
 * Returns the health of the worker of this process: whether its database responds, whether it holds its lease, and
 * whether step events wait too long for a poller.
 *
 * @example
 * const { status, components } = await getHealthCheck();
 * if (status !== 'healthy') console.error(components.filter((part) => part.status !== 'healthy'));
 * @throws WorkerNotInitializedError
 */
export async function getHealthCheck(): Promise<HealthCheck> {
  const { assembly, worker } = theWorker();
  const database = await assembly.report?.database();
  const dispatch = worker.channel.metrics();
  const answers = database?.status === 'healthy';
  const wrong = database?.detail ?? database?.message ?? 'not checked yet';
  const components: ComponentHealth[] = [
    answers ? { name: 'database', status: 'healthy' } : { name: 'database', status: 'unhealthy', message: wrong },
    worker.leaseSure
      ? { name: 'lease', status: 'healthy' }
      : { name: 'lease', status: 'degraded', message: 'the lease has expired without a heartbeat' },
    dispatch.starvationDetected
      ? {
          name: 'dispatch',
          status: 'degraded',
          message: `${counted(dispatch.starvingEventCount, 'event')} ${dispatch.starvingEventCount === 1 ? 'has' : 'have'} been waiting too long`,
        }
      : { name: 'dispatch', status: 'healthy' },
  ];
  const status = worstOf(components.map((component) => component.status));
  return { status, workerId: assembly.workerId, timestamp: new Date().toISOString(), components };
}

/**
 * Returns statistics of the worker of this process.
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
 * Returns the configuration of the worker of this process.
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
    databaseReplicaUrl: hidden(config.databaseReplicaUrl),
  });
}

function theWorker(): RunningWorker {
  const { running } = workerSystem;
  if (running) return running;
  throw new WorkerNotInitializedError('no worker is running in this process; call bootstrapWorker() first');
}

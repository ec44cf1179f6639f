import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../engine/engine.ts';
import type { OperatorOptions } from '../../engine/operator-actions.ts';
import { TaskerError } from '../../errors.ts';
import { getWorker, listWorkers, type WorkerInfo } from './workers.ts';

/** Options of `tasker.drainWorker`. */
export interface DrainOptions extends OperatorOptions {
  /** Waits until the worker no longer holds steps. Default false. */
  wait?: boolean;
  /** With `wait`: the maximum time to wait, in milliseconds. Default: no limit. */
  timeoutMs?: number;
  /** Ends the wait when it fires. The promise then rejects with the signal's reason, and the worker keeps draining. */
  signal?: AbortSignal;
  /** With `wait`: called with the worker after each read, about twice a second. */
  onProgress?: (worker: WorkerInfo) => void;
}

/** A worker that was asked to drain, as `tasker.drainWorker` returns it. */
export interface DrainedWorker {
  worker: WorkerInfo;
  /** False if the worker had already been asked to drain. The first request remains in effect. */
  changed: boolean;
  /** The namespaces of the worker from which no other live worker takes steps. */
  left: string[];
}

const POLL_MS = 400;

/** Asks a worker to stop taking steps. With `wait`, waits until the worker holds no steps. */
export async function drainWorker(
  engine: Engine,
  worker: string | number,
  options: DrainOptions = {},
): Promise<DrainedWorker> {
  const { wait = false, timeoutMs = Number.POSITIVE_INFINITY, signal, onProgress, ...operator } = options;
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs) || timeoutMs < 0)
    throw new TaskerError('bad_request', 'timeoutMs must be a number of milliseconds');
  const until = performance.now() + timeoutMs;
  const { id, name, changed } = await engine.askWorker(worker, { ...operator, drain: true });
  for (;;) {
    const info: WorkerInfo = await getWorker(engine, id);
    const { state } = info;
    if (!wait || state === 'drained' || state === 'stopped' || state === 'lost') {
      return { worker: info, changed, left: await leftNamespaces(engine, info) };
    }
    onProgress?.(info);
    if (performance.now() >= until) {
      throw new TaskerError(
        'timeout',
        `worker ${name} still holds steps after ${Math.round(timeoutMs)} ms; it keeps draining`,
        { details: { worker_id: id, running: info.running } },
      );
    }
    await sleep(Math.min(POLL_MS, Math.max(0, until - performance.now())), undefined, { signal });
  }
}

/** Lets a draining worker take steps again. */
export async function resumeWorker(
  engine: Engine,
  worker: string | number,
  options: OperatorOptions = {},
): Promise<{ worker: WorkerInfo; changed: boolean }> {
  const { id, changed } = await engine.askWorker(worker, { ...options, drain: false });
  const info: WorkerInfo = await getWorker(engine, id);
  return { worker: info, changed };
}

async function leftNamespaces(engine: Engine, { id, namespaces }: WorkerInfo): Promise<string[]> {
  const taking = (await listWorkers(engine, { state: 'running', endedWithinMs: 0 })).filter((one) => one.id !== id);
  return namespaces.filter((namespace) => !taking.some((one) => one.namespaces.includes(namespace)));
}

import type { Engine } from '../../engine/engine.ts';
import { type StatusFacts, statusFacts } from '../../engine/status.ts';
import type { StateCounts } from './task-summary.ts';
import { type UnservedGroup, unservedSteps } from './unserved.ts';

/** The queue of one namespace. */
export interface NamespaceQueue {
  namespace: string;
  /** Ready steps that no worker has claimed; 100,000 stands for that many or more. */
  ready: number;
  /** When the oldest of them became ready, as ISO 8601; null: there is none. */
  oldestAt: string | null;
  /** Steps that are running. */
  running: number;
  /** Live workers that serve the namespace. */
  workers: number;
  /** Ready steps that no live worker can run. */
  unserved: number;
}

/** The state of an installation: workers, queues, open tasks, and problems that need a person. */
export interface TaskerStatus {
  /** The time of the database, as ISO 8601. */
  at: string;
  /** `slots`: handlers that the live workers can run at once. `lost`: their lease has expired. */
  workers: { alive: number; lost: number; slots: number; slotsUsed: number };
  /** Namespaces with ready or running steps or live workers; those with unserved steps first, then the oldest. */
  queues: NamespaceQueue[];
  /** Open tasks by state; 1,000,000 stands for that many or more. */
  open: StateCounts;
  /** Counts of problems that need a person: tasks; steps for `unserved`; deliveries of events for `deadDeliveries`. */
  attention: { blocked: number; stale: number; unserved: number; deadDeliveries: number };
  /** The ready steps that no live worker can run. */
  unserved: UnservedGroup[];
  /**
   * Rates per minute, over the last five minutes, or a shorter time if there was too much to count. `attempts` and
   * `failures` count steps. `estimated`: the rates are projected from a sample of the tasks.
   */
  perMinute: { created: number; ended: number; attempts: number; failures: number; estimated: boolean };
  /** Changes younger than this, in milliseconds, may be missing from `open`, `running` and `perMinute`. */
  lagMs: number;
}

const RATE_SECONDS = 300;

/** Returns the state of an installation. */
export async function statusOf(engine: Engine): Promise<TaskerStatus> {
  const facts = await statusFacts(engine.database, { rateSeconds: RATE_SECONDS });
  const unserved = unservedSteps(facts.queued, facts.workers);
  const open: StateCounts = {};
  for (const { state, count } of facts.open) if (count > 0) open[state as keyof StateCounts] = count;
  return {
    at: facts.now,
    workers: workersOf(facts),
    queues: queuesOf(facts, unserved),
    open,
    attention: {
      blocked: open.blocked_by_failures ?? 0,
      stale: facts.stale,
      unserved: unserved.reduce((sum, { count }) => sum + count, 0),
      deadDeliveries: facts.deadDeliveries,
    },
    unserved,
    perMinute: perMinute(facts),
    lagMs: facts.lagMs,
  };
}

function workersOf({ workers, running }: StatusFacts): TaskerStatus['workers'] {
  const living = workers.filter((worker) => worker.living);
  const names = new Set(living.map(({ name }) => name));
  return {
    alive: living.length,
    lost: workers.length - living.length,
    slots: living.reduce((sum, { concurrency }) => sum + concurrency, 0),
    slotsUsed: running.reduce((sum, { worker, count }) => sum + (worker !== null && names.has(worker) ? count : 0), 0),
  };
}

function queuesOf(facts: StatusFacts, unserved: readonly UnservedGroup[]): NamespaceQueue[] {
  const found = new Map<string, NamespaceQueue>();
  const queueOf = (namespace: string) => {
    const queue = found.get(namespace) ?? { namespace, ready: 0, oldestAt: null, running: 0, workers: 0, unserved: 0 };
    found.set(namespace, queue);
    return queue;
  };
  for (const { namespace, count } of facts.queued) queueOf(namespace).ready += count;
  for (const { namespace, oldestAt } of facts.heads) queueOf(namespace).oldestAt = oldestAt;
  for (const { namespace, count } of facts.running) queueOf(namespace).running += count;
  for (const { living, namespaces } of facts.workers) {
    if (living) for (const namespace of namespaces) queueOf(namespace).workers++;
  }
  for (const { namespace, count } of unserved) queueOf(namespace).unserved += count;
  return [...found.values()].sort(
    (a, b) =>
      b.unserved - a.unserved ||
      (a.oldestAt ?? '~').localeCompare(b.oldestAt ?? '~') ||
      a.namespace.localeCompare(b.namespace),
  );
}

function perMinute({ rates }: StatusFacts): TaskerStatus['perMinute'] {
  const rate = (count: number, seconds: number) => Math.round((count / Math.max(seconds, 1e-3)) * 600) / 10;
  const { created, ended, attempts, failed, sampled, changed } = rates;
  const factor = sampled === 0 ? 0 : changed / sampled;
  const ofTasks = (count: number) => rate(count * factor, rates.changedSeconds);
  return {
    created: rate(created, rates.createdSeconds),
    ended: rate(ended, rates.endedSeconds),
    attempts: ofTasks(attempts),
    failures: ofTasks(failed),
    estimated: sampled < changed || rates.changedSeconds < RATE_SECONDS,
  };
}

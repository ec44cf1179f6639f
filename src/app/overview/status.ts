import type { Engine } from '../../engine/engine.ts';
import { MOST_PAUSES, type StatusFacts, statusFacts } from '../../engine/status.ts';
import type { Pause } from '../../engine/task-view.ts';
import type { WaitKind } from '../../model/waits.ts';
import { COUNTED, MOST_WAITING } from '../../store/overview/status.ts';
import { MOST_LATE } from '../../store/overview/waits.ts';
import { lastPrune } from '../../store/retention/runs.ts';
import { MOST_LATE_SCHEDULES } from '../../store/schedules/schedules.ts';
import { MOST_ENDED } from '../../store/workers.ts';
import { type Overview, type QueueCount, type QueueNow, readInstallation, type UnservedSteps } from './queues.ts';
import type { StateCounts } from './task-summary.ts';
import { type UnservedHandler, unservedHandlersOf } from './unserved-handlers.ts';

/** The queue of one namespace. */
export interface NamespaceQueue {
  namespace: string;
  /** Ready steps that no worker has claimed. 100,000 means at least 100,000. */
  ready: number;
  /** When the oldest ready step became ready, as ISO 8601; null if there is none. */
  oldestAt: string | null;
  /** Steps that are running. */
  running: number;
  /** Live workers that serve the namespace. */
  workers: number;
  /** Ready steps that no live worker can run. */
  unserved: number;
  /** The names of the counts that are lower bounds, because counting stopped at a limit. */
  atLeast: ('ready' | 'unserved')[];
}

/** The open waits of one kind. */
export interface OpenWaits {
  kind: WaitKind;
  count: number;
  /** False if there are more than `count`, which is then 10,000. */
  countIsExact: boolean;
  /** When the oldest wait began, as ISO 8601. */
  oldestSince: string;
}

/** The state of an installation: workers, queues, open tasks, and problems that need a person. */
export interface TaskerStatus {
  /** The time of the database, as ISO 8601. */
  at: string;
  /**
   * `slots`: handlers that the live workers can run at the same time. `slotsUsed`: slots that are taken: by running steps
   * and by `hungSlots`, whose attempt is over while the handler has not settled. `lost`: workers whose lease expired in
   * the last hour, and that did not come back. `atLeast` contains `lost` if there may be more.
   */
  workers: { alive: number; lost: number; slots: number; slotsUsed: number; hungSlots: number; atLeast: 'lost'[] };
  /**
   * Namespaces with ready or running steps, live workers, or workers that were lost in the last hour. Namespaces with unserved steps come first, then namespaces
   * whose oldest ready step has waited longest.
   */
  queues: NamespaceQueue[];
  /** Open tasks by state. Up to 1,000,000 of each state are counted; for `waiting` and `pending`, up to 10,000. */
  open: StateCounts;
  /** The states in `open` whose counts are lower bounds. */
  openAtLeast: (keyof StateCounts)[];
  /** The open waits by kind. Kinds without waits are omitted. `start`: tasks that wait for their start. */
  waits: OpenWaits[];
  /**
   * Counts of problems that need a person: tasks; steps for `unserved`; deliveries of events for `deadDeliveries`.
   * `lateTimers` counts waits that have been due for more than five seconds, and `lateSchedules` schedules that are
   * more than ten seconds late. `approvals` counts open approvals, and `failingSchedules` schedules whose last task
   * failed or could not be created. `blocked` includes waiting tasks in which a step failed. `noWorker` is true if no worker is alive
   * although templates are registered. `atLeast` has the names of the counts that are lower bounds, because counting
   * stopped at a limit, and `pauses` if that list is not complete.
   */
  attention: {
    blocked: number;
    stale: number;
    unserved: number;
    deadLetters: number;
    deadDeliveries: number;
    lateTimers: number;
    lateSchedules: number;
    approvals: number;
    failingSchedules: number;
    noWorker: boolean;
    atLeast: (AttentionCount | 'pauses')[];
  };
  /** The pauses in force, at most 1,000. Pauses of namespaces and templates come first. */
  pauses: Pause[];
  /** The ready steps that no live worker can run, by namespace and handler. */
  unserved: (UnservedSteps & { namespace: string })[];
  /**
   * The handlers that no live worker of their namespace has, with the number of steps that wait for them. The handlers
   * that have been missing longest come first.
   */
  unservedHandlers: UnservedHandler[];
  /**
   * Rates per minute over the last five minutes, or over a shorter time if there are too many changes to count.
   * `created` and `ended` count tasks; `attempts` and `failures` count attempts of steps. `estimated`: `attempts` and
   * `failures` are extrapolated from a sample of the tasks, or cover less than five minutes.
   */
  perMinute: { created: number; ended: number; attempts: number; failures: number; estimated: boolean };
  /**
   * The last prune of old tasks, by the policy of the configuration (`byPolicy`) or by an operator, and how many tasks
   * it has deleted. `endedAt` is null while the prune runs, or if its process died. Null if nothing was ever pruned.
   */
  prune: {
    id: number;
    byPolicy: boolean;
    deleted: number;
    startedAt: string;
    endedAt: string | null;
    isRunning: boolean;
  } | null;
  /** Changes younger than this, in milliseconds, may be missing from `open`, `running` and `perMinute`. */
  lagMs: number;
}

/** A count in `attention`. */
export type AttentionCount =
  | 'blocked'
  | 'stale'
  | 'unserved'
  | 'deadLetters'
  | 'deadDeliveries'
  | 'lateTimers'
  | 'lateSchedules'
  | 'approvals'
  | 'failingSchedules';

const RATE_SECONDS = 300;

/** Returns the last prune of old tasks. Null if nothing was ever pruned. */
export async function lastPruneOf(engine: Engine): Promise<TaskerStatus['prune']> {
  return (await lastPrune(engine.database)) ?? null;
}

/** Returns the state of an installation. Reads it on two connections. */
export async function statusOf(engine: Engine): Promise<TaskerStatus> {
  const [facts, overview] = await Promise.all([
    statusFacts(engine.database, { rateSeconds: RATE_SECONDS }),
    readInstallation(engine),
  ]);
  const all = overview.queues;
  const queues = all
    .filter(
      ({ ready, running, workers, draining, lost }) =>
        ready + running + workers.length + draining.length + lost.length > 0,
    )
    .map(queueOf);
  const open: StateCounts = {};
  for (const { state, count } of facts.open) if (count > 0) open[state as keyof StateCounts] = count;
  return {
    at: facts.now,
    workers: workersOf(overview),
    queues: queues.sort(
      (a, b) =>
        b.unserved - a.unserved ||
        (a.oldestAt ?? '~').localeCompare(b.oldestAt ?? '~') ||
        a.namespace.localeCompare(b.namespace),
    ),
    open,
    openAtLeast: facts.open.filter(({ exact }) => !exact).map(({ state }) => state as keyof StateCounts),
    attention: {
      blocked: (open.blocked_by_failures ?? 0) + facts.failedWaiting.failed,
      stale: facts.stale,
      unserved: queues.reduce((sum, { unserved }) => sum + unserved, 0),
      deadLetters: facts.deadLetters,
      deadDeliveries: facts.deadDeliveries,
      lateTimers: facts.lateWaits,
      lateSchedules: facts.lateSchedules,
      approvals: all.reduce((sum, { approvals }) => sum + approvals, 0),
      failingSchedules: all.reduce((sum, { failingSchedules }) => sum + failingSchedules, 0),
      noWorker: all.length > 0 && overview.living.length === 0,
      atLeast: boundsOf(facts, all),
    },
    waits: facts.waits.flatMap(({ kind, count, oldestSince }) =>
      oldestSince === null ? [] : [{ kind, count, countIsExact: count < MOST_WAITING, oldestSince }],
    ),
    pauses: facts.pauses,
    unserved: all.flatMap(({ namespace, unserved }) => unserved.map((steps) => ({ namespace, ...steps }))),
    unservedHandlers: unservedHandlersOf(all),
    perMinute: perMinute(facts),
    prune: facts.prune ?? null,
    lagMs: facts.lagMs,
  };
}

function workersOf({ living, lost }: Overview): TaskerStatus['workers'] {
  return {
    alive: living.length,
    lost: lost.length,
    slots: living.reduce((sum, { concurrency }) => sum + concurrency, 0),
    slotsUsed: living.reduce((sum, { taken }) => sum + taken, 0),
    hungSlots: living.reduce((sum, { hung }) => sum + hung, 0),
    atLeast: lost.length < MOST_ENDED ? [] : ['lost'],
  };
}

function queueOf({
  namespace,
  ready,
  oldestReadyAt,
  running,
  workers,
  draining,
  unservedSteps,
  readyIsExact,
}: QueueNow): NamespaceQueue {
  const serving = workers.length + draining.length;
  const atLeast: NamespaceQueue['atLeast'] = readyIsExact ? [] : ['ready', 'unserved'];
  return { namespace, ready, oldestAt: oldestReadyAt, running, workers: serving, unserved: unservedSteps, atLeast };
}

/** Returns the names of the problems whose counts are lower bounds. */
function boundsOf(facts: StatusFacts, queues: readonly QueueNow[]): TaskerStatus['attention']['atLeast'] {
  const anyQueue = (count: QueueCount) => queues.some(({ atLeast }) => atLeast.includes(count));
  const blocked = facts.open.find(({ state }) => state === 'blocked_by_failures');
  const bounds: Record<AttentionCount | 'pauses', boolean> = {
    blocked: blocked?.exact === false || !facts.failedWaiting.exact,
    stale: facts.stale >= COUNTED,
    unserved: anyQueue('unservedSteps'),
    deadLetters: facts.deadLetters >= COUNTED,
    deadDeliveries: facts.deadDeliveries >= COUNTED,
    lateTimers: facts.lateWaits >= MOST_LATE,
    lateSchedules: facts.lateSchedules >= MOST_LATE_SCHEDULES,
    approvals: anyQueue('approvals'),
    failingSchedules: anyQueue('failingSchedules'),
    pauses: facts.pauses.length >= MOST_PAUSES,
  };
  return (Object.keys(bounds) as (AttentionCount | 'pauses')[]).filter((name) => bounds[name]);
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
